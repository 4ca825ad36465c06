// How far this worker's event loop lags behind: how late a timer fires, as a mean, so that one long turn is no
// overload.

import type { Clock } from "../../clock.ts";

export const SAMPLE_MS = 50;
/** Weight of the newest: a second of lag is told after a few samples, and forgotten after a second. */
const NEWEST = 0.3;

export class LagMeter {
  readonly #now: Clock;
  readonly #timer: NodeJS.Timeout;
  #dueMs: number;
  #lagMs = 0;

  constructor(now: Clock) {
    this.#now = now;
    this.#dueMs = now() + SAMPLE_MS;
    this.#timer = setInterval(() => this.sample(), SAMPLE_MS);
    this.#timer.unref();
  }

  get lagMs(): number {
    return this.#lagMs;
  }

  sample(): void {
    const now = this.#now();
    this.#lagMs += NEWEST * (Math.max(0, now - this.#dueMs) - this.#lagMs);
    this.#dueMs = now + SAMPLE_MS;
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
