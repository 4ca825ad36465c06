// How many subrequests each exchange has begun, and how many of an isolate are on their way at once.

/** Exchanges whose counters are kept; far more than an isolate has open at once. */
const OWNERS_MAX = 4_096;

/** Counts subrequests per exchange. Each redirect that is followed counts as one more, as in workerd. */
export class SubrequestBudget {
  readonly max: number;
  readonly #used = new Map<number, number>();
  /** Is the newest in the map. */
  #last = 0;

  constructor(max: number) {
    this.max = max;
  }

  /** False when the exchange has none left. */
  take(owner: number): boolean {
    const used = this.#used.get(owner) ?? 0;
    if (used >= this.max) return false;
    // Background work may begin subrequests after its exchange was forgotten, so the map is bounded by age.
    if (owner !== this.#last) this.#used.delete(owner);
    this.#used.set(owner, used + 1);
    this.#last = owner;
    if (this.#used.size > OWNERS_MAX) {
      for (const oldest of this.#used.keys()) {
        this.#used.delete(oldest);
        break;
      }
    }
    return true;
  }

  forget(owner: number): void {
    this.#used.delete(owner);
  }
}

export interface Job {
  /** The exchange that is charged. */
  readonly owner: number;
  start(): void;
}

export interface GateOptions {
  readonly runningMax: number;
  /** Of one exchange. */
  readonly runningPerOwnerMax: number;
  readonly waitingMax: number;
}

/** Lets so many jobs run at once; the others wait in order, and only so many of them. */
export class Gate {
  readonly #options: GateOptions;
  readonly #running = new Set<Job>();
  readonly #runningOf = new Map<number, number>();
  readonly #waiting = new Set<Job>();

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** False when too many wait. */
  enter(job: Job): boolean {
    if (this.#hasRoom(job)) {
      this.#start(job);
      return true;
    }
    if (this.#waiting.size >= this.#options.waitingMax) return false;
    this.#waiting.add(job);
    return true;
  }

  /** The job needs its place no more, or never will. Idempotent. */
  leave(job: Job): void {
    this.#waiting.delete(job);
    if (!this.#running.delete(job)) return;
    const left = this.#count(job.owner) - 1;
    if (left === 0) this.#runningOf.delete(job.owner);
    else this.#runningOf.set(job.owner, left);
    for (const next of this.#waiting) {
      if (!this.#hasRoom(next)) continue;
      this.#waiting.delete(next);
      this.#start(next);
      return;
    }
  }

  #count(owner: number): number {
    return this.#runningOf.get(owner) ?? 0;
  }

  #hasRoom({ owner }: Job): boolean {
    const { runningMax, runningPerOwnerMax } = this.#options;
    return this.#running.size < runningMax && this.#count(owner) < runningPerOwnerMax;
  }

  #start(job: Job): void {
    this.#running.add(job);
    this.#runningOf.set(job.owner, this.#count(job.owner) + 1);
    job.start();
  }
}
