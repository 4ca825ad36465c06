// A file that lines are appended to in blocks: a system call per line would cost more than a request. Bounded on
// disk (at FILE_BYTES_MAX the file is renamed to .1 and begun anew) and in memory (two blocks: while both are full,
// lines are dropped and counted, because a full or slow disk should lose log lines, not requests).
//
// Lines are copied into a block of bytes at once. Kept as strings until they are written, they would live just long
// enough to be moved about by the garbage collector. SonicBoom, besides, measures its whole buffer with every line.

import { closeSync, openSync, renameSync, write, writeSync } from "node:fs";

export interface LineFile {
  /** `line` ends with a line feed. */
  write(line: string): void;
  /** Writes what is left, on the spot. */
  close(): void;
}

/** Two files of this size per worker at most. */
export const FILE_BYTES_MAX: number = 64 * 1024 * 1024;
/** Holds some hundred access lines, and at least one handler's line of any length that is let through. */
const BLOCK_BYTES: number = 128 * 1024;
/** Lines reach the file at the latest after this. */
const FLUSH_MS = 250;
const FILE_MODE = 0o600;
/** A character takes this many bytes at most. */
const UTF8_WIDTH_MAX = 3;

/**
 * `encoding`: latin1 is quicker, for lines known to be ASCII. `target`: a path, or the number of a file that is
 * open (standard error) and stays so.
 */
export function openLineFile(target: string | number, encoding: "latin1" | "utf8"): LineFile {
  const width = encoding === "latin1" ? 1 : UTF8_WIDTH_MAX;
  let file = typeof target === "number" ? target : openSync(target, "a", FILE_MODE);
  let filling: Buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  let spare: Buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  let used = 0;
  let dropped = 0;
  let written = 0;
  let writing = false;
  const timer = setInterval(flush, FLUSH_MS);
  timer.unref();

  function flush(): void {
    if (writing || used === 0) return;
    const block = filling;
    const length = used;
    filling = spare;
    spare = block;
    used = 0;
    writing = true;
    if (dropped > 0) used = filling.write(`{"dropped":${dropped}}\n`, 0, encoding);
    dropped = 0;
    write(file, block, 0, length, null, (_error, bytes) => {
      writing = false;
      written += bytes;
      if (typeof target === "string" && written >= FILE_BYTES_MAX) rotate(target);
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
      if (used + line.length * width > BLOCK_BYTES) flush();
      if (used + line.length * width > BLOCK_BYTES) dropped++;
      else used += filling.write(line, used, encoding);
    },
    close() {
      clearInterval(timer);
      const rest = filling.subarray(0, used);
      used = 0;
      try {
        if (rest.byteLength > 0) writeSync(file, rest);
      } catch {
        // Nobody reads any more: a closed terminal is no reason to fail.
      }
    },
  };
}
