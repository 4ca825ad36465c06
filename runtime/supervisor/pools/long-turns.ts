// Who may run a long slice next: all workers of the node share as many places as it has cores, and one fewer while
// somebody is served who does not hold a core for long (decisions/018-fairness.md). Workers tell what runs and waits
// (runtime/isolate/slice/long-places.ts), and those that wait are given turns, each in its turn.

import type { LongSlices } from "../../../sdk/node.ts";

/** A worker, as far as this is concerned. */
export interface TurnTaker {
  readonly state: string;
  send(message: { readonly type: "turn"; readonly given: boolean }): void;
}

interface Standing {
  slices: LongSlices;
  /** Turns it has been given, those on their way included. */
  given: number;
  brisk: boolean;
}

const NONE: LongSlices = { running: 0, waiting: 0, turns: 0 };

export class LongTurns<Worker extends TurnTaker> {
  readonly #cores: number;
  /** Who was given a turn last is last. */
  readonly #standings = new Map<Worker, Standing>();

  constructor(cores: number) {
    this.#cores = cores;
  }

  told(worker: Worker, slices: LongSlices): void {
    // What it said last may be read after its end.
    if (worker.state === "gone") return;
    const standing = this.#standings.get(worker) ?? { slices, given: slices.turns, brisk: false };
    standing.slices = slices;
    this.#standings.set(worker, standing);
    const { given } = standing;
    this.#give();
    if (slices.waiting > 0 && standing.given === given) worker.send({ type: "turn", given: false });
  }

  /** Whether it has served many short slices lately. */
  beat(worker: Worker, brisk: boolean): void {
    if (worker.state === "gone") return;
    const standing = this.#standings.get(worker);
    if (standing === undefined && !brisk) return;
    const { slices, given } = standing ?? { slices: NONE, given: 0 };
    this.#standings.set(worker, { slices, given, brisk });
    this.#give();
  }

  gone(worker: Worker): void {
    this.#standings.delete(worker);
    this.#give();
  }

  #give(): void {
    let free = this.#most() - this.#taken();
    for (const [worker, standing] of Array.from(this.#standings)) {
      const { slices } = standing;
      if (free <= 0) return;
      if (slices.waiting <= standing.given - slices.turns) continue;
      free--;
      standing.given++;
      this.#standings.delete(worker);
      this.#standings.set(worker, standing);
      worker.send({ type: "turn", given: true });
    }
  }

  #most(): number {
    const someBrisk = [...this.#standings.values()].some(({ brisk }) => brisk);
    return Math.max(1, someBrisk ? this.#cores - 1 : this.#cores);
  }

  #taken(): number {
    let taken = 0;
    for (const { slices, given } of this.#standings.values()) {
      taken += slices.running + given - slices.turns;
    }
    return taken;
  }
}
