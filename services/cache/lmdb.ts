// The embedded cache: in LMDB, one store that all workers of the node write, for one boot of the machine. A change is
// one step of microseconds. Large values, and bodies that come in pieces, are files beside it.

import { join } from "node:path";
import { EdgeError } from "../../sdk/errors.ts";
import {
  CACHE_SCOPE_BYTES_MAX,
  type CacheBackend,
  type CacheStream,
  type CacheStreams,
} from "../../sdk/services/cache.ts";
import type { EmbeddedConfig, ServicePlaces } from "../../sdk/services/config.ts";
import { BlobFolder } from "../blob-folder.ts";
import { openStore, type Store } from "../lmdb.ts";
import { scopedKey } from "../scoped-key.ts";
import { shortText } from "../short-text.ts";
import { valueBytes, type CacheEntry, type ReadValue } from "./entry.ts";
import { addTo } from "./number.ts";
import { Shelf } from "./shelf.ts";

/** Larger values are files: copying them would hold up the event loop, and their pages the store. */
export const INLINE_BYTES_MAX: number = 64 * 1_024;
/** Of a file, read at once. */
const PIECE_BYTES: number = 64 * 1_024;
/** What a node reads again and again. With the longest keys a few megabytes. */
const MARKED_MAX = 4_096;
/** Before the body of an entry that has a head: its length. */
const HEAD_LENGTH_BYTES = 4;

export interface LmdbCacheOptions {
  readonly places: ServicePlaces;
  /** The wall clock. */
  readonly now?: () => number;
  readonly bytesMax?: number;
}

type LmdbCacheConfig = Pick<EmbeddedConfig, "default_ttl_secs" | "max_entries">;

export async function openLmdbCache(
  config: LmdbCacheConfig,
  { places, now = Date.now, bytesMax = CACHE_SCOPE_BYTES_MAX }: LmdbCacheOptions,
): Promise<CacheBackend> {
  const folder = join(places.folder, "cache");
  const store = await openStore({ folder: join(folder, "store"), survives: "kills" });
  const shelf = new Shelf(store, { entriesMax: config.max_entries, bytesMax });
  const blobs = new BlobFolder(join(folder, "values"));
  // What cannot be removed is tried again by the next opening.
  const sweeping = blobs.sweep((name) => shelf.hasFile(name), Date.now()).catch(() => undefined);
  return new LmdbCache({
    store,
    shelf,
    blobs,
    sweeping,
    now,
    ttlMs: 1_000 * config.default_ttl_secs,
  });
}

interface Parts {
  readonly store: Store;
  readonly shelf: Shelf;
  readonly blobs: BlobFolder;
  readonly sweeping: Promise<void>;
  readonly now: () => number;
  /** The default. */
  readonly ttlMs: number;
}

