// Keeps the isolates of a worker fresh and few: once a second, and evicts whenever one was loaded, so that many
// endpoints asked for at once do not exceed the budget until the next look.

import type { Generation } from "../isolate/generation.ts";
import type { RecycleReason } from "../isolate/life/recycling.ts";
import { ISOLATE_BASE_BYTES, evictions, type EvictReason, type Tenant } from "./memory-budget.ts";

export interface Resident {
  readonly endpoint: string;
  readonly generation: Generation;
}

export interface HousekeepingOptions {
  /** What all isolates together may take before those that rest are evicted. */
  readonly budgetBytes: () => number;
  /** Monotonic. */
  readonly now: () => number;
  readonly onRecycled: (endpoint: string, reason: RecycleReason) => void;
  readonly onEvicted: (endpoint: string, reason: EvictReason) => void;
  /** Of those evicted since the look before, if any: one line, however many there were. */
  readonly onEvictions: (counts: Readonly<Record<EvictReason, number>>) => void;
}

export interface Residents {
  readonly serving: () => readonly Resident[];
  /** Whose isolates count, but are not to choose from. */
  readonly others: () => readonly Generation[];
}

export class Housekeeping {
  readonly #options: HousekeepingOptions;
  readonly #residents: Residents;
  #evicted: Record<EvictReason, number> = { idle: 0, memory: 0 };
  /** One at a time: each costs the accepting thread some milliseconds, and memory twice. */
  #isRecycling = false;

  constructor(options: HousekeepingOptions, residents: Residents) {
    this.#options = options;
    this.#residents = residents;
  }

  look(): void {
    this.makeRoom();
    const evicted = this.#evicted;
    this.#evicted = { idle: 0, memory: 0 };
    if (evicted.idle + evicted.memory > 0) this.#options.onEvictions(evicted);
    if (!this.#isRecycling) this.#recycleOne();
  }

  /** Evicts what is idle, and what is beyond the budget. */
  makeRoom(): void {
    const { now, budgetBytes, onEvicted } = this.#options;
    const tenants = this.#residents
      .serving()
      .map((resident) => ({ resident, ...tenantOf(resident) }));
    const otherBytes = this.#residents
      .others()
      .reduce((sum, other) => sum + bytesOf(other.isolates, other.heapBytes()), 0);
    const chosen = evictions(tenants, { nowMs: now(), otherBytes, budgetBytes: budgetBytes() });
    for (const { tenant, reason } of chosen) {
      const { endpoint, generation } = tenant.resident;
      generation.evict();
      this.#evicted[reason]++;
      onEvicted(endpoint, reason);
    }
  }

  #recycleOne(): void {
    // Every one is looked at, since each look counts.
    const due = this.#residents.serving().flatMap(({ endpoint, generation }) => {
      const reason = generation.reasonToRecycle();
      return reason === null ? [] : { endpoint, generation, reason };
    });
    if (due[0] !== undefined) void this.#recycle(due[0]);
  }

  async #recycle({
    endpoint,
    generation,
    reason,
  }: Resident & { reason: RecycleReason }): Promise<void> {
    this.#isRecycling = true;
    const isFresh = await generation.recycle();
    this.#isRecycling = false;
    if (isFresh) this.#options.onRecycled(endpoint, reason);
  }
}

function tenantOf({ generation }: Resident): Tenant {
  const { isolates, heapBytes, lastUsedMs, rests } = generation.look();
  return { bytes: bytesOf(isolates, heapBytes), lastUsedMs, rests };
}

function bytesOf(isolates: number, heapBytes: number): number {
  return isolates * ISOLATE_BASE_BYTES + heapBytes;
}
