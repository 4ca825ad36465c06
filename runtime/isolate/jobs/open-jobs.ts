// The requests that are open in an isolate, by number. Not a Map: one that is added to and deleted from all the time
// leaves a chain of outgrown tables behind, and once the first is old, the garbage collector has to keep all of
// them, with every request they ever held (pauses of 10 to 25 ms under load).
//
// A number is a place in an array and a count, so that one that was used before is not mistaken for the new one.

import { OPEN_MAX } from "../../../sdk/bridge.ts";
import type { Job } from "./job.ts";

/** Numbers stay below 2^30: they also cross in cells of 32 bits. */
const COUNT_MAX: number = 2 ** 20;

export class OpenJobs {
  readonly #jobs: (Job | null)[] = [];
  readonly #free: number[] = [];
  #count = 0;
  #size = 0;

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

  has(id: number): boolean {
    return this.get(id) !== undefined;
  }

  delete(id: number): boolean {
    if (!this.has(id)) return false;
    const place = id % OPEN_MAX;
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
