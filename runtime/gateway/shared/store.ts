// What all workers of a node know together: counts of rate limits, state of upstreams' servers. The door to lmdb of
// the gateway: one environment that every worker writes, without a sync, since nothing in it outlives the node.
//
// A row is a few doubles. Reads see the memory map and cost a microsecond; an update is one transaction over all
// processes, some 6 µs, and LMDB's lock survives a worker that is killed while it holds it. Whoever reads rows of
// another boot of the machine must not believe their times: the clock is monotonic and began anew.

import { mkdirSync } from "node:fs";
import { open, type Database, type RootDatabase } from "lmdb";

/** Address space: the tables below have a fixed number of rows, or as many as there are servers. */
const MAP_BYTES: number = 256 * 1024 * 1024;
/** One slot per thread that reads: workers and their replacements. */
const READERS_MAX = 1_024;

export interface RowTable<K> {
  /** Fills `row` with what is stored, or with zeros. */
  read(key: K, row: Float64Array): void;
  /** One at a time over all workers: reads into `row`, runs `change`, and writes or removes the row if it says so. */
  update(key: K, row: Float64Array, change: () => boolean | "remove"): void;
}

export interface NodeStore {
  readonly servers: RowTable<string>;
  readonly limits: RowTable<number>;
  /** Open requests. */
  readonly open: RowTable<string>;
  close(): Promise<void>;
}

export function openNodeStore(folder: string): NodeStore {
  mkdirSync(folder, { recursive: true });
  const env = open<Buffer, string>({
    path: folder,
    encoding: "binary",
    mapSize: MAP_BYTES,
    maxDbs: 4,
    maxReaders: READERS_MAX,
    noSync: true,
    overlappingSync: false,
  });
  const servers = env.openDB<Buffer, string>({ name: "servers", encoding: "binary" });
  const counts = env.openDB<Buffer, string>({ name: "open", encoding: "binary" });
  const limits = env.openDB<Buffer, number>({
    name: "limits",
    encoding: "binary",
    keyEncoding: "uint32",
  });
  return {
    servers: tableOf(env, servers),
    limits: tableOf(env, limits),
    open: tableOf(env, counts),
    close: () => env.close(),
  };
}

function tableOf<K extends string | number>(
  env: RootDatabase<Buffer, string>,
  database: Database<Buffer, K>,
): RowTable<K> {
  const fill = (key: K, row: Float64Array): void => {
    const bytes = new Uint8Array(row.buffer, row.byteOffset, row.byteLength);
    const stored = database.getBinary(key);
    if (stored === undefined || stored.byteLength !== bytes.byteLength) bytes.fill(0);
    // It is not aligned as doubles have to be.
    else bytes.set(stored);
  };
  return {
    read(key, row) {
      // Without it a reader sees what was there at its last one.
      env.resetReadTxn();
      fill(key, row);
    },
    update(key, row, change) {
      env.transactionSync(() => {
        fill(key, row);
        const wanted = change();
        if (wanted === "remove") database.removeSync(key);
        else if (wanted) {
          database.putSync(key, Buffer.from(row.buffer, row.byteOffset, row.byteLength));
        }
      });
    },
  };
}
