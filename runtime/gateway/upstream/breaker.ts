// What the workers of a node know together of one server: its circuit breaker and its health. Pure functions on a row
// that all of them share (shared/store.ts); each says whether it changed the row.
//
//   closed ── failures, as below ──► open ── after `openFor` ──► half-open: one request, of one worker
//     ▲                                ▲                              │
//     └─────────── it went well ───────┼──────────────────────────────┤
//                                      └────────── it failed ─────────┘
//
// It opens at `failures` in a row, or when they are a share of the requests of a window, which has ten slots.
//
// Every change of state begins an epoch, and a result counts only in the epoch in which its request began: what was
// under way when a breaker opened neither closes it nor opens it again. The probe's place is a lease, since its worker
// may be killed.

import type { BreakerConfig, FailureRate, HealthConfig } from "../../../sdk/gateway/config.ts";

const FAILURES = 0;
const STATE = 1;
/** Of open: until when. Of half-open: until when the probe has to answer. */
const UNTIL = 2;
const EPOCH = 3;
/** 1: health checks found it down. */
const DOWN = 4;
/** Checks in a row that contradict DOWN. */
const AGAINST = 5;
const NEXT_CHECK = 6;
/** Since when it takes requests again; 0: from the beginning. */
const BACK_SINCE = 7;
/** When the row was written: of a clock that has begun anew since, nothing counts. */
const WRITTEN = 8;

/** Times that it has opened since it was last closed. */
const OPENINGS = 9;
/** Number of the window's newest slot. */
const SLOT = 10;
/** Requests and failures of each slot of the window. */
const WINDOW = 11;
const SLOTS = 10;
const SLOT_WIDTH = 2;

export const SERVER_ROW: number = WINDOW + SLOTS * SLOT_WIDTH;

const CLOSED = 0;
const OPEN = 1;
const HALF_OPEN = 2;

/** Doubling more often is beyond any time that is allowed; and a count has to end. */
const OPENINGS_MAX = 32;
const FAILURES_MAX = 1_000;

/** Two processes read one clock; what is further ahead is of another boot. */
const AHEAD_MS_MAX = 1_000;

export type BreakerState = "closed" | "open" | "half-open";
const NAMES: readonly BreakerState[] = ["closed", "open", "half-open"];

/** First thing after reading. */
export function forgetOtherBoot(row: Float64Array, now: number): void {
  if ((row[WRITTEN] ?? 0) > now + AHEAD_MS_MAX) row.fill(0);
}

export function stateOf(row: Float64Array): BreakerState {
  return NAMES[row[STATE] ?? 0] ?? "closed";
}

export function isDown(row: Float64Array): boolean {
  return row[DOWN] === 1;
}

export function backSince(row: Float64Array): number {
  return row[BACK_SINCE] ?? 0;
}

/** Closed: anybody may send. */
export function isClosed(row: Float64Array): boolean {
  return row[STATE] === CLOSED;
}

/** Nothing has to be written when a request goes well. */
export function isSpotless(row: Float64Array): boolean {
  return row[STATE] === CLOSED && row[FAILURES] === 0;
}

/** A probe may be sent, if `claim` gets it. */
export function isProbeDue(row: Float64Array, now: number): boolean {
  return row[STATE] !== CLOSED && now >= (row[UNTIL] ?? 0);
}

/** Until a probe may be sent; 0 where requests are taken. */
export function waitMs(row: Float64Array, now: number): number {
  return row[STATE] === CLOSED ? 0 : Math.max(0, (row[UNTIL] ?? 0) - now);
}

export function epochOf(row: Float64Array): number {
  return row[EPOCH] ?? 0;
}

/** Takes the one place of half-open. True: it is this request's. */
export function claim(row: Float64Array, now: number, leaseMs: number): boolean {
  if (!isProbeDue(row, now)) return false;
  enter(row, HALF_OPEN, now);
  row[UNTIL] = now + leaseMs;
  return true;
}

export function succeeded(row: Float64Array, epoch: number, now: number): boolean {
  if (row[EPOCH] !== epoch || isSpotless(row) || row[STATE] === OPEN) return false;
  if (row[STATE] === HALF_OPEN) {
    enter(row, CLOSED, now);
    row[OPENINGS] = 0;
    row[BACK_SINCE] = now;
  }
  row[FAILURES] = 0;
  row[WRITTEN] = now;
  return true;
}

export interface FailureContext {
  readonly breaker: BreakerConfig;
  readonly now: number;
  /** Not too many servers are open already. */
  readonly mayOpen: boolean;
  /** Requests that went well and are not counted yet, where a share matters. */
  readonly well: number;
}

