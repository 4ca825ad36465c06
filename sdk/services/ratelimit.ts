// Rate limits of handlers: so many calls in so much time, counted per node, exactly.

import type { Backend } from "./service.ts";

/** In UTF-8; longer keys are nobody's address or user. */
export const RATE_KEY_BYTES_MAX = 1_024;
/** Of one binding: with what finds it a key takes some 200 bytes, and twenty megabytes are enough for one binding. */
export const RATE_KEYS_MAX = 100_000;

export interface RateRule {
  readonly limit: number;
  readonly periodMs: number;
}

export interface RateDecision {
  readonly success: boolean;
  /** How many more would get through now. */
  readonly remaining: number;
  /** Until the oldest call that counts is forgotten, and after a refusal the next gets through. */
  readonly resetMs: number;
}

export interface RateBackend extends Backend {
  /**
   * Counts one call, unless the key has had all that it may: in no period, wherever it begins, more than `limit` get
   * through. Refused calls do not count.
   */
  count(scope: string, key: string, rule: RateRule): RateDecision;
}
