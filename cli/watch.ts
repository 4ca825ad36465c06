// Watches the files of a bundle. Folders are watched rather than files, because editors save by renaming a new
// file into place, which would leave a file's watcher with the old one.

import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { dirname, join } from "node:path";

export interface FileWatch {
  /** From now on these files (absolute) count; null lets every file in the folders watched so far count. */
  follow(files: readonly string[] | null): void;
  close(): void;
}

/** Dependencies sit in many folders; they change by installing, which touches the project's files as well. */
const FOLDERS_MAX = 256;
/** Nothing happens for so long before a change counts: a file that is written in place is empty for a moment. */
const SETTLE_MS = 50;

export function createWatch(onChange: () => void): FileWatch {
  const folders = new Map<string, FSWatcher>();
  let followed: ReadonlySet<string> | null = null;
  let settling: NodeJS.Timeout | undefined;
  const changed = (): void => {
    clearTimeout(settling);
    settling = setTimeout(onChange, SETTLE_MS);
  };
  const add = (folder: string): void => {
    if (folders.has(folder) || folders.size >= FOLDERS_MAX) return;
    try {
      const watcher = watch(folder, (_, name) => {
        const relevant = name === null || followed === null || followed.has(join(folder, name));
        if (relevant) changed();
      });
      // A folder that is removed ends its watcher; the next bundle says which are left.
      watcher.on("error", () => drop(folder));
      folders.set(folder, watcher);
    } catch {
      // The folder is gone already: the bundle that still names it will fail and say so.
    }
  };
  const drop = (folder: string): void => {
    folders.get(folder)?.close();
    folders.delete(folder);
  };
  return {
    follow: (files) => {
      followed = files === null ? null : new Set(files);
      if (files === null) return;
      const wanted = new Set(files.map((file) => dirname(file)));
      for (const folder of folders.keys()) if (!wanted.has(folder)) drop(folder);
      for (const folder of wanted) add(folder);
    },
    close: () => {
      clearTimeout(settling);
      for (const folder of folders.keys()) drop(folder);
    },
  };
}
