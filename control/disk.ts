// Writing to disk so that it is there after a power cut: a file's content and the folder that names it are
// synced separately.

import {
  closeSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  renameSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

export function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** At most; whether the group may read is the umask's to say. */
const FILE_MODE = 0o640;

/** The file appears whole or not at all. `temporary` is on the same file system and is overwritten. */
export function writeWhole(
  path: string,
  bytes: Uint8Array,
  { temporary, mode = FILE_MODE }: { readonly temporary: string; readonly mode?: number },
): void {
  const file = openSync(temporary, "w", mode);
  try {
    // One that a crash left there keeps the mode it was made with.
    fchmodSync(file, fstatSync(file).mode & mode);
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  syncFolder(dirname(path));
}
