// Writing to disk so that it is there after a power cut: a file's content and the folder that names it are
// synced separately.

import { closeSync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";
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
export function writeWhole(path: string, bytes: Uint8Array, temporary: string): void {
  const file = openSync(temporary, "w", FILE_MODE);
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  syncFolder(dirname(path));
}
