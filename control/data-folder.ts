// The data folder: everything a node keeps, locked to one node at a time.
//
// The lock is SQLite's own file lock, held by an open exclusive transaction on run/lock. The kernel gives it
// back however the process ends, so there is no stale lock, and it holds between containers that share the
// folder. A pid file survives kill -9 and lies after pids were reused; Node has no flock of its own.

import { accessSync, chmodSync, constants, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { EdgeError } from "../sdk/errors.ts";

export const DATA_FOLDERS = ["blobs", "snapshots", "registry", "logs", "run"] as const;

/** Secrets and other people's code live here. */
const FOLDER_MODE = 0o700;
const LOCK_FILE = "lock";
/** SQLite's result code for a file that another connection has locked. */
const SQLITE_BUSY = 5;

export interface DataFolder {
  /** Absolute. */
  readonly path: string;
  /** Gives the lock back. */
  close(): Promise<void>;
}

/** Makes the folder where it is missing. Throws DATA_UNWRITABLE or DATA_IN_USE. */
export async function openDataFolder(folder: string): Promise<DataFolder> {
  const path = resolve(folder);
  try {
    for (const name of DATA_FOLDERS) {
      mkdirSync(join(path, name), { recursive: true, mode: FOLDER_MODE });
      accessSync(join(path, name), constants.R_OK | constants.W_OK | constants.X_OK);
    }
    // A folder that was there before, or was made under another umask.
    chmodSync(path, FOLDER_MODE);
    const lock = takeLock(join(path, "run", LOCK_FILE));
    return { path, close: async () => lock.close() };
  } catch (cause) {
    if (isBusy(cause)) throw new EdgeError("DATA_IN_USE", undefined, { detail: { path }, cause });
    throw new EdgeError("DATA_UNWRITABLE", undefined, { detail: { path }, cause });
  }
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
