// Files named by the SHA-256 of their content: bundles and source maps. Two levels of folders keep each
// folder small. Written whole, checked at every read, never changed; removed only by `collect`.

import { createHash, randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { EdgeError } from "../sdk/errors.ts";
import type { Blobs } from "../sdk/node.ts";
import type { BlobHash } from "../sdk/records.ts";
import { systemClock, type Clock } from "./clock.ts";
import { syncFolder, writeWhole } from "./disk.ts";

/** A publish stores its blobs before the registry names them; none takes nearly so long. */
export const BLOB_GRACE_MS: number = 60 * 60 * 1000;

const HASH: RegExp = /^[0-9a-f]{64}$/;
const SHARD: RegExp = /^[0-9a-f]{2}$/;
const TEMPORARY = "incoming";
/** At most; whether the group may read is the umask's to say. */
const FOLDER_MODE = 0o750;

export interface BlobStore extends Blobs {
  /** Removes what is neither live nor stored or asked for within the grace time. Returns how many. */
  collect(live: ReadonlySet<BlobHash>): number;
}

export function hashOf(bytes: Uint8Array): BlobHash {
  return createHash("sha256").update(bytes).digest("hex");
}

/** For processes beside the one that stores: needs no right to write. */
export function openBlobReader(dir: string): Pick<Blobs, "read"> {
  return { read: (hash) => readBlob(pathOf(dir, hash), hash) };
}

/** For the one process that stores: what lies half written in the folder is removed. */
export function openBlobs(dir: string, clock: Clock = systemClock): BlobStore {
  const incoming = join(dir, TEMPORARY);
  try {
    // What a crash left half written.
    rmSync(incoming, { recursive: true, force: true });
    mkdirSync(incoming, { recursive: true, mode: FOLDER_MODE });
  } catch (cause) {
    throw unwritable(dir, cause);
  }
  const { read } = openBlobReader(dir);
  const isWhole = (hash: BlobHash): boolean => {
    try {
      read(hash);
      return true;
    } catch {
      // Missing, or damaged: the content is at hand, so it is written anew either way.
      return false;
    }
  };
  const touch = (path: string): void => {
    const seconds = clock.now() / 1000;
    utimesSync(path, seconds, seconds);
  };
  return {
    read,
    put: async (bytes) => {
      const hash = hashOf(bytes);
      const path = pathOf(dir, hash);
      try {
        if (!isWhole(hash)) {
          const shard = join(dir, hash.slice(0, 2));
          if (mkdirSync(shard, { recursive: true, mode: FOLDER_MODE }) !== undefined)
            syncFolder(dir);
          writeWhole(path, bytes, { temporary: join(incoming, randomUUID()) });
        }
        touch(path);
      } catch (cause) {
        throw unwritable(dir, cause);
      }
      return hash;
    },
    collect: (live) => {
      const limit = clock.now() - BLOB_GRACE_MS;
      const old = hashesIn(dir).filter((hash) => !live.has(hash) && isOlder(dir, hash, limit));
      for (const hash of old) rmSync(pathOf(dir, hash), { force: true });
      return old.length;
    },
  };
}

function readBlob(path: string, hash: BlobHash): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new EdgeError("BLOB_CORRUPT", undefined, { detail: { hash, missing: true }, cause });
  }
  if (hashOf(bytes) !== hash) throw new EdgeError("BLOB_CORRUPT", undefined, { detail: { hash } });
  return bytes;
}

function pathOf(dir: string, hash: BlobHash): string {
  if (!HASH.test(hash)) throw new EdgeError("BLOB_CORRUPT", "This is no blob's name");
  return join(dir, hash.slice(0, 2), hash);
}

function hashesIn(dir: string): readonly BlobHash[] {
  return readdirSync(dir)
    .filter((name) => SHARD.test(name))
    .flatMap((shard) => readdirSync(join(dir, shard)).filter((name) => HASH.test(name)));
}

function isOlder(dir: string, hash: BlobHash, limit: number): boolean {
  return statSync(pathOf(dir, hash)).mtimeMs < limit;
}

function unwritable(path: string, cause: unknown): EdgeError {
  if (cause instanceof EdgeError) return cause;
  return new EdgeError("DATA_UNWRITABLE", undefined, { detail: { path }, cause });
}
