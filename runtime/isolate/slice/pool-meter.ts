// Charges a pool slice's time to requests while it runs.

import type { SliceEngine, SliceEvents, SliceHost } from "./contract.ts";

export class PoolMeter {
  readonly #host: Pick<SliceHost, "cpuShare">;
  readonly #events: Pick<SliceEvents, "ran">;
  /** The engine's running time at the last look, and how much it had grown since the one before. */
  #seenNs = 0n;
  #grownUs = 0;
  #chargedUs = 0;

  constructor(host: Pick<SliceHost, "cpuShare">, events: Pick<SliceEvents, "ran">) {
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

  look(engine: SliceEngine): number {
    if (engine.disposed) return 0;
    const ranNs = engine.runNs();
    this.#grownUs = Number(ranNs - this.#seenNs) / 1_000;
    this.#seenNs = ranNs;
    return this.#grownUs;
  }

  /** It has ended: what has run behind the report. */
  chargeRest(engine: SliceEngine, ids: readonly number[]): void {
    this.look(engine);
    this.charge(ids, false);
  }

  /** Charges what has run since the last look to each of these. */
  charge(ids: readonly number[], inSlice: boolean): void {
    const cpuUs = this.#grownUs * this.#host.cpuShare();
    if (inSlice) this.#chargedUs += cpuUs;
    for (const id of ids) this.#events.ran(id, cpuUs);
  }
}
