// Charges a pool slice's time to requests while it runs, and takes a profile of one that comes near its limit.

import type { Engine } from "../engine.ts";
import type { SliceEvents, SliceHost } from "./contract.ts";

export class PoolMeter {
  readonly #host: Pick<SliceHost, "cpuShare">;
  readonly #events: Pick<SliceEvents, "ran" | "cpuState" | "burned">;
  /** The engine's running time at the last look, and how much it had grown since the one before. */
  #seenNs = 0n;
  #grownUs = 0;
  #chargedUs = 0;
  /** The request for whose sake a profile is being taken, 0 for none. */
  #profiled = 0;

  constructor(
    host: Pick<SliceHost, "cpuShare">,
    events: Pick<SliceEvents, "ran" | "cpuState" | "burned">,
  ) {
    this.#host = host;
    this.#events = events;
  }

  get seenNs(): bigint {
    return this.#seenNs;
  }

  /** Nothing has run between the last two looks. */
  get idle(): boolean {
    return this.#grownUs === 0;
  }

  /** A slice starts. `busy`: promise jobs of the one before may still run, and are charged first. */
  begin(ranNs: bigint, busy: boolean): void {
    if (!busy) this.#seenNs = ranNs;
    this.#chargedUs = 0;
  }

  /** A slice has ended, having used this much: what of it nobody was charged for yet. */
  end(ranNs: bigint, cpuUs: number): number {
    this.#seenNs = ranNs;
    return Math.max(0, cpuUs - this.#chargedUs);
  }

  look(engine: Engine): number {
    if (engine.disposed) return 0;
    const ranNs = engine.runNs();
    this.#grownUs = Number(ranNs - this.#seenNs) / 1_000;
    this.#seenNs = ranNs;
    return this.#grownUs;
  }

  /** Charges what has run since the last look to each of these; true when one of them has nothing left. */
  charge(engine: Engine, ids: readonly number[], inSlice: boolean): boolean {
    const cpuUs = this.#grownUs * this.#host.cpuShare();
    if (inSlice) this.#chargedUs += cpuUs;
    let spent = false;
    for (const id of ids) {
      this.#events.ran(id, cpuUs);
      const state = this.#events.cpuState(id);
      if (state === "spent") spent = true;
      else if (state === "warned") this.#startProfile(engine, id);
    }
    return spent;
  }

  endProfile(engine: Engine): void {
    const id = this.#profiled;
    if (id === 0) return;
    this.#profiled = 0;
    // Not waited for: what runs may be a builtin that lets nobody in.
    void engine
      .inspect()
      ?.endProfile()
      .then((frames) => this.#events.burned(id, frames));
  }

  #startProfile(engine: Engine, id: number): void {
    if (this.#profiled !== 0) return;
    this.#profiled = id;
    engine.inspect()?.startProfile();
  }
}
