// What can be said of an LMDB file without opening it. LMDB maps the file and trusts it: on a file that is
// zeroed, cut short or garbage it does not report an error but takes the process down (SIGSEGV or SIGBUS,
// found by trying). So readers look at both meta pages first, and the writer has a child process read
// everything before it maps the file itself (verify.ts).

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { EdgeError } from "../../sdk/errors.ts";

export const DATA_FILE = "data.mdb";

/** Layout of LMDB's two meta pages, as lmdb 3.5 writes them: data version 2, 16 bytes of page header. */
const META = {
  magicAt: 24,
  magic: 0xbeefc0de,
  versionAt: 28,
  version: 2,
  pageSizeAt: 48,
  lastPageAt: 144,
  bytes: 160,
} as const;
const PAGE_BYTES_MIN = 512;
const PAGE_BYTES_MAX = 65_536;

export function corrupt(reason: string, cause?: unknown): EdgeError {
  return new EdgeError("REGISTRY_CORRUPT", `The registry cannot be read: ${reason}`, {
    detail: { reason },
    cause,
  });
}

/** Throws REGISTRY_CORRUPT when the file is missing, or its meta pages or its length are wrong. */
export function checkFile(dir: string): void {
  const path = join(dir, DATA_FILE);
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (cause) {
    throw corrupt(`${DATA_FILE} cannot be opened`, cause);
  }
  try {
    const size = fstatSync(file).size;
    const pageSize = checkMeta(file, 0, size);
    checkMeta(file, pageSize, size);
  } finally {
    closeSync(file);
  }
}

function checkMeta(file: number, at: number, size: number): number {
  const page = Buffer.alloc(META.bytes);
  if (readSync(file, page, 0, META.bytes, at) < META.bytes) throw corrupt("the file is cut short");
  if (page.readUInt32LE(META.magicAt) !== META.magic) throw corrupt("this is no LMDB file");
  if (page.readUInt32LE(META.versionAt) !== META.version) throw corrupt("unknown LMDB version");
  const pageSize = page.readUInt32LE(META.pageSizeAt);
  const isPowerOfTwo = (pageSize & (pageSize - 1)) === 0;
  if (!isPowerOfTwo || pageSize < PAGE_BYTES_MIN || pageSize > PAGE_BYTES_MAX) {
    throw corrupt("the page size is impossible");
  }
  const pages = Number(page.readBigUInt64LE(META.lastPageAt)) + 1;
  // A crash may leave the file longer than what was committed, never shorter.
  if (size < pages * pageSize) throw corrupt("the file is cut short");
  return pageSize;
}
