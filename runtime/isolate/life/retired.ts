// Isolates of a generation whose place a fresh one has taken: no new request comes in, those they have finish, then
// they are disposed of, after the time limit by force.

import type { Loaded } from "../load.ts";
import type { Death } from "../slice/contract.ts";

export class Retired {
  readonly #timers = new Map<Loaded, NodeJS.Timeout>();
  readonly #drainTimeoutMs: number;

  constructor(drainTimeoutMs: number) {
    this.#drainTimeoutMs = drainTimeoutMs;
  }

  get size(): number {
    return this.#timers.size;
  }

  get inFlight(): number {
    let sum = 0;
    for (const { instance } of this.#timers.keys()) sum += instance.inFlight;
    return sum;
  }

  heapBytes(): number {
    let sum = 0;
    for (const loaded of this.#timers.keys()) sum += loaded.heapBytes();
    return sum;
  }

  add(loaded: Loaded): void {
    if (loaded.instance.inFlight === 0) loaded.dispose();
    else
      this.#timers.set(
        loaded,
        setTimeout(() => this.#end(loaded), this.#drainTimeoutMs),
      );
  }

  /** A request of it is over. */
  ended(loaded: Loaded): void {
    if (loaded.instance.inFlight === 0 && this.#forget(loaded)) loaded.dispose();
  }

  died(loaded: Loaded, death: Death): void {
    this.#forget(loaded);
    disposeOfDead(loaded, death);
  }

  expire(now: number): void {
    for (const { instance } of this.#timers.keys()) instance.expire(now);
  }

  /** At once, whatever is open. */
  abandon(): void {
    for (const loaded of this.#timers.keys()) this.#end(loaded);
  }

  #end(loaded: Loaded): void {
    // The last one that ends may already have let go of it.
    loaded.instance.failAll("SHUTTING_DOWN");
    if (this.#forget(loaded)) loaded.dispose();
  }

  #forget(loaded: Loaded): boolean {
    clearTimeout(this.#timers.get(loaded));
    return this.#timers.delete(loaded);
  }
}

export function disposeOfDead(dead: Loaded, death: Death): void {
  // A wedged thread still runs in there; touching the isolate could block this one.
  if (death !== "wedged") dead.dispose();
}
