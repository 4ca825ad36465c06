// How long the engine lets a slice run. It counts the wall clock, so what is left of CPU time is translated: on a busy
// machine that takes longer. Pure.

import type { PendingRecord, SliceEvents } from "./contract.ts";

/**
 * A slice gets this much more time than it is foretold to need, so that it is not cut for the sake of others. What used
 * up its limit without being cut fails all the same.
 */
const SLACK = 1.25;
/** A busy machine stretches a time-out so many times at most, … */
const STRETCH_MAX = 10;
/** … and by so much. */
const STRETCH_MORE_MS = 10_000;
/** Part of a time-out after which a slice counts as cut: less SLACK. The engine's two clocks do not quite agree. */
const CUT_PART: number = 1 / SLACK;

/** How long after its time-out a silent pool slice is looked at: the engine's own comes first. */
export const CUT_GRACE_MS = 25;
/** Time-out of a probe. */
export const PROBE_MS = 1_000;
/** Who is not back so long after its end is in a builtin that nothing stops: the thread is lost, and its worker. */
export const WEDGE_MS = 2_000;

/** What one look counts for at most, although it comes later. */
const LOOK_MS_MAX = 50;

/**
 * With a thread that may be lost. Counted in looks and not by the clock: while this process stood still, or this thread
 * was held, nobody's coming back could be seen.
 */
export class Patience {
  #leftMs: number;
  #lookedMs: number;

  constructor(ms: number, nowMs: number) {
    this.#leftMs = ms;
    this.#lookedMs = nowMs;
  }

  /** Asked with each look. */
  isOver(nowMs: number): boolean {
    this.#leftMs -= Math.min(nowMs - this.#lookedMs, LOOK_MS_MAX);
    this.#lookedMs = nowMs;
    return this.#leftMs < 0;
  }
}

/** `share`: the part of its wall time that will be CPU time. */
export function timeoutFor(leftMs: number, share: number): number {
  const stretch = Math.min(SLACK / share, STRETCH_MAX);
  return Math.ceil(Math.min(leftMs * stretch, leftMs + STRETCH_MORE_MS));
}

export function isCut(ranNs: bigint, timeoutMs: number): boolean {
  return Number(ranNs) >= timeoutMs * 1e6 * CUT_PART;
}

/** The most that any request of the batch has left of its CPU time: its code may come to run in this slice. */
export function leftMsOf(
  batch: readonly PendingRecord[],
  cpuMs: number,
  events: Pick<SliceEvents, "cpuLeftUs">,
): number {
  let leftUs = 0;
  for (const { owner } of batch) {
    if (owner === 0) return cpuMs;
    leftUs = Math.max(leftUs, events.cpuLeftUs(owner));
  }
  return leftUs <= 0 ? cpuMs : leftUs / 1_000;
}
