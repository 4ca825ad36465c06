// Rate limits of handlers: so many in so much time, counted per node, exactly.

import type { Backend } from "./service.ts";

/** In UTF-8; longer keys are nobody's address or user. */
export const RATE_KEY_BYTES_MAX = 1_024;
/** Of one binding: a counter is a hundred bytes, and ten megabytes are enough for one. */
export const RATE_KEYS_MAX = 100_000;

export interface RateRule {
  readonly limit: number;
  readonly periodMs: number;
}

export interface RateDecision {
  readonly success: boolean;
  /** In this window. */
  readonly remaining: number;
  /** Until the next one. */
  readonly resetMs: number;
}

export interface RateBackend extends Backend {
  /**
   * Counts one. A key's window begins with its first call and lasts for the period; then the next call begins another.
   */
  count(scope: string, key: string, rule: RateRule): RateDecision;
}
