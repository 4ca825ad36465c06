// The long places of all workers of a node are one number, kept by the supervisor: as many threads may burn as there
// are cores, and one fewer while others are served, so that there is a core for these (decisions/018-fairness.md). A
// worker tells how many of its long slices run and wait, and is given turns. Where nobody gives any, it has a number
// of its own.

import type { LongSlices } from "../../../sdk/node.ts";
import type { PaceQueue } from "./places.ts";

/** A supervisor that does not answer within this is busy or dead. Long slices take tens of milliseconds each. */
export const ANSWER_MS_MAX = 250;

type Schedule = (run: () => void, ms: number) => () => void;

export class LongPlaces implements PaceQueue {
  readonly #most: number;
  readonly #schedule: Schedule;
  /** null: nobody is there who gives turns. */
  #tell: ((slices: LongSlices) => void) | null = null;
  #running = 0;
  #turns = 0;
  readonly #waiting: (() => void)[] = [];
  #unanswered: (() => void) | null = null;
  #due = false;

  /** `most`: how many run at once where nobody gives turns. `schedule` answers with what calls it off. */
  constructor(most: number, schedule: Schedule = later) {
    this.#most = most;
    this.#schedule = schedule;
  }

  take(start: () => void): void {
    this.#waiting.push(start);
    this.#changed();
  }

  occupy(): void {
    this.#running++;
    this.#changed();
  }

  leave(): void {
    this.#running--;
    this.#changed();
  }

  /** From now on turns come from there; null: they do not any more. */
  follow(tell: ((slices: LongSlices) => void) | null): void {
    this.#tell = tell;
    this.#answered();
    if (tell === null) this.#startOwn();
    else if (this.#running > 0 || this.#waiting.length > 0) this.#changed();
  }

  /** `given`: one of those that wait may start. Otherwise it is for later. */
  turn(given: boolean): void {
    this.#answered();
    if (!given) return;
    this.#turns++;
    this.#startNext();
    this.#changed();
  }

  /** What happens in one turn of the event loop is told once. */
  #changed(): void {
    if (this.#tell === null) {
      this.#startOwn();
    } else if (!this.#due) {
      this.#due = true;
      queueMicrotask(() => this.#report());
    }
  }

  #report(): void {
    this.#due = false;
    const waiting = this.#waiting.length;
    this.#tell?.({ running: this.#running, waiting, turns: this.#turns });
    if (waiting > 0) this.#unanswered ??= this.#schedule(() => this.#unheard(), ANSWER_MS_MAX);
  }

  #unheard(): void {
    this.#unanswered = null;
    this.#startOwn();
    if (this.#waiting.length > 0) this.#changed();
  }

  #answered(): void {
    this.#unanswered?.();
    this.#unanswered = null;
  }

  #startOwn(): void {
    while (this.#running < this.#most && this.#startNext());
  }

  #startNext(): boolean {
    const start = this.#waiting.shift();
    if (start === undefined) return false;
    this.#running++;
    start();
    return true;
  }
}

function later(run: () => void, ms: number): () => void {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
}
