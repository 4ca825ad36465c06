// What is asked of a rate limit and what it says, wherever its counts lie.

import type { Algorithm } from "./policies.ts";

export interface LimiterOptions {
  readonly algorithm: Algorithm;
  readonly capacity: number;
  readonly refillPerSec: number;
  readonly windowMs: number;
}

export interface Decision {
  allowed: boolean;
  /** Further requests that would pass now. */
  remaining: number;
  /** Until the limit is as if nobody had asked. */
  resetMs: number;
  /** Until the next request can pass; 0 when this one did. */
  retryMs: number;
}

/** Counts that several nodes share. */
export interface SharedLimits {
  /** As one step over all that share them. Rejects, within the store's time-out, when the counts cannot be reached. */
  take(key: string, options: LimiterOptions): Promise<Decision>;
  /** A place among `max` open ones of the key, to be called once when it is free; null: none is left. Rejects alike. */
  hold(key: string, max: number): Promise<(() => void) | null>;
  /** Waits for what is on its way. */
  close(): Promise<void>;
}
