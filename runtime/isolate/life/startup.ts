// What runs in an isolate before its first slice (the context, the platform, the author's top level) runs on threads of
// the pool, since it may turn bad although it was checked. As with a slice it has a place among those that run at
// once, is witnessed, and a thread that does not come back costs the worker.

import { EdgeError } from "../../../sdk/errors.ts";
import type { SliceHost, SliceWitness } from "../slice/contract.ts";
import { Place, SHORT_MS_MAX } from "../slice/places.ts";
import { timeoutFor, WEDGE_MS } from "../slice/time-out.ts";

/** How often it is looked at. Looks count, not the clock: while this process stood still nobody could come back. */
const LOOK_MS: number = SHORT_MS_MAX;

export interface StartupOptions {
  readonly host: Pick<SliceHost, "now" | "forecast" | "places">;
  readonly witness: SliceWitness;
  readonly onWedged: () => void;
}

export class Startup {
  readonly #host: StartupOptions["host"];
  readonly #witness: SliceWitness;
  readonly #onWedged: () => void;
  readonly #place: Place;
  readonly #lost: PromiseWithResolvers<never> = Promise.withResolvers<never>();
  #timer: NodeJS.Timeout | null = null;
  #running = 0;
  /** For what runs, and what was asked for while it did. */
  #leftMs = Number.POSITIVE_INFINITY;
  #wedged = false;

  constructor({ host, witness, onWedged }: StartupOptions) {
    this.#host = host;
    this.#witness = witness;
    this.#onWedged = onWedged;
    this.#place = new Place(host.places);
  }

  /** Its thread was lost: nothing may touch the isolate any more. */
  get wedged(): boolean {
    return this.#wedged;
  }

  /** Resolves when there is a place for it; `end` must follow. */
  async begin(): Promise<void> {
    await new Promise<void>((resolve) => this.#place.take("short", resolve));
    this.#witness.begin();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  /** `work` is given the time-out that it hands on to the engine; it rejects when the engine does not keep to that. */
  async run<T>(cpuMs: number, work: (timeoutMs: number) => Promise<T>): Promise<T> {
    const timeoutMs = timeoutFor(cpuMs, this.#host.forecast(this.#host.now(), "pool"));
    this.#leftMs = (this.#running === 0 ? 0 : this.#leftMs) + timeoutMs + WEDGE_MS;
    this.#running++;
    try {
      return await Promise.race([work(timeoutMs), this.#lost.promise]);
    } finally {
      this.#running--;
    }
  }

  end(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#place.leave();
    this.#witness.end();
  }

  #look(): void {
    this.#place.stay();
    this.#leftMs -= LOOK_MS;
    if (this.#leftMs > 0 || this.#wedged) return;
    this.#wedged = true;
    this.#onWedged();
    this.#lost.reject(new EdgeError("ISOLATE_FAILED", "It does not come back from its top level."));
  }
}
