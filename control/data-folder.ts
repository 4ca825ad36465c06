// The data folder: everything a node keeps, locked to one node at a time.
//
// The lock is SQLite's own file lock, held by an open exclusive transaction on run/lock. The kernel gives it
// back however the process ends, so there is no stale lock, and it holds between containers that share the
// folder. A pid file survives kill -9 and lies after pids were reused; Node has no flock of its own.

import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  statfsSync,
  statSync,
  type Stats,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { EdgeError } from "../sdk/errors.ts";

export const DATA_FOLDERS = ["blobs", "snapshots", "registry", "logs", "run"] as const;

/** Secrets and other people's code live here. */
const FOLDER_MODE = 0o700;
const LOCK_FILE = "lock";
/** What a node writes before it answers; LMDB takes the process with it when it meets a full disk. */
const FREE_BYTES_MIN: number = 1024 * 1024;
const OTHERS_WRITE = 0o022;
const STICKY = 0o1000;
/** All that a node makes, and what is in every new file system. */
const OWN_FOLDERS: readonly string[] = [...DATA_FOLDERS, "cache", "services", "tls", "lost+found"];
/** SQLite's result code for a file that another connection has locked. */
const SQLITE_BUSY = 5;

export interface DataFolder {
  /** Absolute. */
  readonly path: string;
  /** Gives the lock back. */
  close(): Promise<void>;
}

/** Makes the folder where it is missing, or nothing at all. Throws USAGE, DATA_UNWRITABLE or DATA_IN_USE. */
export async function openDataFolder(
  folder: string,
  freeBytesMin: number = FREE_BYTES_MIN,
): Promise<DataFolder> {
  const path = resolve(folder);
  const made: string[] = [];
  try {
    const isOurs = isOwnFolder(path);
    for (const name of DATA_FOLDERS) {
      made.push(...makeFolders(join(path, name), FOLDER_MODE));
      accessSync(join(path, name), constants.R_OK | constants.W_OK | constants.X_OK);
    }
    if (made.length > 0) checkFree(path, freeBytesMin);
    // A folder that was there before, or was made under another umask.
    if (isOurs) chmodSync(path, FOLDER_MODE);
    const lock = takeLock(join(path, "run", LOCK_FILE));
    return { path, close: async () => lock.close() };
  } catch (cause) {
    if (isBusy(cause)) throw new EdgeError("DATA_IN_USE", undefined, { detail: { path }, cause });
    removeEmpty(made);
    if (cause instanceof EdgeError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `${path} cannot be used: ${why}`;
    throw new EdgeError("DATA_UNWRITABLE", message, { detail: { path }, cause });
  }
}

/**
 * Gives those that were made, outermost first; all or none. Node's own `recursive` never ends where a folder refuses
 * new ones with ENOENT, as /proc does.
 */
export function makeFolders(path: string, mode: number): string[] {
  if (existsSync(path)) return [];
  const made = makeFolders(dirname(path), mode);
  try {
    mkdirSync(path, { mode });
    return [...made, path];
  } catch (error) {
    // Somebody else was quicker.
    if (existsSync(path)) return made;
    removeEmpty(made);
    throw error;
  }
}

function checkFree(path: string, bytesMin: number): void {
  const { blocks, bavail, bsize } = statfsSync(path);
  // Not every file system counts.
  if (blocks === 0 || bavail * bsize >= bytesMin) return;
  const message = `${path} cannot be used: its disk has ${bavail * bsize} bytes free, a node begins with ${bytesMin}`;
  throw new EdgeError("DATA_UNWRITABLE", message, { detail: { path } });
}

/** What somebody has put something into stays. */
function removeEmpty(folders: readonly string[]): void {
  for (const folder of folders.toReversed()) {
    try {
      rmdirSync(folder);
    } catch {
      return;
    }
  }
}

/**
 * False: it holds other things too, which closing it would take from others: `--data /tmp`. Throws USAGE where these
 * others may write, and so put their own in the place of what the node keeps.
 */
function isOwnFolder(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory() !== true || !holdsOthers(path, stat)) return true;
  const isOpen = (stat.mode & OTHERS_WRITE) !== 0;
  if (!isOpen || existsSync(join(path, "run", LOCK_FILE))) return isOpen;
  const message = `--data is a folder of the node's own; ${path} holds other things, and others may write there`;
  throw new EdgeError("USAGE", message, { detail: { path } });
}

/** Files of its owner are what an operator has laid ready: a key, a configuration. */
function holdsOthers(path: string, { mode, uid }: Stats): boolean {
  return (
    (mode & STICKY) !== 0 ||
    readdirSync(path, { withFileTypes: true })
      .filter(({ name }) => !OWN_FOLDERS.includes(name))
      .some((entry) => entry.isDirectory() || lstatSync(join(path, entry.name)).uid !== uid)
  );
}

function takeLock(file: string): DatabaseSync {
  const lock = new DatabaseSync(file, { timeout: 0 });
  try {
    lock.exec("PRAGMA journal_mode=MEMORY; PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE");
    return lock;
  } catch (error) {
    lock.close();
    throw error;
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY;
}