/** Requests that went well, for the share of those that did not. */
export function wentWell(row: Float64Array, well: number, now: number, rate: FailureRate): boolean {
  if (row[STATE] !== CLOSED) return false;
  count(row, now, { rate, well, failed: 0 });
  row[WRITTEN] = now;
  return true;
}

export function failed(row: Float64Array, epoch: number, context: FailureContext): boolean {
  const { breaker, now, mayOpen, well } = context;
  if (row[EPOCH] !== epoch || row[STATE] === OPEN) return false;
  const { rate } = breaker;
  const limit = breaker.failures === 0 ? Number.POSITIVE_INFINITY : breaker.failures;
  const failures = Math.min((row[FAILURES] ?? 0) + 1, limit, FAILURES_MAX);
  row[FAILURES] = failures;
  row[WRITTEN] = now;
  const isHalfOpen = row[STATE] === HALF_OPEN;
  if (rate !== null && !isHalfOpen) count(row, now, { rate, well, failed: 1 });
  const isTooMany = failures >= limit || (rate !== null && isAbove(row, rate));
  if (isHalfOpen || (isTooMany && mayOpen)) {
    enter(row, OPEN, now);
    const openings = Math.min((row[OPENINGS] ?? 0) + 1, OPENINGS_MAX);
    row[OPENINGS] = openings;
    row[UNTIL] = now + Math.min(breaker.openForMs * 2 ** (openings - 1), breaker.openForMaxMs);
  }
  return true;
}

/** A probe that came to nothing, because its client left: the next request may be one. */
export function abandoned(row: Float64Array, epoch: number, now: number): boolean {
  if (row[EPOCH] !== epoch || row[STATE] !== HALF_OPEN) return false;
  enter(row, OPEN, now);
  row[UNTIL] = now;
  return true;
}

/** Takes a health check that is due, so that one worker makes it for all. */
export function claimCheck(row: Float64Array, now: number, everyMs: number): boolean {
  if (!isCheckDue(row, now)) return false;
  row[NEXT_CHECK] = now + everyMs;
  row[WRITTEN] = now;
  return true;
}

export function isCheckDue(row: Float64Array, now: number): boolean {
  return now >= (row[NEXT_CHECK] ?? 0);
}

/** A check's result. True: written, as every result is that is not what everybody expects. */
export function checked(
  row: Float64Array,
  isWell: boolean,
  { health, now }: { readonly health: HealthConfig; readonly now: number },
): boolean {
  const down = row[DOWN] === 1;
  if (isWell !== down) {
    if (row[AGAINST] === 0) return false;
    row[AGAINST] = 0;
  } else {
    row[AGAINST] = (row[AGAINST] ?? 0) + 1;
    if ((row[AGAINST] ?? 0) >= (down ? health.healthyAfter : health.unhealthyAfter)) {
      row[AGAINST] = 0;
      row[DOWN] = down ? 0 : 1;
      if (down) row[BACK_SINCE] = now;
    }
  }
  row[WRITTEN] = now;
  return true;
}

function enter(row: Float64Array, state: number, now: number): void {
  row[STATE] = state;
  row[FAILURES] = 0;
  row[EPOCH] = (row[EPOCH] ?? 0) + 1;
  row[WRITTEN] = now;
  row.fill(0, WINDOW);
}

interface Results {
  readonly rate: FailureRate;
  readonly well: number;
  readonly failed: number;
}

/** In the slot of now, when those that have left the window were emptied. */
function count(row: Float64Array, now: number, { rate, well, failed: failures }: Results): void {
  const slot = Math.floor(now / (rate.windowMs / SLOTS));
  const last = row[SLOT] ?? 0;
  const isOther = slot < last || slot - last >= SLOTS;
  for (let stale = isOther ? slot - SLOTS + 1 : last + 1; stale <= slot; stale++) {
    row.fill(0, placeOf(stale), placeOf(stale) + SLOT_WIDTH);
  }
  row[SLOT] = slot;
  const at = placeOf(slot);
  row[at] = (row[at] ?? 0) + well + failures;
  row[at + 1] = (row[at + 1] ?? 0) + failures;
}

function placeOf(slot: number): number {
  return WINDOW + (slot % SLOTS) * SLOT_WIDTH;
}

function isAbove(row: Float64Array, { share, minimum }: FailureRate): boolean {
  let all = 0;
  let failures = 0;
  for (let at = WINDOW; at < SERVER_ROW; at += SLOT_WIDTH) {
    all += row[at] ?? 0;
    failures += row[at + 1] ?? 0;
  }
  return all >= minimum && failures >= share * all;
}
