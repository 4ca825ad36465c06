// Keeps the isolates of a worker fresh and few: once a second, and evicts when one was loaded, so that many
// endpoints asked for at once do not exceed the budget until the next look. Those made ahead go before any other.

import type { Generation } from "../isolate/generation.ts";
import type { RecycleReason } from "../isolate/life/recycling.ts";
import type { Stock } from "../isolate/life/stock.ts";
import { ISOLATE_BASE_BYTES, evictions, type EvictReason, type Tenant } from "./memory-budget.ts";

/** Of the default memory limit's; measured: 2.3 MB, and the compiled code. */
const BLANK_HEAP_BYTES: number = 3 * 1024 * 1024;

/** Of the budget. Beyond it all are counted at each load: who goes is who was used least recently by then. */
const SPARE_SHARE = 0.75;
/** Of the isolates there are: when so many more have been loaded, all are counted, whatever was taken for each. */
const UNCOUNTED_SHARE = 0.125;

export interface Resident {
  readonly endpoint: string;
  readonly generation: Pick<Generation, "look" | "evict" | "reasonToRecycle" | "recycle">;
}

export interface HousekeepingOptions {
  /** What all isolates together may take before those that rest are evicted. */
  readonly budgetBytes: () => number;
  readonly stock: Pick<Stock, "isolates" | "heapBytes" | "look" | "loaded" | "drop">;
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
  #counted = { isolates: 0, bytes: 0 };
  /** Since they were counted. */
  #loaded = 0;

  constructor(options: HousekeepingOptions, residents: Residents) {
    this.#options = options;
    this.#residents = residents;
  }

  look(): void {
    if (this.#makeRoom() >= bytesOf(1, BLANK_HEAP_BYTES)) void this.#options.stock.look();
    const evicted = this.#evicted;
    this.#evicted = { idle: 0, memory: 0 };
    if (evicted.idle + evicted.memory > 0) this.#options.onEvictions(evicted);
    if (!this.#isRecycling) this.#recycleOne();
  }

  /** An isolate was. Asking each of hundreds for its heap would take as long as loading one. */
  loaded(): void {
    this.#loaded++;
    const room = this.#spare() ?? this.#makeRoom();
    if (room >= bytesOf(1, BLANK_HEAP_BYTES)) void this.#options.stock.loaded();
  }

  /** What is left of the budget, reckoned from the last count; null when that is too little or too long ago to tell. */
  #spare(): number | null {
    const { isolates, bytes } = this.#counted;
    if (this.#loaded > isolates * UNCOUNTED_SHARE) return null;
    const budgetBytes = this.#options.budgetBytes();
    const usedBytes = bytes + bytesOf(this.#loaded, this.#loaded * BLANK_HEAP_BYTES);
    return usedBytes <= budgetBytes * SPARE_SHARE ? budgetBytes - usedBytes : null;
  }

  /** Evicts what is idle, and what is beyond the budget; returns what of that is left. */
  #makeRoom(): number {
    const { now, onEvicted, stock } = this.#options;
    const budgetBytes = this.#options.budgetBytes();
    const tenants = this.#residents
      .serving()
      .map((resident) => ({ resident, ...tenantOf(resident) }));
    const otherBytes = this.#residents
      .others()
      .reduce((sum, other) => sum + bytesOf(other.isolates, other.heapBytes()), 0);
    const usedBytes = tenants.reduce((sum, { bytes }) => sum + bytes, otherBytes);
    const aheadBytes = bytesOf(stock.isolates, stock.heapBytes());
    if (stock.isolates > 0 && usedBytes + aheadBytes > budgetBytes) stock.drop();
    const chosen = evictions(tenants, { nowMs: now(), otherBytes, budgetBytes });
    for (const { tenant, reason } of chosen) {
      const { endpoint, generation } = tenant.resident;
      generation.evict();
      this.#evicted[reason]++;
      onEvicted(endpoint, reason);
    }
    const bytes = usedBytes + bytesOf(stock.isolates, stock.heapBytes());
    this.#counted = { isolates: tenants.reduce((sum, { isolates }) => sum + isolates, 0), bytes };
    this.#loaded = 0;
    return budgetBytes - bytes;
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

function tenantOf({ generation }: Resident): Tenant & { readonly isolates: number } {
  const { isolates, heapBytes, lastUsedMs, rests } = generation.look();
  return { isolates, bytes: bytesOf(isolates, heapBytes), lastUsedMs, rests };
}

function bytesOf(isolates: number, heapBytes: number): number {
  return isolates * ISOLATE_BASE_BYTES + heapBytes;
}
