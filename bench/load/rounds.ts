// Interleaved rounds: every contender once per round, in a new order each time, so that whatever the machine
// does beside us hits all of them. Everybody stays up and idle meanwhile; what the idle ones used of the CPU is
// part of the result, because it would be noise.

import type { Generator, Load } from "./generator.ts";
import type { App, Call } from "./apps.ts";
import { verify } from "./contender.ts";
import type { Server } from "./contender.ts";
import { cpuOf, memoryOf } from "./processes.ts";
import { shuffled, spread } from "../statistics.ts";
import type { Spread } from "../statistics.ts";

export interface Result {
  readonly contender: string;
  readonly perSecond: Spread;
  readonly p50Us: Spread;
  readonly p99Us: Spread;
  /** CPU time of all its processes per request. */
  readonly cpuUs: Spread;
  /** Highest PSS of all its processes. */
  readonly memoryBytes: number;
  readonly error?: string;
}

export interface ScenarioResult {
  readonly scenario: string;
  readonly connections: number;
  readonly rounds: number;
  readonly seconds: number;
  /** Share of one core that all idle contenders together used while another was measured. */
  readonly idleCores: number;
  readonly results: readonly Result[];
}

export interface Rounds {
  readonly scenario: string;
  readonly app: App;
  readonly call: Call;
  readonly connections: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmSeconds: number;
  readonly endpoints?: number;
}

interface Track {
  readonly server: Server;
  readonly perSecond: number[];
  readonly p50Us: number[];
  readonly p99Us: number[];
  readonly cpuUs: number[];
  memoryBytes: number;
  error: string;
}

const NOTHING: Spread = { median: Number.NaN, min: Number.NaN, max: Number.NaN };

export async function runRounds(
  servers: readonly Server[],
  generator: Generator,
  options: Rounds,
): Promise<ScenarioResult> {
  const tracks: Track[] = servers.map((server) => ({
    server,
    perSecond: [],
    p50Us: [],
    p99Us: [],
    cpuUs: [],
    memoryBytes: 0,
    error: "",
  }));
  let idleSeconds = 0;
  let wallSeconds = 0;
  const load = (track: Track, seconds: number): Load => ({
    port: track.server.port,
    path: options.call.path,
    body: options.call.body,
    connections: options.connections,
    seconds,
    ...(options.endpoints === undefined ? {} : { endpoints: options.endpoints }),
  });
  for (const track of shuffled(tracks)) {
    await attempt(track, async () => {
      await verify(track.server.port, options.app, options.call);
      await generator.measure(load(track, options.warmSeconds));
    });
  }
  for (let round = 0; round < options.rounds; round++) {
    for (const track of shuffled(tracks).filter(({ error }) => error === "")) {
      await attempt(track, async () => {
        const before = tracks.map(({ server }) => cpuOf(server.pid));
        const startedAt = performance.now();
        const measured = await generator.measure(load(track, options.seconds));
        wallSeconds += (performance.now() - startedAt) / 1_000;
        tracks.forEach((other, index) => {
          const used = cpuOf(other.server.pid) - (before[index] ?? 0);
          if (other === track) track.cpuUs.push((used * 1e6) / measured.requests);
          else idleSeconds += Math.max(used, 0);
        });
        track.perSecond.push(measured.perSecond);
        track.p50Us.push(measured.p50Us);
        track.p99Us.push(measured.p99Us);
        track.memoryBytes = Math.max(track.memoryBytes, memoryOf(track.server.pid));
      });
    }
  }
  return {
    scenario: options.scenario,
    connections: options.connections,
    rounds: options.rounds,
    seconds: options.seconds,
    idleCores: wallSeconds === 0 ? 0 : idleSeconds / wallSeconds,
    results: tracks.map(resultOf),
  };
}

async function attempt(track: Track, work: () => Promise<void>): Promise<void> {
  if (track.error !== "") return;
  try {
    await work();
  } catch (error) {
    track.error = error instanceof Error ? error.message : String(error);
  }
}

function resultOf(track: Track): Result {
  const whole = track.error === "" && track.perSecond.length > 0;
  return {
    contender: track.server.name,
    perSecond: whole ? spread(track.perSecond) : NOTHING,
    p50Us: whole ? spread(track.p50Us) : NOTHING,
    p99Us: whole ? spread(track.p99Us) : NOTHING,
    cpuUs: whole ? spread(track.cpuUs) : NOTHING,
    memoryBytes: track.memoryBytes,
    ...(track.error === "" ? {} : { error: track.error }),
  };
}
