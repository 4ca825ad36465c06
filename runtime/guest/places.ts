// Requests by the host's numbers, each at the place its number stands for (sdk/bridge.ts OPEN_MAX).
//
// All places exist from the beginning: a write to a hole would ask Array.prototype, which authors may have
// patched. A request that comes back after another was given its place is kept in a table beside.

import { OPEN_MAX } from "../../sdk/bridge.ts";
import { Table } from "./table.ts";

interface Numbered {
  readonly id: number;
}

export class Places<T extends Numbered> {
  readonly #places: (T | null)[] = [];
  /** Made when first needed, which is nearly never. */
  #displaced: Table<T> | null = null;

  constructor() {
    for (let i = 0; i < OPEN_MAX; i++) this.#places[i] = null;
  }

  get(id: number): T | undefined {
    const entry = this.#places[id % OPEN_MAX] ?? null;
    return entry !== null && entry.id === id ? entry : this.#displaced?.get(id);
  }

  /** A request that has just come: whatever had its place before is over for the host. */
  open(entry: T): void {
    this.#places[entry.id % OPEN_MAX] = entry;
  }

  /** One that was deleted, as something about it can arrive again. */
  reopen(entry: T): void {
    const place = entry.id % OPEN_MAX;
    if ((this.#places[place] ?? null) === null) this.#places[place] = entry;
    else if (this.#places[place] !== entry) {
      this.#displaced ??= new Table<T>();
      this.#displaced.set(entry.id, entry);
    }
  }

  delete(entry: T): void {
    const place = entry.id % OPEN_MAX;
    if (this.#places[place] === entry) this.#places[place] = null;
    else this.#displaced?.delete(entry.id);
  }
}
