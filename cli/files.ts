// Files of the person at the terminal: what a command sends to the node, and what it writes of an answer.

import { closeSync, openSync, readSync, writeFileSync } from "node:fs";
import { EdgeError } from "../sdk/errors.ts";
import { OPERATOR_BYTES_MAX } from "../sdk/services/service.ts";

/** What to do with a value that is larger than a call takes. */
export const THROUGH_HANDLER = ": store it through a handler";
const CHUNK_BYTES: number = 1024 * 1024;

/**
 * All of it, also of what has no size, such as a pipe. `shown`: what people call it; `instead`: what to do with more
 * than a call takes. Throws FILE_UNREADABLE or BODY_TOO_LARGE.
 */
export function readInput(file: string, shown: string, instead: string): Buffer {
  const bytes = orUnreadable(shown, () => readSome(file));
  if (bytes.byteLength <= OPERATOR_BYTES_MAX) return bytes;
  const text = `${shown} has more than ${OPERATOR_BYTES_MAX} bytes${instead}`;
  throw new EdgeError("BODY_TOO_LARGE", text);
}

/** All, or more than a call takes. */
function readSome(file: string): Buffer {
  const chunks: Buffer[] = [];
  const fd = openSync(file, "r");
  try {
    let bytes = 0;
    for (let read = -1; read !== 0 && bytes <= OPERATOR_BYTES_MAX; bytes += read) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      read = readSync(fd, chunk);
      chunks.push(chunk.subarray(0, read));
    }
  } finally {
    closeSync(fd);
  }
  return Buffer.concat(chunks);
}

/** Throws FILE_UNREADABLE. */
export function orUnreadable<T>(shown: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new EdgeError("FILE_UNREADABLE", `${shown} cannot be read: ${reason(cause)}`, { cause });
  }
}

/** Throws FILE_UNWRITABLE. */
export function writeOutput(file: string, bytes: Uint8Array): void {
  orUnwritable(file, () => writeFileSync(file, bytes));
}

/** Throws FILE_UNWRITABLE. */
export function orUnwritable<T>(file: string, write: () => T): T {
  try {
    return write();
  } catch (cause) {
    throw new EdgeError("FILE_UNWRITABLE", `${file} cannot be written: ${reason(cause)}`, {
      cause,
    });
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
