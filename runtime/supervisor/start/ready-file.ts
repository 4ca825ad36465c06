// The file that tells that the node answers, and where. Tried before anything is started: a node that nobody learns of
// is none.

import { chmodSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { makeFolders } from "../../../control/data-folder.ts";
import { EdgeError } from "../../../sdk/errors.ts";

/** What the umask leaves of it. */
const FOLDER_MODE = 0o777;
/** Not a secret, and others may wait for it. */
const FILE_MODE = 0o644;

/** Makes its folder. Throws FILE_UNWRITABLE. */
export function tryReadyFile(path: string): void {
  const temporary = temporaryOf(path);
  orUnwritable(path, () => {
    makeFolders(dirname(path), FOLDER_MODE);
    writeFileSync(temporary, "");
    rmSync(temporary);
  });
  // A folder, or /dev/null, which the file would take the place of.
  if (statSync(path, { throwIfNoEntry: false })?.isFile() ?? true) return;
  throw new EdgeError("FILE_UNWRITABLE", `${path} is no file`, { detail: { path } });
}

/** Whole or not at all: somebody polls for it. Throws FILE_UNWRITABLE. */
export function writeReadyFile(path: string, ready: object): void {
  const temporary = temporaryOf(path);
  orUnwritable(path, () => {
    writeFileSync(temporary, JSON.stringify(ready));
    chmodSync(temporary, FILE_MODE);
    renameSync(temporary, path);
  });
}

function temporaryOf(path: string): string {
  return `${path}.${process.pid}`;
}

function orUnwritable(path: string, write: () => void): void {
  try {
    write();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `${path} cannot be written: ${why}`;
    throw new EdgeError("FILE_UNWRITABLE", message, { detail: { path }, cause });
  }
}
