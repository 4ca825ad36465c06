// A file that lines are appended to in blocks: a system call per line would cost more than a request. Bounded on
// disk (at FILE_BYTES_MAX the file is renamed to .1 and begun anew) and in memory (beyond BUFFER_CHARS_MAX lines
// are dropped and counted: a full or slow disk loses log lines, not requests).
//
// Not SonicBoom: that measures the whole buffer in bytes with each line, a tenth of the time of a small request.

import { closeSync, openSync, renameSync, write, writeSync } from "node:fs";

export interface LineFile {
  /** `line` ends with a line feed. */
  write(line: string): void;
  /** Writes what is left, on the spot. */
  close(): void;
}

/** Two files of this size per worker at most. */
export const FILE_BYTES_MAX: number = 64 * 1024 * 1024;
const BLOCK_CHARS = 64 * 1024;
const BUFFER_CHARS_MAX: number = 8 * 1024 * 1024;
/** Lines reach the file at the latest after this. */
const FLUSH_MS = 250;
const FILE_MODE = 0o600;

/** `encoding`: latin1 is quicker, for lines known to be ASCII. `target`: a path, or the number of a file that is open (standard error) and stays so. */
export function openLineFile(target: string | number, encoding: "latin1" | "utf8"): LineFile {
  let file = typeof target === "number" ? target : openSync(target, "a", FILE_MODE);
  let pending = "";
  let dropped = 0;
  let written = 0;
  let writing = false;
  const timer = setInterval(flush, FLUSH_MS);
  timer.unref();

  function flush(): void {
    if (writing || pending === "") return;
    const block = pending;
    pending = dropped > 0 ? `{"dropped":${dropped}}\n` : "";
    dropped = 0;
    writing = true;
    write(file, block, null, encoding, (_error, bytes) => {
      writing = false;
      written += bytes;
      if (typeof target === "string" && written >= FILE_BYTES_MAX) rotate(target);
      if (pending.length >= BLOCK_CHARS) flush();
    });
  }

  function rotate(path: string): void {
    closeSync(file);
    try {
      renameSync(path, `${path}.1`);
    } catch {
      // Somebody moved the file away; a new one is begun either way.
    }
    file = openSync(path, "a", FILE_MODE);
    written = 0;
  }

  return {
    write(line) {
      if (pending.length >= BUFFER_CHARS_MAX) {
        dropped++;
        return;
      }
      pending += line;
      if (pending.length >= BLOCK_CHARS) flush();
    },
    close() {
      clearInterval(timer);
      const rest = pending;
      pending = "";
      try {
        if (rest !== "") writeSync(file, rest, null, encoding);
      } catch {
        // Nobody reads any more: a closed terminal is no reason to fail.
      }
    },
  };
}
