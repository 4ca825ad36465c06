// Requests that wait until fewer of their key are open. Who leaves in this worker lets the first of them in at once;
// for those who leave in another one everybody looks again about ten times a second.

import type { Clock } from "../../clock.ts";
import type { Pass } from "../../pass.ts";
import type { OpenCounts } from "../../shared/open-counts.ts";

export interface Queue {
  /** Of the policy. */
  readonly id: string;
  readonly key: string;
  /** Open at once. */
  readonly max: number;
  readonly queueMax: number;
  readonly timeoutMs: number;
}

interface Entry extends Queue {
  readonly pass: Pass;
  readonly untilMs: number;
  /** True: it has a place, which it has to give back. */
  readonly resolve: (isIn: boolean) => void;
}

export class WaitingRoom {
  readonly #open: OpenCounts;
  readonly #now: Clock;
  /** By key, in the order in which they came. */
  readonly #queues = new Map<string, Entry[]>();
  readonly #sizes = new Map<string, number>();

  constructor(open: OpenCounts, now: Clock) {
    this.#open = open;
    this.#now = now;
  }

  get size(): number {
    let sum = 0;
    for (const size of this.#sizes.values()) sum += size;
    return sum;
  }

  /** False at once: too many wait. */
  wait(pass: Pass, queue: Queue): boolean | Promise<boolean> {
    const { id, key, queueMax, timeoutMs } = queue;
    const size = this.#sizes.get(id) ?? 0;
    if (size >= queueMax) return false;
    this.#sizes.set(id, size + 1);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const entry = { ...queue, pass, untilMs: this.#now() + timeoutMs, resolve };
    const queued = this.#queues.get(key);
    if (queued === undefined) this.#queues.set(key, [entry]);
    else queued.push(entry);
    return promise;
  }

  /** Somebody waits for the key, so whoever comes now comes after. */
  has(key: string): boolean {
    return this.#queues.has(key);
  }

  /** One of the key has left. */
  freed(key: string): void {
    const queue = this.#queues.get(key);
    if (queue !== undefined) this.#admit(key, queue);
  }

  tick(): void {
    const now = this.#now();
    for (const [key, queue] of this.#queues) {
      const kept: Entry[] = [];
      for (const entry of queue) {
        const isOver = now >= entry.untilMs || entry.pass.exchange.state !== "open";
        if (isOver) this.#leave(entry, false);
        else kept.push(entry);
      }
      if (kept.length === 0) {
        this.#queues.delete(key);
      } else {
        this.#queues.set(key, kept);
        this.#admit(key, kept);
      }
    }
  }

  #admit(key: string, queue: Entry[]): void {
    for (;;) {
      const [first] = queue;
      if (first === undefined) {
        this.#queues.delete(key);
        return;
      }
      if (first.pass.exchange.state === "open") {
        if (!this.#open.take(key, first.max)) return;
        this.#leave(first, true);
      } else {
        this.#leave(first, false);
      }
      queue.shift();
    }
  }

  #leave({ id, resolve }: Entry, isIn: boolean): void {
    const size = (this.#sizes.get(id) ?? 1) - 1;
    if (size === 0) this.#sizes.delete(id);
    else this.#sizes.set(id, size);
    resolve(isIn);
  }
}
