// How long calls took: counts in buckets, as Prometheus wants them.

/** Milliseconds; a cache on the same machine answers within the first, a query without an index in the last. */
export const LATENCY_BOUNDS_MS: readonly number[] = [
  0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000,
];

export class LatencyHistogram {
  /** One more than bounds: the last takes what is longer than all of them. */
  readonly counts: number[] = [...LATENCY_BOUNDS_MS, 0].map(() => 0);
  sumMs = 0;

  add(ms: number): void {
    const at = LATENCY_BOUNDS_MS.findIndex((bound) => ms <= bound);
    const bucket = at < 0 ? LATENCY_BOUNDS_MS.length : at;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.sumMs += ms;
  }
}
