// Every attack of test/hostile, first one after the other under each trust setting, then random mixes of them for
// some minutes. Prints what each did to the node and fails when a property does not hold.

import assert from "node:assert/strict";
import { pssBytes } from "../processes.ts";
import { ATTACKS } from "../hostile/attacks.ts";
import type { Attack } from "../hostile/range/attack.ts";
import { Range } from "../hostile/range/range.ts";
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
import type { Trust } from "../../sdk/records.ts";

/** At once, in a mix. */
const MIXED = 4;
/** Some attacks keep the node busy on purpose, and four of them may meet. */
const MIX_GAP_FACTOR = 4;

export interface HostileOptions {
  /** Of random mixes under each trust setting. */
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
    if (options.minutes > 0) failed.push(...(await mixed(trust, attacks, options)));
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
  const failed: string[] = [];
  const deadline = performance.now() + minutes * 60_000;
  print(`\ntrust ${trust}, mixes of ${MIXED} for ${minutes} minutes`);
  for (let round = 1; performance.now() < deadline; round++) {
    const mix = Array.from({ length: MIXED }, () => pick(attacks));
    const seen = await range.mix(mix);
    const { stretch, lost } = seen;
    const names = mix.map(titleOf).join(" + ");
    const mayDie = mix.some((attack) => attack.mayCostWorker !== undefined);
    const [calmMax, lostMax] =
      trust === "own" ? [QUIET.heldMs, QUIET.silentMs] : [QUIET.gapMs, QUIET.replacedMs];
    const gapMax = mayDie ? lostMax : calmMax * MIX_GAP_FACTOR;
    const gap = Math.round(gapOf(seen));
    const isLong = gap > gapMax && seen.others <= OTHERS_MAX;
    const isBad = isLong || (stretch.wrong > 0 && !mayDie) || (lost > 0 && !mayDie);
    if (isBad) failed.push(`${trust}, mix ${names}: gap ${gap} ms, ${lost} workers lost`);
    if (isBad || gap > QUIET.gapMs) print(`gap ${gap} ms, ${lost} lost: ${names}`);
    if (round % 10 === 0) print(`${round} mixes; ${memory(range)}`);
  }
  return failed;
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
