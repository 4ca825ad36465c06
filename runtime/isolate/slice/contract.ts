// What a slice runner (runner.ts) is given to run, whom it tells, and what all runners of a worker share.

import type { Records } from "../../../sdk/bridge.ts";
import type { Engine } from "../engine.ts";
import type { SliceFault } from "./fault.ts";
import type { Lane, LaneJudge } from "./lane.ts";
import type { Places } from "./places.ts";

export interface PendingRecord {
  /** The exchange's, except for calls and timers, which have numbers of their own. */
  readonly id: number;
  /** The exchange whose code it starts, 0 for none. */
  readonly owner: number;
  readonly op: string;
  /** Made when the batch leaves: what is known only then (a body that came in the same turn) is in it. */
  readonly payload: string | (() => string);
  /** Crosses beside the record; the payload then is its index. */
  readonly buffer: ArrayBuffer | null;
}

export type Death = SliceFault | "wedged" | "broken";

export interface SliceEvents {
  /** One record that a slice has sent, with its bytes. Valid during the call. */
  record(record: Pick<Records, "op" | "id" | "payload">, bytes: ArrayBuffer | null): void;
  /** What it sent are no records. */
  malformed(): void;
  /** This request has used so much CPU time. */
  ran(id: number, cpuUs: number): void;
  /** What the request has left of its CPU time; nothing or less: it is used up. */
  cpuLeftUs(id: number): number;
  /** Where the time of this request went: an error's stack without its message. */
  burned(id: number, frames: string): void;
  /** A promise of one of these requests was rejected with this, and nobody handled it. */
  rejected(ids: readonly number[], reason: unknown): void;
  /** All that was entered has run to its end, and nothing waits to be entered. */
  drained(): void;
  /** This request's code held the slice too long; it must not be answered by the guest any more. */
  culprit(id: number): void;
  /** Cut while promise jobs ran: any unanswered request that had a record in this slice may be to blame. */
  suspects(ids: readonly number[]): void;
  /** A body chunk or a reply to a call was lost with a cut slice. */
  lost(id: number): void;
  /** The isolate is of no use any more. `running`: whose code ran, 0 when unknown. */
  died(death: Death, running: number, ids: readonly number[]): void;
}

/**
 * Is told whose code runs, so that it can be known after this process has died. Once per slice or more often: only
 * plain stores, nearly always.
 */
export interface SliceWitness {
  /** This thread begins to run it, and ends. One at a time. */
  enter(): void;
  leave(): void;
  /** Another thread may run it, until `end`; as often as there are threads. */
  begin(): void;
  end(): void;
}

/** What a runner needs of an isolate. */
export type SliceEngine = Pick<
  Engine,
  "enterInline" | "enterPool" | "probe" | "runNs" | "busy" | "disposed"
>;

/** Shared by all isolates of a worker. */
export interface SliceHost {
  now(): number;
  /** Which part of a pool slice's wall time was CPU time lately, 0 to 1. */
  cpuShare(): number;
  /** Which part of its wall time a slice that starts now can expect to be CPU time. */
  forecast(nowMs: number, lane: Lane): number;
  /** Calls runner.flush() later in this turn of the event loop. */
  schedule(runner: Runner): void;
  /** Runs this in a turn of the event loop of its own; those who ask take turns. */
  later(run: () => void): void;
  /** Of slices on the pool. */
  readonly places: Places;
  /** A short slice runs, or is about to. */
  served(): void;
  /** Calls runner.look() and then runner.check(now) every few milliseconds until unwatch. */
  watch(runner: Runner): void;
  unwatch(runner: Runner): void;
}

/** What the shared host sees of a runner. */
export interface Runner {
  readonly witness: SliceWitness;
  flush(): void;
  look(): number;
  check(now: number): void;
}

export interface RunnerOptions {
  readonly host: SliceHost;
  readonly judge: LaneJudge;
  /** What one request may use in all. */
  readonly cpuMs: number;
  readonly events: SliceEvents;
  readonly witness: SliceWitness;
}
