// Every attack of test/hostile, first one after the other under each trust setting, then random mixes of them for
// some minutes. Prints what each did to the node and fails when a property does not hold.

import assert from "node:assert/strict";
import { pssBytes } from "../processes.ts";
import { ATTACKS } from "../hostile/attacks.ts";
import type { Attack } from "../hostile/range/attack.ts";
import { Range, type Mixed } from "../hostile/range/range.ts";
import {
  OTHERS_MAX,
  QUIET,
  brokenProperties,
  complaints,
  gapOf,
  heading,
  lineOf,
  titleOf,
} from "../hostile/range/report.ts";
import { Footprint } from "./footprint.ts";
import type { Trust } from "../../sdk/records.ts";

/** At once, in a mix. */
const MIXED = 4;
const MINUTE_MS = 60_000;
/** Some attacks keep the node busy on purpose, and four of them may meet. */
const MIX_GAP_FACTOR = 4;

export interface HostileOptions {
  /** Of random mixes under each trust setting, once without and once with those that may cost a worker. */
  readonly minutes: number;
  /** Only attacks whose group and name have this text in them. */
  readonly only: string;
  /** Both when absent. */
  readonly trust?: string | undefined;
  readonly print: (line: string) => void;
}

export async function hostile(options: HostileOptions): Promise<void> {
  const attacks = ATTACKS.filter((attack) => titleOf(attack).includes(options.only));
  const failed: string[] = [];
  for (const trust of ["untrusted", "own"] as const) {
    if ((options.trust ?? trust) !== trust) continue;
    failed.push(...(await oneByOne(trust, attacks, options)));
    if (options.minutes === 0) continue;
    // Where workers are replaced all the time, how they grow cannot be seen.
    const harmless = attacks.filter((attack) => attack.mayCostWorker === undefined);
    failed.push(...(await mixed(trust, harmless, options)));
    failed.push(...(await mixed(trust, attacks, options)));
  }
  assert.deepEqual(failed, []);
}

async function oneByOne(
  trust: Trust,
  attacks: readonly Attack[],
  { print }: HostileOptions,
): Promise<string[]> {
  await using range = await Range.open(trust);
  const failed: string[] = [];
  let longest = 0;
  let busy = 0;
  print(`\ntrust ${trust}, ${attacks.length} attacks`);
  print(heading());
  for (const attack of attacks) {
    const result = await range.run(attack);
    if (result.others <= OTHERS_MAX) longest = Math.max(longest, gapOf(result));
    else busy++;
    print(lineOf(result, brokenProperties(result, QUIET)));
    for (const complaint of complaints(result, QUIET)) {
      failed.push(`${trust}, ${titleOf(attack)}: ${complaint}`);
    }
  }
  print(
    `longest gap ${Math.round(longest)} ms (${busy} gaps not judged, others used the machine); ` +
      `${failed.length} complaints; ${memory(range)}`,
  );
  return failed;
}

async function mixed(
  trust: Trust,
  attacks: readonly Attack[],
  { minutes, print }: HostileOptions,
): Promise<string[]> {
  await using range = await Range.open(trust);
  const footprint = new Footprint(range.node);
  const tally = new Tally();
  const failed: string[] = [];
  const begun = performance.now();
  let told = 0;
  print(`\ntrust ${trust}, mixes of ${MIXED} out of ${attacks.length} for ${minutes} minutes`);
  for (let round = 1; performance.now() < begun + minutes * MINUTE_MS; round++) {
    const mix = Array.from({ length: MIXED }, () => pick(attacks));
    const seen = await range.mix(mix);
    const broken = brokenBy(mix, seen, trust);
    tally.add(seen);
    const line = `gap ${Math.round(gapOf(seen))} ms, workers lost ${[seen.lost, ...seen.why].join(", ")}; ${askedOf(seen)}: ${mix.map(titleOf).join(" + ")}`;
    if (broken) failed.push(`${trust}, mix, ${line}`);
    if (broken || gapOf(seen) > QUIET.gapMs || seen.lost > 0) print(line);
    const minute = Math.floor((performance.now() - begun) / MINUTE_MS);
    if (minute === told) continue;
    told = minute;
    await range.rest();
    const footprints = await footprint.look();
    print(`minute ${minute}: ${round} mixes, ${tally.line()}; ${footprints}`);
  }
  const { line, complaints } = footprint.verdict();
  print(`${tally.line()}; ${line}`);
  return [...failed, ...complaints.map((text) => `${trust}, mixes: ${text}`)];
}

/** Whether the neighbour noticed more of the mix than it may. */
function brokenBy(mix: readonly Attack[], seen: Mixed, trust: Trust): boolean {
  const mayDie = mix.some((attack) => attack.mayCostWorker !== undefined);
  const [calmMax, lostMax] =
    trust === "own" ? [QUIET.heldMs, QUIET.silentMs] : [QUIET.gapMs, QUIET.replacedMs];
  const gapMax = mayDie ? lostMax : calmMax * MIX_GAP_FACTOR;
  if (gapOf(seen) > gapMax && seen.others <= OTHERS_MAX) return true;
  // Code of one's own may hold the accepting thread until its worker, with all its connections, is killed.
  const mayLose = trust === "own" && mayDie;
  if ((seen.stretch.wrong > 0 || seen.stretch.lost > 0) && !mayLose) return true;
  return seen.lost > 0 && !mayDie;
}

function askedOf({ stretch }: Mixed): string {
  return `of ${stretch.answers} honest answers ${stretch.wrong} wrong and ${stretch.lost} lost`;
}

/** Of all mixes so far. */
class Tally {
  #answers = 0;
  #wrong = 0;
  #lost = 0;
  #workers = 0;
  #gapMs = 0;
  #busy = 0;

  add(seen: Mixed): void {
    this.#answers += seen.stretch.answers;
    this.#wrong += seen.stretch.wrong;
    this.#lost += seen.stretch.lost;
    this.#workers += seen.lost;
    if (seen.others <= OTHERS_MAX) this.#gapMs = Math.max(this.#gapMs, gapOf(seen));
    else this.#busy++;
  }

  line(): string {
    const gap = `longest gap ${Math.round(this.#gapMs)} ms (${this.#busy} not judged)`;
    const honest = `${this.#answers} honest answers, ${this.#wrong} wrong, ${this.#lost} lost`;
    return `${honest}, ${this.#workers} workers lost, ${gap}`;
  }
}

function pick(attacks: readonly Attack[]): Attack {
  const attack = attacks[Math.floor(Math.random() * attacks.length)];
  assert(attack !== undefined);
  return attack;
}

function memory({ node }: Range): string {
  const bytes = node.workerProcesses().map(pssBytes);
  return `workers ${bytes.map((one) => Math.round(one / 1e6)).join(" + ")} MB`;
}
