// Embedded stores: LMDB environments that every worker of a node opens, and the only door of services to lmdb.
// `openStore` gives what most kinds want; queues use an environment as it is (`openEnvironment`).
//
// Any number of processes read and write one environment at once; LMDB lets one of them write at a time, and a process
// that is killed while it writes leaves the commit before. What a reader sees is one commit; `refresh` moves it to the
// newest. Keys are bytes, in their order; values are bytes.
//
// Two kinds, by what they survive. "power": a commit is on the disk when it is done; that costs milliseconds, so
// writers use `commit`, which waits in a thread of its own and carries the writes of one turn together. "kills": a
// commit is done in microseconds, survives the end of every process but not that of the machine, and belongs to one
// boot: with the next the store begins empty, because what a crashed machine leaves of it may be damaged.
//
// To read and write as one step: `update`; on the disk `commitIf`, or `transaction` of an environment.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { open, type Database, type RootDatabase } from "lmdb";
import { EdgeError } from "../sdk/errors.ts";
import { Opening } from "./opening.ts";

export interface StoreOptions {
  /** Made when it is not there; nothing else lies in it. */
  readonly folder: string;
  readonly survives: "power" | "kills";
}

export interface Entry {
  readonly key: Buffer;
  readonly value: Buffer;
}

export interface Range {
  /** Inclusive; undefined: from the first. */
  readonly start?: Uint8Array;
  /** Exclusive; undefined: to the last. */
  readonly end?: Uint8Array;
  readonly limit?: number;
}

/** Address space, not disk: the file grows as needed, and lmdb takes more when that is full. */
const MAP_BYTES: number = 16 * 1024 ** 3;
/** One slot per process that reads: workers, their replacements, command line tools. */
const READERS_MAX = 1_024;
const TABLES_MAX = 32;
const BOOT_ID = "/proc/sys/kernel/random/boot_id";

export async function openStore({ folder, survives }: StoreOptions): Promise<Store> {
  const path = survives === "power" ? made(folder) : folderOfBoot(folder);
  const opening = new Opening(path);
  try {
    const root = await opening.open(() =>
      open<Buffer, Uint8Array>({
        path,
        keyEncoding: "binary",
        encoding: "binary",
        mapSize: MAP_BYTES,
        maxDbs: TABLES_MAX,
        maxReaders: READERS_MAX,
        // Otherwise a commit is called done before it is on the disk.
        overlappingSync: false,
        noSync: survives === "kills",
      }),
    );
    // Slots of readers that were killed keep old pages from being used again.
    root.readerCheck();
    return new Store(root, opening);
  } catch (cause) {
    throw cause instanceof EdgeError ? cause : storeError(cause);
  }
}

export type Environment = RootDatabase<unknown, (string | number)[]>;

/** Every write has to go through `opening`. */
export async function openEnvironment(
  folder: string,
): Promise<{ readonly environment: Environment; readonly opening: Opening }> {
  const path = made(folder);
  const opening = new Opening(path);
  const environment = await opening.open(() =>
    open<unknown, (string | number)[]>({
      path,
      mapSize: MAP_BYTES,
      maxReaders: READERS_MAX,
      noSubdir: false,
    }),
  );
  return { environment, opening };
}

