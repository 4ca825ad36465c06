// The algorithms of rate limits, on a cell of four doubles that all workers share. Pure: a decision reads and writes
// the cell it is given. A refused request leaves it as it was, so that asking again and again makes nothing worse.
// services/ratelimit/redis.ts says the same in Lua: what changes here changes there.

import type { Decision, LimiterOptions } from "../../../../sdk/gateway/limits.ts";

/** What the doubles of a cell mean is the algorithm's affair, but for the last: when it was written. */
export const CELL = 4;
const TIME = 3;

const MS = 1_000;

/** `at`: where the cell begins; `fresh`: nothing is known of the key. */
export type Decide = (cells: Float64Array, at: number, fresh: boolean, now: number) => Decision;

export function createLimiter(options: LimiterOptions): Decide {
  const decide = algorithmOf(options);
  return (cells, at, fresh, now) => {
    const decision = decide(cells, at, fresh, now);
    if (decision.allowed) cells[at + TIME] = now;
    return decision;
  };
}

function algorithmOf(options: LimiterOptions): Decide {
  switch (options.algorithm) {
    case "token-bucket":
      return tokenBucket(options);
    case "fixed-window":
      return fixedWindow(options);
    case "sliding-window":
      return slidingWindow(options);
    case "gcra":
      return gcra(options);
  }
}

/** Tokens. A new key's bucket is full. */
function tokenBucket({ capacity, refillPerSec }: LimiterOptions): Decide {
  const perMs = refillPerSec / MS;
  return (cells, at, fresh, now) => {
    const since = now - (cells[at + TIME] ?? 0);
    const stored = fresh ? capacity : (cells[at] ?? 0) + Math.max(0, since) * perMs;
    const tokens = Math.min(capacity, stored);
    // What sums of fractions lose must not refuse the request that is due.
    const allowed = tokens >= 1 - 1e-9;
    const left = allowed ? Math.max(0, tokens - 1) : tokens;
    if (allowed) cells[at] = left;
    return {
      allowed,
      remaining: Math.floor(left + 1e-9),
      resetMs: (capacity - left) / perMs,
      retryMs: allowed ? 0 : capacity < 1 ? Number.POSITIVE_INFINITY : (1 - left) / perMs,
    };
  };
}

/** Requests of the window, number of the window. Twice as many can pass around the end of one. */
function fixedWindow({ capacity, windowMs }: LimiterOptions): Decide {
  return (cells, at, fresh, now) => {
    const window = Math.floor(now / windowMs);
    const used = fresh || cells[at + 1] !== window ? 0 : (cells[at] ?? 0);
    const allowed = used < capacity;
    const resetMs = (window + 1) * windowMs - now;
    if (allowed) {
      cells[at] = used + 1;
      cells[at + 1] = window;
    }
    const remaining = Math.max(0, capacity - used - (allowed ? 1 : 0));
    return { allowed, remaining, resetMs, retryMs: allowed ? 0 : resetMs };
  };
}

/** Requests of the window, its number, requests of the one before: they count by the share that is still in view. */
function slidingWindow({ capacity, windowMs }: LimiterOptions): Decide {
  return (cells, at, fresh, now) => {
    const window = Math.floor(now / windowMs);
    const last = fresh ? Number.NEGATIVE_INFINITY : (cells[at + 1] ?? 0);
    const current = last === window ? (cells[at] ?? 0) : 0;
    const before =
      last === window ? (cells[at + 2] ?? 0) : last === window - 1 ? (cells[at] ?? 0) : 0;
    const passed = now / windowMs - window;
    const used = before * (1 - passed) + current;
    const allowed = used + 1 <= capacity + 1e-9;
    if (allowed) {
      cells[at] = current + 1;
      cells[at + 1] = window;
      cells[at + 2] = before;
    }
    const resetMs = (window + (current > 0 || allowed ? 2 : 1)) * windowMs - now;
    const after = allowed ? used + 1 : used;
    return {
      allowed,
      remaining: Math.max(0, Math.floor(capacity - after + 1e-9)),
      resetMs,
      retryMs: allowed ? 0 : slidingWaitMs({ current, before, passed, capacity }) * windowMs,
    };
  };
}

/** In windows, from now. */
function slidingWaitMs(state: {
  readonly current: number;
  readonly before: number;
  readonly passed: number;
  readonly capacity: number;
}): number {
  const { current, before, passed, capacity } = state;
  const room = capacity - 1;
  if (room < 0) return Number.POSITIVE_INFINITY;
  // Within this window the one before leaves; else in the next, when this one leaves.
  if (current <= room && before > 0) return Math.max(0, 1 - (room - current) / before - passed);
  return 1 - passed + Math.max(0, 1 - room / Math.max(1, current));
}

/** The time at which the next request would be on time; `capacity` at once are early enough. */
function gcra({ capacity, refillPerSec }: LimiterOptions): Decide {
  const intervalMs = MS / refillPerSec;
  const toleranceMs = (capacity - 1) * intervalMs;
  return (cells, at, fresh, now) => {
    const due = fresh ? now : Math.max(now, cells[at] ?? 0);
    const earlyMs = due - now;
    const allowed = capacity > 0 && earlyMs <= toleranceMs + 1e-6;
    const next = allowed ? due + intervalMs : due;
    if (allowed) cells[at] = next;
    return {
      allowed,
      remaining: Math.max(
        0,
        Math.floor((toleranceMs + intervalMs - (next - now)) / intervalMs + 1e-9),
      ),
      resetMs: next - now,
      retryMs: allowed ? 0 : capacity > 0 ? earlyMs - toleranceMs : Number.POSITIVE_INFINITY,
    };
  };
}
