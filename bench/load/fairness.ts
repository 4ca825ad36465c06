// What a good endpoint notices of bad neighbours: its latency alone, beside endpoints that burn all the CPU time they
// may have, beside one that is good a thousand times and then burns, and beside one that runs a builtin nothing can
// stop. Requests for the good one are sent at a fixed pace, whether or not those before them were answered, by a
// client that has priority over the servers where the system allows it: as if it had a machine of its own.

import { Agent } from "node:http";
import { rmSync } from "node:fs";
import { constants, cpus, getPriority, setPriority } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { HELLO, NEIGHBOUR } from "./apps.ts";
import { publishBody } from "./cold.ts";
import { ask } from "./contender.ts";
import { LIMITS } from "../../sdk/limits.ts";
import { quantile } from "../statistics.ts";
import { publishByApi, startNode } from "./islet.ts";

const PACE_MS = 2;
const CONNECTIONS_MAX = 64;
const ASKERS_PER_BURNER = 2;
const WELL_REQUESTS = 1_000;
/** After a phase, what it left behind ends before the next. */
const REST_MS = 1_500;
/** One more than there are cores. */
export const BURNERS: number = cpus().length + 1;

/** Where a contender serves what: good and bad endpoints may be on ports of their own. */
export interface Street {
  readonly good: Door;
  readonly burners: readonly Door[];
  readonly turncoat: Door;
  /** null: it has no protection at all, and would only be dead afterwards. */
  readonly stuck: Door | null;
  stop(): Promise<void>;
}

export interface Door {
  readonly port: number;
  readonly path: string;
  /** How a burner is told to end by itself where nothing else ends it. */
  readonly query?: string;
}

export interface StreetContender {
  readonly name: string;
  open(): Promise<Street>;
}

const NEIGHBOURS = ["nobody", "burners", "a turncoat", "a stuck builtin"] as const;
/** Until nobody takes them for short ones any more: told apart, or the whole would tell of nothing else. */
const BEGINNING_S = 1;
type Neighbours = (typeof NEIGHBOURS)[number] | "burners that begin";

export interface FairnessRow {
  readonly contender: string;
  readonly neighbours: Neighbours;
  readonly requests: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

interface Sample {
  readonly ms: number[];
  failed: number;
}

interface Extent {
  readonly fairnessRounds: number;
  readonly fairnessSeconds: number;
}

/** How many turns of an empty loop take as long as the CPU time that a request may have. */
export function calibrate(): number {
  let loops = 1_000_000;
  for (;;) {
    const started = performance.now();
    for (let at = 0; at < loops; at++) continue;
    const ms = performance.now() - started;
    if (ms > LIMITS.cpuMs.default / 4) return Math.round((loops * LIMITS.cpuMs.default) / ms);
    loops *= 2;
  }
}

export async function measureFairness(
  contenders: readonly StreetContender[],
  extent: Extent,
): Promise<FairnessRow[]> {
  const rows: FairnessRow[] = [];
  for (const contender of contenders) {
    const samples = await onStreet(contender, extent);
    for (const [neighbours, { ms, failed }] of samples) {
      rows.push({
        contender: contender.name,
        neighbours,
        requests: ms.length,
        failed,
        p50Ms: quantile(ms, 0.5),
        p99Ms: quantile(ms, 0.99),
        maxMs: quantile(ms, 1),
      });
    }
  }
  return rows;
}

async function onStreet(
  contender: StreetContender,
  { fairnessRounds: rounds, fairnessSeconds: seconds }: Extent,
): Promise<Map<Neighbours, Sample>> {
  const samples = new Map<Neighbours, Sample>();
  const street = await contender.open();
  const before = getPriority();
  try {
    prioritise(constants.priority.PRIORITY_HIGHEST);
    await pace(street.good, seconds, { ms: [], failed: 0 });
    for (let round = 0; round < rounds; round++) {
      for (const neighbours of NEIGHBOURS) {
        if (neighbours === "a stuck builtin" && street.stuck === null) continue;
        const stop = new AbortController();
        const bad = misbehave(street, neighbours, stop.signal);
        if (neighbours === "burners") {
          await pace(street.good, BEGINNING_S, sampleOf(samples, "burners that begin"));
        }
        await pace(street.good, seconds, sampleOf(samples, neighbours));
        stop.abort();
        await bad;
        await sleep(REST_MS);
      }
    }
  } finally {
    prioritise(before);
    await street.stop();
  }
  return samples;
}

function sampleOf(samples: Map<Neighbours, Sample>, neighbours: Neighbours): Sample {
  const sample = samples.get(neighbours) ?? { ms: [], failed: 0 };
  samples.set(neighbours, sample);
  return sample;
}

/** Only this thread: what it has started keeps its own. Without the right to it figures include the client's wait. */
function prioritise(priority: number): void {
  try {
    setPriority(priority);
  } catch {
    // Not root.
  }
}

async function pace(door: Door, seconds: number, sample: Sample): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX });
  const call = { path: door.path, body: null };
  const end = performance.now() + seconds * 1_000;
  const open = new Set<Promise<void>>();
  for (let due = performance.now(); due < end; due += PACE_MS) {
    const wait = due - performance.now();
    if (wait > 0) await sleep(wait);
    const one = ask(door.port, call, agent).then(
      ({ status, text, ms }) => {
        if (status === 200 && HELLO.counterOf(text, call) > 0) sample.ms.push(ms);
        else sample.failed++;
      },
      () => void sample.failed++,
    );
    open.add(one);
    void one.finally(() => open.delete(one));
  }
  await Promise.all(open);
  agent.destroy();
}

