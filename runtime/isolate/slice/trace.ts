// Where slices were when they were cut, and what their promises were rejected with. Only some are traced on the pool,
// unless the guest listens to the latter: each costs a promise of the engine's.

import { CELL } from "../../../sdk/bridge.ts";
import type { SliceTrace } from "./fault.ts";

/** So many slices after the start of an isolate, or after a cut. */
const TRACED_SLICES = 1_000;

export class Tracer {
  readonly #onRejected: (ids: readonly number[], reason: unknown) => void;
  readonly #cell: Int32Array;
  #left = TRACED_SLICES;
  /** Of the slice that was cut last. */
  frames = "";
  cutSlice = 0;

  constructor(cell: Int32Array, onRejected: (ids: readonly number[], reason: unknown) => void) {
    this.#cell = cell;
    this.#onRejected = onRejected;
  }

  get on(): boolean {
    return this.#left >= 0;
  }

  /** `ids`: whose code runs. */
  begin(slice: number, ids: () => readonly number[]): SliceTrace | null {
    if (--this.#left < 0 && this.#cell[CELL.LISTENS] !== 1) return null;
    const owners = ids();
    return {
      cut: (frames) => {
        this.cutSlice = slice;
        this.frames = frames;
      },
      rejected: (reason) => this.#onRejected(owners, reason),
    };
  }

  /** After a cut: hands out its frames, once. */
  renew(): string {
    const { frames } = this;
    this.frames = "";
    this.#left = TRACED_SLICES;
    return frames;
  }
}
