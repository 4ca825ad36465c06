// Snapshots and code caches on disk: derived data, rebuildable at any time, so written atomically but not
// synced. A damaged snapshot aborts the process that loads it, so every read checks a hash first and removes
// what does not match.
//
// A file is sha256(payload), 32 bytes, then the payload.
//
// Children that have run authors' code write candidates, into a folder of their own. They may be another user's
// than this process: such a candidate is read with suspicion and written anew, so that nobody else holds the file
// that workers will load.

import { createHash, randomUUID } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { EdgeError } from "../sdk/errors.ts";
import { snapshotScripts, wrapScript } from "./script.ts";
import { WARM_UP } from "./warm-up.ts";

const HASH_BYTES = 32;
const KEY = /^[0-9a-f]{64}$/;
const CANDIDATE = ".candidate";
/** Where children write. */
export const CANDIDATE_FOLDER = "incoming";
/** At most; whether the group may read is the umask's to say. */
const FILE_MODE = 0o640;
const FOLDER_MODE = 0o750;
/** Platform and bundle of the largest size allowed make about a fifth of it. */
const CANDIDATE_BYTES_MAX: number = 256 * 1024 * 1024;
/** No child lives long enough to still be writing a candidate this old. */
const CANDIDATE_AGE_MS_MAX: number = 10 * 60 * 1000;

export interface SnapshotReader {
  /** The payload, or null when there is none that is whole. */
  read(key: string): ArrayBuffer | null;
}

/** Its `read` also removes what is damaged. */
export interface SnapshotStore extends SnapshotReader {
  /** Where a child that is to read the file finds it. */
  path(key: string): string;
  /** A path for a child to write to with writeChecked; nobody reads it under a key before `promote`. */
  candidatePath(): string;
  /** Makes a candidate the file of `key`, replacing what was there. */
  promote(candidate: string, key: string): void;
  discard(candidate: string): void;
  /** Removes all but `keep` and the `countMax` youngest others, and what is older than `ageMsMax`. */
  prune(options: PruneOptions): number;
}

export interface PruneOptions {
  readonly keep: ReadonlySet<string>;
  readonly countMax: number;
  readonly ageMsMax: number;
  readonly nowMs: number;
}

/** What must be the same in the process that made a snapshot and the one that loads it. */
export interface SnapshotBasis {
  /** isolated-vm's version. */
  readonly engine: string;
  /** V8 options that this process and the workers run with. */
  readonly v8Flags: readonly string[];
  readonly guestHash: string;
}

/** Key of a bundle's full snapshot; `bundleHash` null: of the platform alone. */
export function snapshotKey(basis: SnapshotBasis, bundleHash: string | null): string {
  return keyOf("snapshot", basis, bundleHash);
}

/** Key of V8's code cache for a bundle that runs on top of the platform snapshot. */
export function codeCacheKey(basis: SnapshotBasis, bundleHash: string): string {
  return keyOf("code", basis, bundleHash);
}

function keyOf(kind: string, basis: SnapshotBasis, bundleHash: string | null): string {
  const parts = [
    kind,
    process.versions.v8,
    process.arch,
    process.platform,
    basis.engine,
    [...basis.v8Flags].sort(),
    basis.guestHash,
    wrapScript(""),
    snapshotScripts("", ""),
    WARM_UP,
    bundleHash,
  ];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

/** For processes beside the one that stores: needs no right to write. */
export function openSnapshotReader(dir: string): SnapshotReader {
  return { read: (key) => readChecked(join(dir, key)) };
}

export function openSnapshotStore(dir: string): SnapshotStore {
  const incoming = join(dir, CANDIDATE_FOLDER);
  try {
    mkdirSync(incoming, { recursive: true, mode: FOLDER_MODE });
  } catch (cause) {
    throw new EdgeError("DATA_UNWRITABLE", `Cannot write to ${dir}`, { cause });
  }
  return {
    read(key) {
      const path = join(dir, key);
      const payload = readChecked(path);
      if (payload === null) rmSync(path, { force: true });
      return payload;
    },
    path: (key) => join(dir, key),
    candidatePath: () => join(incoming, randomUUID() + CANDIDATE),
    promote: (candidate, key) => promote(candidate, join(dir, key)),
    discard,
    prune: (options) => pruneCandidates(incoming, options) + prune(dir, options),
  };
}

export function writeChecked(path: string, payload: ArrayBuffer): void {
  const bytes = new Uint8Array(payload);
  const hash = createHash("sha256").update(bytes).digest();
  writeFileSync(path, Buffer.concat([hash, bytes]), { mode: FILE_MODE });
}

function promote(candidate: string, path: string): void {
  const whose = lstatSync(candidate).uid;
  if (whose === process.getuid?.()) return renameSync(candidate, path);
  const payload = readForeign(candidate);
  discard(candidate);
  if (payload === null) throw new EdgeError("INTERNAL", "A child left no whole snapshot.");
  const temporary = `${path}.${randomUUID()}`;
  writeChecked(temporary, payload);
  renameSync(temporary, path);
}

/** Follows no link, waits for no pipe, and takes no more than a snapshot can have. */
function readForeign(path: string): ArrayBuffer | null {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size, nlink } = fstatSync(file);
    const isPlain = fstatSync(file).isFile() && nlink === 1;
    return isPlain && size <= CANDIDATE_BYTES_MAX ? readPayload(file) : null;
  } finally {
    closeSync(file);
  }
}

/** null when the file is missing or damaged. */
export function readChecked(path: string): ArrayBuffer | null {
  const file = openExisting(path);
  if (file === null) return null;
  try {
    return readPayload(file);
  } finally {
    closeSync(file);
  }
}

function readPayload(file: number): ArrayBuffer | null {
  const size = fstatSync(file).size - HASH_BYTES;
  if (size <= 0) return null;
  const hash = Buffer.alloc(HASH_BYTES);
  const payload = new ArrayBuffer(size);
  if (readSync(file, hash, 0, HASH_BYTES, 0) !== HASH_BYTES) return null;
  const bytes = new Uint8Array(payload);
  if (readSync(file, bytes, 0, size, HASH_BYTES) !== size) return null;
  return createHash("sha256").update(bytes).digest().equals(hash) ? payload : null;
}

function openExisting(path: string): number | null {
  try {
    return openSync(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

function prune(dir: string, options: PruneOptions): number {
  const oldest = options.nowMs - options.ageMsMax;
  let removed = 0;
  const remove = (name: string): void => {
    rmSync(join(dir, name), { force: true });
    removed++;
  };
  const files = readdirSync(dir).map((name) => ({ name, at: modifiedMs(join(dir, name)) }));
  const unused = files
    .filter(({ name }) => KEY.test(name) && !options.keep.has(name))
    .sort((a, b) => b.at - a.at);
  unused.forEach(({ name, at }, index) => {
    if (index >= options.countMax || at < oldest) remove(name);
  });
  return removed;
}

function pruneCandidates(dir: string, { nowMs }: PruneOptions): number {
  const old = readdirSync(dir).filter(
    (name) =>
      name.endsWith(CANDIDATE) && modifiedMs(join(dir, name)) < nowMs - CANDIDATE_AGE_MS_MAX,
  );
  for (const name of old) discard(join(dir, name));
  return old.length;
}

function discard(candidate: string): void {
  try {
    unlinkSync(candidate);
  } catch {
    // There is none, or a child has made something else of it than a file: that is in nobody's way.
  }
}

function modifiedMs(path: string): number {
  return lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
