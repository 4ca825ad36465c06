// A pool slice that has reported but may still run promise jobs.

import type { PendingRecord, SliceEngine } from "./contract.ts";
import { isCut } from "./time-out.ts";

export interface Trailing {
  readonly slice: number;
  /** The engine tells when it cuts it. */
  readonly traced: boolean;
  /** Running time when it started. */
  readonly sinceNs: bigint;
  readonly timeoutMs: number;
  readonly batch: readonly PendingRecord[];
}

/** `cutSlice`: the last that the engine told of. `runNs`: up to when; of one that is not traced it has to tell. */
export function wasCut(trailing: Trailing, cutSlice: number, runNs: bigint): boolean {
  const { slice, traced, sinceNs, timeoutMs } = trailing;
  return traced ? cutSlice === slice : isCut(runNs - sinceNs, timeoutMs);
}

/** Its thread has left the isolate, and not because it was cut: that would have taken the time. */
export function hasEnded(
  { sinceNs, timeoutMs }: Trailing,
  engine: Pick<SliceEngine, "busy" | "runNs">,
): boolean {
  return !engine.busy && !isCut(engine.runNs() - sinceNs, timeoutMs);
}
