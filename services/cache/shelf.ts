// The embedded cache's store: entries, and per scope the order in which they are removed when it is full. About the one
// that was used longest ago goes first: an entry that was read since it got its place is given another instead of
// being removed, once each round. All methods that change something run within `update` of the store.
//
//   entries  scope, key     -> CacheEntry
//   order    scope, place   -> the key's bytes
//   used     scope, key     -> nothing; was read since it got its place
//   totals   scope          -> places given out, entries, bytes
//   files    name           -> nothing; files of entries

import { scopedKey } from "../scoped-key.ts";
import type { Store, Table } from "../lmdb.ts";
import { packEntry, unpackEntry, valueBytes, type CacheEntry, type ReadValue } from "./entry.ts";

export interface ShelfLimits {
  readonly entriesMax: number;
  readonly bytesMax: number;
}

interface Totals {
  places: number;
  entries: number;
  bytes: number;
}

const NUMBER_BYTES = 8;
const NOTHING: Buffer = Buffer.alloc(0);
/** Entries that one `put` gives another place at most; then the next is removed although it was used. */
const SECOND_CHANCES_MAX = 16;

export class Shelf {
  readonly #entries: Table;
  readonly #order: Table;
  readonly #used: Table;
  readonly #totals: Table;
  readonly #files: Table;
  readonly #limits: ShelfLimits;

  constructor(store: Store, limits: ShelfLimits) {
    this.#entries = store.table("entries");
    this.#order = store.table("order");
    this.#used = store.table("used");
    this.#totals = store.table("totals");
    this.#files = store.table("files");
    this.#limits = limits;
  }

  /** Also when it has expired. */
  find(key: Buffer): CacheEntry | null {
    return this.read(key, valueBytes);
  }

  read<V>(key: Buffer, valueOf: ReadValue<V>): CacheEntry<V> | null {
    const bytes = this.#entries.get(key);
    return bytes === null ? null : unpackEntry(bytes, valueOf);
  }

  isUsed(key: Buffer): boolean {
    return this.#used.get(key) !== null;
  }

  hasFile(name: string): boolean {
    return this.#files.get(Buffer.from(name)) !== null;
  }

  markUsed(key: Buffer): void {
    if (this.#entries.get(key) !== null) this.#used.put(key, NOTHING);
  }

  /** Changes what is there already, without giving it another place. */
  change(key: Buffer, entry: CacheEntry): void {
    this.#entries.put(key, packEntry(entry));
  }

  /** To the files that are no longer needed. */
  put(scope: string, key: Buffer, entry: Omit<CacheEntry, "place">): string[] {
    const totals = this.#totalsOf(scope);
    const files = this.#take(scope, key, totals);
    this.#place(scope, key, { ...entry, place: 0 }, totals);
    if (entry.file !== null) this.#files.put(Buffer.from(entry.file), NOTHING);
    totals.entries++;
    totals.bytes += entry.size;
    files.push(...this.#makeRoom(scope, totals));
    this.#writeTotals(scope, totals);
    return files;
  }

  /** To the files that are no longer needed. */
  remove(scope: string, key: Buffer): string[] {
    const totals = this.#totalsOf(scope);
    const files = this.#take(scope, key, totals);
    this.#writeTotals(scope, totals);
    return files;
  }

  #makeRoom(scope: string, totals: Totals): string[] {
    const { entriesMax, bytesMax } = this.#limits;
    const files: string[] = [];
    let chances = SECOND_CHANCES_MAX;
    while (totals.entries > entriesMax || totals.bytes > bytesMax) {
      const [first] = this.#order.range({ start: placeKey(scope, 0), limit: 1 });
      if (first === undefined || totals.entries === 0) break;
      const key = first.value;
      const entry = this.find(key);
      if (entry !== null && chances > 0 && this.isUsed(key) && totals.entries > 1) {
        chances--;
        this.#order.remove(placeKey(scope, entry.place));
        this.#used.remove(key);
        this.#place(scope, key, entry, totals);
      } else files.push(...this.#take(scope, key, totals));
    }
    return files;
  }

  #place(scope: string, key: Buffer, entry: CacheEntry, totals: Totals): void {
    const place = ++totals.places;
    this.#entries.put(key, packEntry({ ...entry, place }));
    this.#order.put(placeKey(scope, place), key);
  }

  #take(scope: string, key: Buffer, totals: Totals): string[] {
    const entry = this.find(key);
    if (entry === null) return [];
    this.#entries.remove(key);
    this.#order.remove(placeKey(scope, entry.place));
    this.#used.remove(key);
    totals.entries--;
    totals.bytes -= entry.size;
    if (entry.file === null) return [];
    this.#files.remove(Buffer.from(entry.file));
    return [entry.file];
  }

  #totalsOf(scope: string): Totals {
    const bytes = this.#totals.get(scopedKey(scope, ""));
    if (bytes === null) return { places: 0, entries: 0, bytes: 0 };
    const at = (index: number): number => bytes.readDoubleBE(index * NUMBER_BYTES);
    return { places: at(0), entries: at(1), bytes: at(2) };
  }

  #writeTotals(scope: string, { places, entries, bytes }: Totals): void {
    const row = Buffer.alloc(3 * NUMBER_BYTES);
    for (const [at, number] of [places, entries, bytes].entries()) {
      row.writeDoubleBE(number, at * NUMBER_BYTES);
    }
    this.#totals.put(scopedKey(scope, ""), row);
  }
}

function placeKey(scope: string, place: number): Buffer {
  const number = Buffer.alloc(NUMBER_BYTES);
  number.writeBigUInt64BE(BigInt(place));
  return Buffer.concat([scopedKey(scope, ""), number]);
}
