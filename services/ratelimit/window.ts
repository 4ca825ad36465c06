// What a rate limit knows of one key: how many calls it let through in each of the last slots of time. The slots cover
// the period and the one that has begun before it, so that in no period, wherever it begins, more than the limit get
// through; the price is that a call is forgotten up to one slot late. A key costs the same whatever the limit.
//
//   0   8  when all of it is forgotten, by the wall clock in ms
//   8  4n  calls per slot, the newest last

import type { RateDecision, RateRule } from "../../sdk/services/ratelimit.ts";

/** Of a period: a key that has used its limit up waits a sixteenth longer than need be at most. */
export const SLOTS_PER_PERIOD = 16;
const SLOTS: number = SLOTS_PER_PERIOD + 1;
const COUNTS_AT = 8;
const COUNT_BYTES = 4;

export interface Window {
  /** The start of the slot behind the last that still counts its newest call. */
  readonly endsAtMs: number;
  readonly counts: readonly number[];
}

/** The window as it is now; also where the clock was put back, but for no longer than one period. */
export function windowAt(before: Window | null, { periodMs }: RateRule, nowMs: number): Window {
  const slotMs = periodMs / SLOTS_PER_PERIOD;
  const endsAtMs = (Math.floor(nowMs / slotMs) + SLOTS) * slotMs;
  if (before === null) return { endsAtMs, counts: zeros(SLOTS) };
  const moved = Math.round((endsAtMs - before.endsAtMs) / slotMs);
  if (moved <= 0 && moved > -SLOTS) return before;
  if (moved >= SLOTS || moved < 0) return windowAt(null, { limit: 0, periodMs }, nowMs);
  return { endsAtMs, counts: [...before.counts.slice(moved), ...zeros(moved)] };
}

/** What a call in this window is told. */
export function decide(window: Window, { limit, periodMs }: RateRule, nowMs: number): RateDecision {
  let used = 0;
  for (const count of window.counts) used += count;
  const success = used < limit;
  // A call that gets through is itself in the newest slot.
  const oldest = window.counts.findIndex((count) => count > 0);
  const later = (oldest < 0 ? SLOTS : oldest + 1) - SLOTS;
  const freeAtMs = window.endsAtMs + (later * periodMs) / SLOTS_PER_PERIOD;
  return {
    success,
    remaining: success ? limit - used - 1 : 0,
    resetMs: Math.max(1, Math.ceil(freeAtMs - nowMs)),
  };
}

/** With one more call in its newest slot. */
export function counted({ endsAtMs, counts }: Window): Window {
  return { endsAtMs, counts: counts.with(-1, (counts.at(-1) ?? 0) + 1) };
}

export function packWindow({ endsAtMs, counts }: Window): Buffer {
  const bytes = Buffer.allocUnsafe(COUNTS_AT + SLOTS * COUNT_BYTES);
  bytes.writeDoubleBE(endsAtMs, 0);
  for (let at = 0; at < SLOTS; at++) {
    bytes.writeUInt32BE(counts[at] ?? 0, COUNTS_AT + at * COUNT_BYTES);
  }
  return bytes;
}

export function unpackWindow(bytes: Buffer): Window {
  const counts: number[] = [];
  for (let at = 0; at < SLOTS; at++) {
    counts.push(bytes.readUInt32BE(COUNTS_AT + at * COUNT_BYTES));
  }
  return { endsAtMs: bytes.readDoubleBE(0), counts };
}

function zeros(length: number): number[] {
  return Array.from({ length }, () => 0);
}
