// What all isolates of this worker share, and its part of what all workers of the node share: the long places.

import type { LongSlices } from "../../sdk/node.ts";
import { createSliceHost, type SliceHostHandle } from "../isolate/slice/host.ts";
import { LongPlaces } from "../isolate/slice/long-places.ts";
import { Counted } from "../isolate/slice/places.ts";
import type { WorkerConfig } from "../link/messages.ts";

/** Between two beats: some twenty in a second. Fewer would not notice that the cores are taken. */
export const BRISK_SLICES = 5;

export class WorkerSlices {
  readonly host: SliceHostHandle;
  readonly #long: LongPlaces;
  /** At the last beat. */
  #seen = 0;

  constructor({ short, long }: WorkerConfig["poolSlicesMax"]) {
    this.#long = new LongPlaces(long);
    this.host = createSliceHost({ short: new Counted(short), long: this.#long });
  }

  /** The supervisor gives turns from now on; null: it is gone. */
  follow(tell: ((slices: LongSlices) => void) | null): void {
    this.#long.follow(tell);
  }

  turn(given: boolean): void {
    this.#long.turn(given);
  }

  /**
   * Whether many short slices were served since the beat before. Looks at the machine besides: of what was seen long
   * ago the first slice after a pause learns nothing, and finds none but the threads that woke with it.
   */
  beat(): boolean {
    const { host } = this;
    host.forecast(host.now(), "inline");
    const { shortSlices } = host;
    const isBrisk = shortSlices - this.#seen >= BRISK_SLICES;
    this.#seen = shortSlices;
    return isBrisk;
  }
}