class LmdbCache implements CacheBackend, CacheStreams {
  readonly #parts: Parts;
  /** Places of entries that are known to be marked as used: looking there costs as much as looking for the entry. */
  readonly #marked = new Map<string, number>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get streams(): CacheStreams {
    return this;
  }

  async get(...[scope, keys]: Parameters<CacheBackend["get"]>): Promise<(Uint8Array | null)[]> {
    const { store, blobs } = this.#parts;
    store.refresh();
    const found: (Uint8Array | null)[] = [];
    for (const key of keys) {
      const entry = this.#used(scope, key, valueBytes);
      if (entry === null) found.push(null);
      else found.push(entry.file === null ? entry.value : await blobs.read(entry.file));
    }
    return found;
  }

  getNow(
    ...[scope, keys, asText]: Parameters<NonNullable<CacheBackend["getNow"]>>
  ): (string | Uint8Array | null)[] | null {
    this.#parts.store.refresh();
    const found: (string | Uint8Array | null)[] = [];
    const valueOf = asText ? shortText : valueBytes;
    for (const key of keys) {
      const entry = this.#used(scope, key, valueOf);
      if (entry !== null && entry.file !== null) return null;
      found.push(entry?.value ?? null);
    }
    return found;
  }

  async set(...[scope, set]: Parameters<CacheBackend["set"]>): Promise<boolean> {
    const { now, ttlMs } = this.#parts;
    const key = scopedKey(scope, set.key);
    const { file, value } = await this.#shelved(set.value);
    const size = set.value.byteLength;
    const expiresAtMs = now() + (set.ttlMs ?? ttlMs);
    return this.#update((shelf, free) => {
      if (set.onlyIfAbsent && this.#live(key) !== null) {
        if (file !== null) free(file);
        return false;
      }
      free(...shelf.put(scope, key, { expiresAtMs, size, file, value }));
      return true;
    });
  }

  async delete(...[scope, keys]: Parameters<CacheBackend["delete"]>): Promise<number> {
    return this.#update((shelf, free) => {
      let count = 0;
      for (const name of keys) {
        const key = scopedKey(scope, name);
        if (this.#live(key) !== null) count++;
        free(...shelf.remove(scope, key));
      }
      return count;
    });
  }

  async add(...[scope, { key: name, amount }]: Parameters<CacheBackend["add"]>): Promise<number> {
    const { now, ttlMs } = this.#parts;
    const key = scopedKey(scope, name);
    return this.#update((shelf, free) => {
      const before = this.#live(key);
      const sum = addTo(before === null || before.file !== null ? before : before.value, amount);
      const value = Buffer.from(String(sum));
      const size = value.byteLength;
      const expiresAtMs = before?.expiresAtMs ?? now() + ttlMs;
      if (before === null) free(...shelf.put(scope, key, { expiresAtMs, size, file: null, value }));
      // Its bytes count as they first did: numbers are short.
      else shelf.change(key, { ...before, value });
      return sum;
    });
  }

  async expire(
    ...[scope, { key: name, ttlMs }]: Parameters<CacheBackend["expire"]>
  ): Promise<boolean> {
    const { now } = this.#parts;
    const key = scopedKey(scope, name);
    return this.#update((shelf) => {
      const entry = this.#live(key);
      if (entry === null) return false;
      shelf.change(key, { ...entry, expiresAtMs: now() + ttlMs });
      return true;
    });
  }

  async ttlMs(...[scope, key]: Parameters<CacheBackend["ttlMs"]>): Promise<number | null> {
    this.#parts.store.refresh();
    const entry = this.#live(scopedKey(scope, key));
    return entry === null ? null : entry.expiresAtMs - this.#parts.now();
  }

  async deleteIf(
    ...[scope, { key: name, value }]: Parameters<CacheBackend["deleteIf"]>
  ): Promise<boolean> {
    const key = scopedKey(scope, name);
    return this.#update((shelf, free) => {
      const entry = this.#live(key);
      if (entry === null || entry.file !== null || Buffer.compare(entry.value, value) !== 0) {
        return false;
      }
      free(...shelf.remove(scope, key));
      return true;
    });
  }

  async open(...[scope, name]: Parameters<CacheStreams["open"]>): Promise<CacheStream | null> {
    const { store, blobs } = this.#parts;
    store.refresh();
    const entry = this.#used(scope, name, valueBytes);
    if (entry === null) return null;
    const bytes = Buffer.from(entry.value.buffer, entry.value.byteOffset, entry.value.byteLength);
    const bodyAt = HEAD_LENGTH_BYTES + bytes.readUInt32BE(0);
    const head = bytes.subarray(HEAD_LENGTH_BYTES, bodyAt);
    const size = entry.size - bodyAt;
    if (entry.file === null) {
      return {
        head,
        size,
        async *read(from, to) {
          yield bytes.subarray(bodyAt + from, bodyAt + to);
        },
        async close() {},
      };
    }
    const file = await blobs.open(entry.file);
    if (file === null) return null;
    return {
      head,
      size,
      async *read(from, to) {
        for (let at = from; at < to;) {
          const buffer = Buffer.allocUnsafe(Math.min(PIECE_BYTES, to - at));
          const { bytesRead } = await file.read(buffer, 0, buffer.byteLength, at);
          if (bytesRead === 0) throw new EdgeError("SERVICE_FAILED", "A stored body is cut off.");
          at += bytesRead;
          yield buffer.subarray(0, bytesRead);
        }
      },
      close: () => file.close(),
    };
  }

  async store(
    ...[scope, { key: name, head, ttlMs }, body, { bytesMax, signal }]: Parameters<
      CacheStreams["store"]
    >
  ): Promise<void> {
    const length = Buffer.alloc(HEAD_LENGTH_BYTES);
    length.writeUInt32BE(head.byteLength);
    const { file, bytes, size } = await this.#gather(body, bytesMax, signal);
    const value = Buffer.concat([length, head, ...bytes]);
    const total = HEAD_LENGTH_BYTES + head.byteLength + size;
    const expiresAtMs = this.#parts.now() + ttlMs;
    try {
      signal.throwIfAborted();
      this.#update((shelf, free) => {
        const key = scopedKey(scope, name);
        free(...shelf.put(scope, key, { expiresAtMs, size: total, file, value }));
      });
    } catch (error) {
      if (file !== null) await this.#parts.blobs.remove(file);
      throw error;
    }
  }

  async probe(): Promise<{ version: string }> {
    this.#parts.store.refresh();
    return { version: "embedded" };
  }

  async close(): Promise<void> {
    await this.#parts.sweeping;
    await this.#parts.store.close();
  }

  /** As one step; the files that it frees are removed afterwards. */
  #update<T>(work: (shelf: Shelf, free: (...files: string[]) => void) => T): T {
    const { store, shelf, blobs } = this.#parts;
    const freed: string[] = [];
    const result = store.update(() => work(shelf, (...files) => freed.push(...files)));
    // One that stays is removed when the cache is opened again.
    for (const file of freed) void blobs.remove(file).catch(() => undefined);
    return result;
  }

  #live(key: Buffer): CacheEntry | null {
    return this.#unlessOver(this.#parts.shelf.find(key));
  }

  #unlessOver<V>(entry: CacheEntry<V> | null): CacheEntry<V> | null {
    return entry === null || entry.expiresAtMs <= this.#parts.now() ? null : entry;
  }

  /** The entry, and that it was read: a write only for the first reading since it got its place. */
  #used<V>(scope: string, name: string, valueOf: ReadValue<V>): CacheEntry<V> | null {
    const { store, shelf } = this.#parts;
    const key = scopedKey(scope, name);
    const entry = this.#unlessOver(shelf.read(key, valueOf));
    if (entry === null) return null;
    const text = `${scope}\n${name}`;
    // The mark goes only when the entry gets another place, and no place is given twice.
    if (this.#marked.get(text) !== entry.place) {
      if (!shelf.isUsed(key)) store.update(() => shelf.markUsed(key));
      if (this.#marked.size >= MARKED_MAX) this.#marked.clear();
      this.#marked.set(text, entry.place);
    }
    return entry;
  }

  async #shelved(value: Uint8Array): Promise<{ file: string | null; value: Uint8Array }> {
    if (value.byteLength <= INLINE_BYTES_MAX) return { file: null, value };
    return { file: await this.#parts.blobs.write(value, { sync: false }), value: Buffer.alloc(0) };
  }

  /** A body that is small in memory, any other in a file. */
  async #gather(
    body: AsyncIterable<Uint8Array>,
    bytesMax: number,
    signal: AbortSignal,
  ): Promise<{ file: string | null; bytes: readonly Uint8Array[]; size: number }> {
    const { blobs } = this.#parts;
    const bytes: Uint8Array[] = [];
    let blob: Awaited<ReturnType<BlobFolder["create"]>> | null = null;
    let size = 0;
    try {
      for await (const piece of body) {
        signal.throwIfAborted();
        size += piece.byteLength;
        if (size > bytesMax) {
          const text = `The body has more than ${bytesMax} bytes.`;
          throw new EdgeError("SERVICE_TOO_LARGE", text);
        }
        bytes.push(piece);
        if (blob === null && size <= INLINE_BYTES_MAX) continue;
        blob ??= await blobs.create();
        await blob.file.writeFile(Buffer.concat(bytes.splice(0)));
      }
      await blob?.file.close();
      return { file: blob?.name ?? null, bytes, size };
    } catch (error) {
      await blob?.file.close();
      if (blob !== null) await blobs.remove(blob.name);
      throw failureOf(error);
    }
  }
}

/** A disk that is full is no bug. */
function failureOf(error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (error instanceof EdgeError || typeof code !== "string") return error;
  return new EdgeError("SERVICE_FAILED", `The file of a body: ${code}.`, { cause: error });
}