function made(folder: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

function folderOfBoot(folder: string): string {
  made(folder);
  const boot = readFileSync(BOOT_ID, "utf8").trim();
  for (const name of readdirSync(folder)) {
    if (name !== boot) rmSync(join(folder, name), { recursive: true, force: true });
  }
  return made(join(folder, boot));
}

export class Store {
  readonly #root: RootDatabase<Buffer, Uint8Array>;
  readonly #opening: Opening;
  readonly #writing: Writing = { isOn: false };
  #closed: Promise<void> | null = null;

  constructor(root: RootDatabase<Buffer, Uint8Array>, opening: Opening) {
    this.#root = root;
    this.#opening = opening;
  }

  /** Made when it is not there. `versions`: for `commitIf`; always or never for one table. */
  table(name: string, { versions = false }: { readonly versions?: boolean } = {}): Table {
    const options = { name, keyEncoding: "binary", encoding: "binary" } as const;
    // Making it is a write.
    const database = this.#opening.update(() =>
      this.#root.openDB<Buffer, Uint8Array>({ ...options, useVersions: versions }),
    );
    return new Table(database, this.#writing);
  }

  /** Reads that follow see every commit of every process until now. Costs a tenth of a microsecond. */
  refresh(): void {
    this.#assertOpen();
    this.#root.resetReadTxn();
  }

  /**
   * Reads and writes as one step: nobody writes meanwhile, and reads see the newest. When `work` throws nothing is
   * written. Holds up the event loop until the writer before is done, and with "power" for the disk: there it is for
   * rare things.
   */
  update<T>(work: () => T): T {
    this.#assertOpen();
    let done = false;
    try {
      return this.#opening.update(() =>
        this.#root.transactionSync(() => {
          const result = this.#write(work);
          done = true;
          return result;
        }),
      );
    } catch (cause) {
      throw done ? storeError(cause) : cause;
    }
  }

  /** All writes of `work`, which runs at once and sees none of them, in one commit; resolves when that is done. */
  async commit(work: () => void): Promise<void> {
    this.#assertOpen();
    await this.#opening.commit(() => {
      this.#assertOpen();
      return committed(this.#root.batch(() => this.#write(work)));
    });
  }

  /**
   * As `commit`, but only if the entry still has this version (null: is not there), else false. Every `put` of the
   * table names the version it sets.
   */
  commitIf(
    table: Table,
    { key, version }: { readonly key: Uint8Array; readonly version: number | null },
    work: () => void,
  ): Promise<boolean> {
    this.#assertOpen();
    return this.#opening.commit(() => {
      this.#assertOpen();
      return committed(table.onlyIf(key, version, () => this.#write(work)));
    });
  }

  /** When what was begun is done. Nothing may be called afterwards. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#root.close().finally(() => this.#opening.close());
    return this.#closed;
  }

  #write<T>(work: () => T): T {
    assert(!this.#writing.isOn, "Writes do not nest.");
    this.#writing.isOn = true;
    try {
      return work();
    } finally {
      this.#writing.isOn = false;
    }
  }

  /** lmdb ends the process when a closed environment is written to. */
  #assertOpen(): void {
    if (this.#closed !== null) throw new EdgeError("SERVICE_STOPPED", "The store is closed.");
  }
}

interface Writing {
  isOn: boolean;
}

/** `put` and `remove` only within `update` and `commit`. */
export class Table {
  readonly #database: Database<Buffer, Uint8Array>;
  readonly #writing: Writing;

  constructor(database: Database<Buffer, Uint8Array>, writing: Writing) {
    this.#database = database;
    this.#writing = writing;
  }

  get count(): number {
    const stats: { entryCount?: number } = this.#database.getStats();
    return stats.entryCount ?? 0;
  }

  /** The caller's own copy. */
  get(key: Uint8Array): Buffer | null {
    return this.#database.get(key) ?? null;
  }

  /** Of an entry in a table with versions; null when it is not there. */
  version(key: Uint8Array): number | null {
    return this.#database.getEntry(key)?.version ?? null;
  }

  put(key: Uint8Array, value: Uint8Array, version?: number): void {
    assert(this.#writing.isOn, "A write outside of a transaction.");
    const buffer = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    if (version === undefined) void this.#database.put(key, buffer);
    else void this.#database.put(key, buffer, version);
  }

  remove(key: Uint8Array): void {
    assert(this.#writing.isOn, "A write outside of a transaction.");
    void this.#database.remove(key);
  }

  /** In the order of the keys' bytes. Read to its end, or left, within one turn. */
  range({ start, end, limit }: Range): Iterable<Entry> {
    return this.#database.getRange({
      ...(start !== undefined && { start }),
      ...(end !== undefined && { end }),
      ...(limit !== undefined && { limit }),
    }) as Iterable<Entry>;
  }

  /** For Store. */
  onlyIf(key: Uint8Array, version: number | null, work: () => void): Promise<boolean> {
    if (version === null) return this.#database.ifNoExists(key, work);
    return this.#database.ifVersion(key, version, work);
  }
}

async function committed<T>(commit: Promise<T>): Promise<T> {
  try {
    return await commit;
  } catch (cause) {
    // "Commit failed": why is what another promise rejects with.
    const why: unknown = Reflect.get(Object(cause), "commitError");
    throw storeError(why instanceof Promise ? await why.catch((reason: unknown) => reason) : cause);
  }
}

function storeError(cause: unknown): EdgeError {
  const why = cause instanceof Error ? cause.message : "unknown reason";
  return new EdgeError("SERVICE_FAILED", `The embedded store failed: ${why}`, { cause });
}
