// Snapshots and code caches on disk: derived data, rebuildable at any time, so written atomically but not
// synced. A damaged snapshot aborts the process that loads it, so every read checks a hash first and removes
// what does not match.
//
// A file is sha256(payload), 32 bytes, then the payload.

import { createHash, randomUUID } from "node:crypto";
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { EdgeError } from "../sdk/errors.ts";
import { wrapScript } from "./script.ts";

const HASH_BYTES = 32;
const KEY = /^[0-9a-f]{64}$/;
const CANDIDATE = ".candidate";
/** No child lives long enough to still be writing a candidate this old. */
const CANDIDATE_AGE_MS_MAX: number = 10 * 60 * 1000;

export interface SnapshotStore {
  /** The payload, or null when there is none that is whole. */
  read(key: string): ArrayBuffer | null;
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
    bundleHash,
  ];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

export function openSnapshotStore(dir: string): SnapshotStore {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
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
    candidatePath: () => join(dir, randomUUID() + CANDIDATE),
    promote: (candidate, key) => renameSync(candidate, join(dir, key)),
    discard: (candidate) => rmSync(candidate, { force: true }),
    prune: (options) => prune(dir, options),
  };
}

export function writeChecked(path: string, payload: ArrayBuffer): void {
  const bytes = new Uint8Array(payload);
  const hash = createHash("sha256").update(bytes).digest();
  writeFileSync(path, Buffer.concat([hash, bytes]), { mode: 0o600 });
}

/** null when the file is missing or damaged. */
export function readChecked(path: string): ArrayBuffer | null {
  const file = openExisting(path);
  if (file === null) return null;
  try {
    const size = fstatSync(file).size - HASH_BYTES;
    if (size <= 0) return null;
    const hash = Buffer.alloc(HASH_BYTES);
    const payload = new ArrayBuffer(size);
    if (readSync(file, hash, 0, HASH_BYTES, 0) !== HASH_BYTES) return null;
    const bytes = new Uint8Array(payload);
    if (readSync(file, bytes, 0, size, HASH_BYTES) !== size) return null;
    return createHash("sha256").update(bytes).digest().equals(hash) ? payload : null;
  } finally {
    closeSync(file);
  }
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
  for (const { name, at } of files) {
    if (name.endsWith(CANDIDATE) && at < options.nowMs - CANDIDATE_AGE_MS_MAX) remove(name);
  }
  const unused = files
    .filter(({ name }) => KEY.test(name) && !options.keep.has(name))
    .sort((a, b) => b.at - a.at);
  unused.forEach(({ name, at }, index) => {
    if (index >= options.countMax || at < oldest) remove(name);
  });
  return removed;
}

function modifiedMs(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
