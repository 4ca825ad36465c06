// Which thread a generation's slices run on. Inline (the accepting thread) is cheapest but holds every other
// connection of the worker while it runs, so it has to be earned by a run of short slices and is lost by a long
// one, for exponentially longer each time. Pool is for everybody else. Pure: time is an argument.
//
// Slices are judged by their CPU time, since a busy machine stretches the wall clock. A long one may be the garbage
// collector's, and with one request at a time even its shortest stops make a slice long: so what is over the limit is
// added up against what every slice may be over on average.

import { LIMITS } from "../../../sdk/limits.ts";
import type { Pace } from "./places.ts";
import type { Trust } from "../../../sdk/records.ts";

/** A record (one request, one reply to a call …) may cost this much inline: well under a millisecond. */
export const INLINE_RECORD_US_MAX = 500;
/** A slice this long loses the lane at once: no collection of a healthy heap takes so long. */
export const INLINE_SLICE_US_MAX = 20_000;
/** Short slices in a row that earn the inline lane: enough to have seen the compiled code, not only start-up. */
export const EARN_SLICES = 20;
/** What a long pool slice costs of what was earned: a handler that is slow every tenth time never gets there. */
export const LONG_SLICE_COST = 10;
/** By how much inline records may be over their limit on average: short collections stay below it. */
export const INLINE_EXCESS_US = 20;
/** More than that in debt loses the lane. One slice, as one long collection, counts for so much at most. */
export const INLINE_DEBT_US_MAX: number = 200 * INLINE_EXCESS_US;
/** First stay in the pool after losing the lane; doubles each time, and is halved by each such time without a loss. */
export const PENALTY_MS_FIRST = 1_000;
/**
 * A slice that held the thread for long keeps off it so many times as long: what waited meanwhile is then a third of
 * the hundredth of the requests by which a neighbour's p99 is told.
 */
export const HELD_FACTOR = 300;
/** How long a slice that was cut is taken to have held its thread: a request's CPU time, as it is by default. */
export const CUT_MS: number = LIMITS.cpuMs.default;
/** An hour: a handler that is slow once a day does not need to prove itself for a week. */
export const PENALTY_MS_MAX = 3_600_000;
/** Time one inline slice should take at most, whatever the batch: two ticks of a busy event loop. */
const INLINE_SLICE_US = 2_000;
/** Time one pool slice should take at most: others wait for its place. */
const POOL_SLICE_US = 5_000;
/** Records that take longer than that on average, each of them a slice, are not for the places of short slices. */
export const SHORT_RECORD_US_MAX: number = POOL_SLICE_US;
/** How long the next record is taken to be after a slice was cut. */
const CUT_RECORD_US = 20_000;
export const BATCH_MAX = 256;
/** Weight of the newest slice in the moving average. */
const SMOOTHING = 0.1;

export type Lane = "inline" | "pool";

export interface SliceTime {
  readonly lane: Lane;
  readonly cpuUs: number;
  readonly records: number;
}

export interface LaneJudge {
  lane(nowMs: number): Lane;
  /** How many records the next slice may hold. */
  batchMax(lane: Lane): number;
  /** What the next slice on the pool is to be expected to be. */
  pace(): Pace;
  /** A slice ended by itself. */
  ended(nowMs: number, slice: SliceTime): void;
  /** A slice was cut off. */
  cut(nowMs: number): void;
  /** How often that was. */
  readonly cuts: number;
}

export function createLaneJudge(trust: Trust): LaneJudge {
  let earned = 0;
  let averageUs = INLINE_RECORD_US_MAX;
  let debtUs = 0;
  let penaltyMs = PENALTY_MS_FIRST;
  let barredUntilMs = 0;
  let cuts = 0;

  function lose(nowMs: number, heldMs: number): void {
    const halvings = Math.floor(Math.max(0, nowMs - barredUntilMs) / penaltyMs);
    penaltyMs = Math.max(penaltyMs / 2 ** halvings, PENALTY_MS_FIRST);
    penaltyMs = Math.min(Math.max(penaltyMs, heldMs * HELD_FACTOR), PENALTY_MS_MAX);
    barredUntilMs = nowMs + penaltyMs;
    penaltyMs = Math.min(penaltyMs * 2, PENALTY_MS_MAX);
    earned = 0;
    debtUs = 0;
  }

  function endedInline(nowMs: number, { cpuUs, records }: SliceTime): void {
    const excessUs = cpuUs - INLINE_RECORD_US_MAX * records;
    debtUs += Math.min(Math.max(excessUs, 0), INLINE_DEBT_US_MAX);
    if (excessUs > 0 && cpuUs > INLINE_SLICE_US_MAX) lose(nowMs, cpuUs / 1_000);
    else if (debtUs > INLINE_DEBT_US_MAX) lose(nowMs, 0);
    else debtUs = Math.max(0, debtUs - INLINE_EXCESS_US * records);
  }

  return {
    lane(nowMs) {
      if (trust !== "own" || earned < EARN_SLICES || nowMs < barredUntilMs) return "pool";
      return "inline";
    },
    batchMax(lane) {
      const budgetUs = lane === "inline" ? INLINE_SLICE_US : POOL_SLICE_US;
      return Math.min(BATCH_MAX, Math.max(1, Math.floor(budgetUs / Math.max(averageUs, 1))));
    },
    pace: () => (averageUs > SHORT_RECORD_US_MAX ? "long" : "short"),
    ended(nowMs, slice) {
      const eachUs = slice.cpuUs / Math.max(slice.records, 1);
      averageUs += (eachUs - averageUs) * SMOOTHING;
      if (slice.lane === "inline") endedInline(nowMs, slice);
      else if (nowMs < barredUntilMs) return;
      else if (eachUs <= INLINE_RECORD_US_MAX) earned = Math.min(earned + 1, EARN_SLICES);
      else earned = Math.max(0, earned - LONG_SLICE_COST);
    },
    cut(nowMs) {
      cuts++;
      averageUs = Math.max(averageUs, CUT_RECORD_US);
      lose(nowMs, CUT_MS);
    },
    get cuts() {
      return cuts;
    },
  };
}
