// The requests that are open in an isolate, by number. Not a Map: one that is added to and deleted from all the time
// leaves a chain of outgrown tables behind, and once the first is old, the garbage collector has to keep all of
// them, with every request they ever held (pauses of 10 to 25 ms under load).
//
// A number is a place in an array and a count, so that one that was used before is not mistaken for the new one.

import { OPEN_MAX } from "../../../sdk/bridge.ts";
import type { Job } from "./job.ts";

/** Numbers stay below 2^30: they also cross in cells of 32 bits. */
const COUNT_MAX: number = 2 ** 20;
/** Closed jobs that may still have something to say: the few that one or two slices bring. */
export const LATE_MAX = 32;

export class OpenJobs {
  readonly #jobs: (Job | null)[] = [];
  readonly #free: number[] = [];
  #count = 0;
  #size = 0;
  readonly #late: (Job | null)[] = Array.from({ length: LATE_MAX }, () => null);
  #closed = 0;
  #forgotten = 0;

  get size(): number {
    return this.#size;
  }

  /** The number for the next job; `add` must follow. Not when OPEN_MAX are open. */
  nextId(): number {
    this.#count = (this.#count % (COUNT_MAX - 1)) + 1;
    return this.#count * OPEN_MAX + (this.#free.pop() ?? this.#jobs.length);
  }

  add(job: Job): void {
    this.#jobs[job.id % OPEN_MAX] = job;
    this.#size++;
  }

  get(id: number): Job | undefined {
    const job = this.#jobs[id % OPEN_MAX];
    return job?.id === id ? job : undefined;
  }

  /** Also one of those that were closed last. */
  lately(id: number): Job | undefined {
    return this.get(id) ?? this.#late.find((job) => job?.id === id) ?? undefined;
  }

  /** Called every now and then: lets go of closed jobs when none was closed since. */
  forget(): void {
    if (this.#forgotten === this.#closed) this.clearLate();
    this.#forgotten = this.#closed;
  }

  /**
   * Nothing is said any more. Not left to the collector: an isolate's objects are old by then, and what such garbage
   * points to is kept until the next full collection.
   */
  clearLate(): void {
    this.#late.fill(null);
  }

  has(id: number): boolean {
    return this.get(id) !== undefined;
  }

  delete(id: number): boolean {
    const job = this.get(id);
    if (job === undefined) return false;
    const place = id % OPEN_MAX;
    this.#late[this.#closed++ % LATE_MAX] = job;
    this.#jobs[place] = null;
    this.#free.push(place);
    this.#size--;
    return true;
  }

  /** Those that are open now; what happens to them meanwhile does not matter. */
  values(): Job[] {
    return this.#jobs.filter((job) => job !== null);
  }

  keys(): number[] {
    return this.values().map((job) => job.id);
  }
}
