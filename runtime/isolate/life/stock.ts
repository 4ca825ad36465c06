// Isolates made ahead, from the platform's snapshot, each with its context and nothing of any endpoint: making one
// holds the accepting thread for some milliseconds, which whoever needs one is spared.
//
// What is in here is what every isolate is before its boot: seed, clock, limits and env come with that (load.ts), and
// nothing has run in it. Only of one memory limit, the one that nearly all have. When to make one is told by `look` and
// `taken`; whether there is memory for it is for others to say (worker/housekeeping.ts).

import { createEngine, type Engine, type SharedSnapshot } from "../engine.ts";
import type { SliceHost } from "../slice/contract.ts";
import { Place } from "../slice/places.ts";

/** One for the next that is asked for, one for the next after that while another is made. */
const STOCK_MAX = 2;
/** Of this thread's time. Below it a moment is idle enough to make one although nobody has asked. */
const QUIET_MAX = 0.1;

export interface Blank {
  readonly engine: Engine;
  /** Whose it is from now on. */
  own(onCatastrophic: (message: string) => void): void;
}

export interface Utilization {
  readonly active: number;
  readonly idle: number;
}

export interface StockOptions {
  readonly memoryMb: number;
  /** null: there is none, and nothing is made ahead. */
  readonly snapshot: () => SharedSnapshot | null;
  readonly places: SliceHost["places"];
  /** Of this thread, since the process began: performance.eventLoopUtilization. */
  readonly utilization: () => Utilization;
  /** Of one that nobody has taken. */
  readonly onCatastrophic: (message: string) => void;
}

export class Stock {
  readonly #options: StockOptions;
  readonly #blanks: Blank[] = [];
  #making = false;
  #closed = false;
  /** Held this thread, in all. */
  #spentMs = 0;
  /** At the last look. */
  #last: Utilization;

  constructor(options: StockOptions) {
    this.#options = options;
    this.#last = this.#mark();
  }

  get isolates(): number {
    return this.#blanks.length;
  }

  heapBytes(): number {
    return this.#blanks.reduce((sum, { engine }) => sum + engine.heapBytes(), 0);
  }

  take(memoryMb: number): Blank | null {
    return memoryMb === this.#options.memoryMb ? (this.#blanks.pop() ?? null) : null;
  }

  /** Now and then, when there is memory for one more. Resolves when it is there. */
  async look(): Promise<void> {
    const last = this.#last;
    this.#last = this.#mark();
    if (usage(last, this.#last) < QUIET_MAX) await this.#make();
  }

  /**
   * An isolate was loaded, perhaps from here, and there is memory for one more. However busy this thread is: whoever is
   * loaded next would otherwise take it for as long, and wait for that.
   */
  async loaded(): Promise<void> {
    if (this.#blanks.length > 0) return;
    // Behind the first slice of what was loaded, which then runs meanwhile.
    await new Promise(setImmediate);
    await this.#make();
  }

  /** Memory is short. */
  drop(): void {
    for (const { engine } of this.#blanks.splice(0)) engine.dispose();
  }

  /** No more are made. */
  close(): void {
    this.#closed = true;
    this.drop();
  }

  /** Without what was spent in here, which would keep itself from going on. */
  #mark(): Utilization {
    const { active, idle } = this.#options.utilization();
    return { active: active - this.#spentMs, idle };
  }

  async #make(): Promise<void> {
    if (this.#making || this.#closed || this.#blanks.length >= STOCK_MAX) return;
    this.#making = true;
    const place = new Place(this.#options.places);
    await new Promise<void>((resolve) => place.take("short", resolve));
    try {
      const blank = await this.#blank();
      if (blank === null) return;
      this.#blanks.push(blank);
      if (this.#closed) this.drop();
    } catch {
      // Whoever needs one makes it, and says what is wrong.
      this.#closed = true;
    } finally {
      place.leave();
      this.#making = false;
    }
  }

  async #blank(): Promise<Blank | null> {
    const { memoryMb, snapshot: find } = this.#options;
    const began = performance.now();
    const snapshot = find();
    if (snapshot === null) return null;
    let owner = this.#options.onCatastrophic;
    const making = createEngine({
      memoryMb,
      snapshot,
      onCatastrophic: (message) => owner(message),
    });
    this.#spentMs += performance.now() - began;
    return {
      engine: await making,
      own(onCatastrophic) {
        owner = onCatastrophic;
      },
    };
  }
}

function usage(from: Utilization, to: Utilization): number {
  const active = to.active - from.active;
  const all = active + to.idle - from.idle;
  return all > 0 ? active / all : 1;
}
