// KV namespaces in LMDB, in one store that all workers of the node write. A put is on the disk when it resolves.
//
//   entries  scope, key          -> Head (entry.ts), with a version for those who remove what has expired
//   values   scope, key          -> the value, unless it lies in a file
//   expiry   time, scope, key    -> nothing; what has expired, earliest first. May name entries that were changed since
//   files    name of a file      -> scope, key of the entry it belongs to
//
// An entry that has expired is not there for readers; every put removes a few such.

import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { EdgeError } from "../../sdk/errors.ts";
import type { ServicePlaces } from "../../sdk/services/config.ts";
import type { KvBackend, KvEntry, KvListing, KvPut } from "../../sdk/services/kv.ts";
import { BlobFolder } from "../blob-folder.ts";
import { openStore, type Store, type Table } from "../lmdb.ts";
import { keyIn, scopedEnd, scopedKey } from "../scoped-key.ts";
import { packHead, unpackHead, type Head } from "./entry.ts";

/** Larger values are files: copying them would hold up the event loop, and their pages the store. */
export const INLINE_BYTES_MAX: number = 64 * 1_024;
/** Of one put: twice what it can add, so that expired entries grow fewer. */
const EXPIRED_PER_PUT = 2;
/** Entries read in one turn of the event loop. */
const LIST_STEP = 500;
/** A value that is replaced while it is read is read again; so often in a row is nobody's chance. */
const READ_ATTEMPTS = 10;
/** Versions only have to differ. */
const VERSION_MAX: number = 2 ** 48;
const TIME_BYTES = 8;
const NOTHING: Buffer = Buffer.alloc(0);

export interface LmdbKvOptions {
  readonly places: ServicePlaces;
  /** The wall clock. */
  readonly now?: () => number;
}

export async function openLmdbKv({ places, now = Date.now }: LmdbKvOptions): Promise<KvBackend> {
  const folder = join(places.folder, "kv");
  const store = await openStore({ folder: join(folder, "store"), survives: "power" });
  const kv = new LmdbKv(store, new BlobFolder(join(folder, "values")), now);
  kv.sweep();
  return kv;
}

class LmdbKv implements KvBackend {
  readonly #store: Store;
  readonly #entries: Table;
  readonly #values: Table;
  readonly #expiry: Table;
  readonly #files: Table;
  readonly #blobs: BlobFolder;
  readonly #now: () => number;
  #sweeping: Promise<void> = Promise.resolve();

  constructor(store: Store, blobs: BlobFolder, now: () => number) {
    this.#store = store;
    this.#entries = store.table("entries", { versions: true });
    this.#values = store.table("values");
    this.#expiry = store.table("expiry");
    this.#files = store.table("files");
    this.#blobs = blobs;
    this.#now = now;
  }

  /** Begins to remove files that nothing refers to; `close` waits for it. */
  sweep(): void {
    const isUsed = (name: string): boolean => this.#files.get(Buffer.from(name)) !== null;
    // What cannot be removed is tried again by the next opening.
    this.#sweeping = this.#blobs.sweep(isUsed, Date.now()).catch(() => undefined);
  }

