// The door to lmdb for embedded services: one environment per folder, written by all workers of the node.

import { mkdirSync } from "node:fs";
import { open, type RootDatabase } from "lmdb";

/** Address space, not disk: the file grows as needed. Every process of a node must use the same. */
const MAP_BYTES: number = 16 * 1024 ** 3;
/** One slot per thread that reads: workers and their replacements. */
const READERS_MAX = 1_024;

export type Environment = RootDatabase<unknown, (string | number)[]>;

export function openEnvironment(folder: string): Environment {
  mkdirSync(folder, { recursive: true });
  return open<unknown, (string | number)[]>({
    path: folder,
    mapSize: MAP_BYTES,
    maxReaders: READERS_MAX,
    noSubdir: false,
  });
}