async function misbehave(street: Street, as: Neighbours, signal: AbortSignal): Promise<void> {
  if (as === "nobody") return;
  if (as === "burners") {
    const doors = street.burners.flatMap((door) => Array<Door>(ASKERS_PER_BURNER).fill(door));
    await Promise.all(doors.map((door) => askUntil(door, burnPath(door), signal)));
  } else if (as === "a stuck builtin" && street.stuck !== null) {
    await askUntil(street.stuck, `${street.stuck.path}/stuck`, signal);
  } else {
    while (!signal.aborted) {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const call = { path: `${street.turncoat.path}/well`, body: null };
      for (let count = 0; count < WELL_REQUESTS && !signal.aborted; count++) {
        await ask(street.turncoat.port, call, agent).catch(() => {});
      }
      await ask(street.turncoat.port, { ...call, path: burnPath(street.turncoat) }, agent).catch(
        () => {},
      );
      agent.destroy();
    }
  }
}

function burnPath({ path, query = "" }: Door): string {
  return `${path}/burn${query}`;
}

async function askUntil(door: Door, path: string, signal: AbortSignal): Promise<void> {
  const call = { path, body: null };
  while (!signal.aborted) await ask(door.port, call).catch(() => sleep(PACE_MS));
}

export function isletStreet(
  name: string,
  folder: string,
  trust: "own" | "untrusted",
): StreetContender {
  let count = 0;
  return {
    name,
    async open() {
      const data = join(folder, `fairness-${trust}-${++count}`);
      const node = await startNode({ data, workers: cpus().length });
      const names = [...Array<unknown>(BURNERS).keys()].map((at) => `burner-${at}`);
      await publishByApi(node, { ...(await publishBody(HELLO, "good", HELLO.route)), trust });
      for (const each of [...names, "turncoat", "stuck"]) {
        const body = await publishBody(NEIGHBOUR, each, `/${each}/*`);
        await publishByApi(node, { ...body, trust: each === "stuck" ? "untrusted" : trust });
      }
      const door = (path: string): Door => ({ port: node.port, path });
      return {
        good: door("/hello"),
        burners: names.map((each) => door(`/${each}`)),
        turncoat: door("/turncoat"),
        stuck: door("/stuck"),
        async stop() {
          await node.stop();
          rmSync(data, { recursive: true, force: true });
        },
      };
    },
  };
}