  async get(...[namespace, keys]: Parameters<KvBackend["get"]>): Promise<(KvEntry | null)[]> {
    this.#store.refresh();
    const found: (KvEntry | null)[] = [];
    for (const key of keys) found.push(await this.#read(scopedKey(namespace, key)));
    return found;
  }

  getNow(namespace: string, keys: readonly string[]): (KvEntry | null)[] | null {
    this.#store.refresh();
    const found: (KvEntry | null)[] = [];
    for (const name of keys) {
      const key = scopedKey(namespace, name);
      const head = this.#head(key);
      const isThere = head !== null && !this.#isOver(head.expiresAtMs);
      const value = isThere && head.file === null ? this.#values.get(key) : null;
      // In a file, or replaced between the two looks.
      if (isThere && value === null) return null;
      found.push(isThere && value !== null ? { value, metadata: head.metadata } : null);
    }
    return found;
  }

  async put(...[namespace, put, signal]: Parameters<KvBackend["put"]>): Promise<void> {
    const key = scopedKey(namespace, put.key);
    const isLarge = put.value.byteLength > INLINE_BYTES_MAX;
    const file = isLarge ? await onDisk(() => this.#blobs.write(put.value)) : null;
    try {
      signal.throwIfAborted();
      await this.#replace(key, put, file);
    } catch (error) {
      if (file !== null) await this.#blobs.remove(file);
      throw error;
    }
  }

  async delete(...[namespace, keys]: Parameters<KvBackend["delete"]>): Promise<void> {
    this.#store.refresh();
    const places = keys.map((key) => scopedKey(namespace, key));
    const files = places.flatMap((key) => this.#head(key)?.file ?? []);
    await this.#store.commit(() => {
      for (const key of places) {
        this.#entries.remove(key);
        this.#values.remove(key);
      }
      for (const file of files) this.#files.remove(Buffer.from(file));
    });
    for (const file of files) await this.#blobs.remove(file);
  }

  async list(...[namespace, options, signal]: Parameters<KvBackend["list"]>): Promise<KvListing> {
    const { prefix, limit, cursor } = options;
    const end = scopedEnd(namespace, prefix);
    const keys: KvListing["keys"][number][] = [];
    let start = scopedKey(namespace, cursor === null ? prefix : prefix + readCursor(cursor));
    if (cursor !== null) start = after(start);
    for (;;) {
      this.#store.refresh();
      const step = Array.from(this.#entries.range({ start, end, limit: LIST_STEP }));
      for (const { key, value } of step) {
        const { expiresAtMs, metadata } = unpackHead(value);
        if (this.#isOver(expiresAtMs)) continue;
        const last = keys.at(-1);
        if (keys.length === limit && last !== undefined) {
          return { keys, cursor: packCursor(last.name.slice(prefix.length)) };
        }
        keys.push({ name: keyIn(namespace, key), expiresAtMs, metadata });
      }
      const last = step.at(-1);
      if (last === undefined || step.length < LIST_STEP) return { keys, cursor: null };
      start = after(last.key);
      await turn();
      signal.throwIfAborted();
    }
  }

  async probe(): Promise<{ version: string }> {
    this.#store.refresh();
    return { version: "embedded" };
  }

  async close(): Promise<void> {
    await this.#sweeping;
    await this.#store.close();
  }

  async #read(key: Buffer): Promise<KvEntry | null> {
    for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
      const head = this.#head(key);
      if (head === null || this.#isOver(head.expiresAtMs)) return null;
      const { file, metadata } = head;
      const value =
        file === null ? this.#values.get(key) : await onDisk(() => this.#blobs.read(file));
      if (value !== null) return { value, metadata };
      this.#store.refresh();
    }
    throw new EdgeError("SERVICE_CONFLICT", "The value changes faster than it can be read.");
  }

  async #replace(key: Buffer, put: KvPut, file: string | null): Promise<void> {
    const { value, metadata, expiresAtMs } = put;
    this.#store.refresh();
    const before = this.#head(key)?.file ?? null;
    const version = Math.floor(Math.random() * VERSION_MAX);
    const done = this.#store.commit(() => {
      this.#entries.put(key, packHead({ expiresAtMs, metadata, file }), version);
      if (file === null) this.#values.put(key, value);
      else {
        this.#values.remove(key);
        this.#files.put(Buffer.from(file), key);
      }
      if (before !== null) this.#files.remove(Buffer.from(before));
      if (expiresAtMs !== null) this.#expiry.put(expiryKey(expiresAtMs, key), NOTHING);
    });
    // In the same turn, and so carried by the same commit.
    const removed = this.#removeExpired();
    await done;
    const files = await removed;
    if (before !== null) files.push(before);
    // Two puts at once may both leave a file behind: the next opening removes it.
    for (const each of files) await this.#blobs.remove(each);
  }

  /** To the files that are no longer needed. */
  async #removeExpired(): Promise<string[]> {
    const due = this.#expiry.range({ end: timeBytes(this.#now() + 1), limit: EXPIRED_PER_PUT });
    const removals = Array.from(due, async ({ key: place }) => {
      const key = place.subarray(TIME_BYTES);
      const head = this.#head(key);
      const version = this.#entries.version(key);
      if (head === null || version === null || !this.#isOver(head.expiresAtMs)) {
        await this.#store.commit(() => this.#expiry.remove(place));
        return [];
      }
      // Unless it has just been put anew.
      const isDone = await this.#store.commitIf(this.#entries, { key, version }, () => {
        this.#entries.remove(key);
        this.#values.remove(key);
        this.#expiry.remove(place);
        if (head.file !== null) this.#files.remove(Buffer.from(head.file));
      });
      return isDone && head.file !== null ? [head.file] : [];
    });
    return (await Promise.all(removals)).flat();
  }

  #head(key: Buffer): Head | null {
    const bytes = this.#entries.get(key);
    return bytes === null ? null : unpackHead(bytes);
  }

  #isOver(expiresAtMs: number | null): boolean {
    return expiresAtMs !== null && expiresAtMs <= this.#now();
  }
}

function after(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.of(0)]);
}

function timeBytes(timeMs: number): Buffer {
  const bytes = Buffer.alloc(TIME_BYTES);
  bytes.writeBigUInt64BE(BigInt(Math.ceil(timeMs)));
  return bytes;
}

function expiryKey(timeMs: number, key: Buffer): Buffer {
  return Buffer.concat([timeBytes(timeMs), key]);
}

/** What follows the prefix in the last key that was listed. */
function packCursor(name: string): string {
  return Buffer.from(name).toString("base64url");
}

function readCursor(cursor: string): string {
  const name = Buffer.from(cursor, "base64url").toString();
  if (packCursor(name) === cursor) return name;
  throw new EdgeError("SERVICE_INPUT", "The cursor is not one that a listing gave.");
}

async function onDisk<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? "unknown";
    throw new EdgeError("SERVICE_FAILED", `The value's file: ${why}.`, { cause });
  }
}
