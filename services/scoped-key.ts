// Keys of embedded stores: the scope's length, the scope, the key. So a scope's keys lie together, in the order of
// their UTF-8 bytes, and no key can reach into another scope.

import { EdgeError } from "../sdk/errors.ts";

const LENGTH_BYTES = 2;
/** With it, the longest key of a KV namespace still fits a store's. */
export const SCOPE_BYTES_MAX = 512;

export function scopedKey(scope: string, key: string): Buffer {
  const scopeBytes = Buffer.byteLength(scope);
  if (scopeBytes > SCOPE_BYTES_MAX) {
    throw new EdgeError("SERVICE_INPUT", `A scope has at most ${SCOPE_BYTES_MAX} bytes.`);
  }
  const bytes = Buffer.allocUnsafe(LENGTH_BYTES + scopeBytes + Buffer.byteLength(key));
  bytes.writeUInt16BE(scopeBytes, 0);
  bytes.write(scope, LENGTH_BYTES);
  bytes.write(key, LENGTH_BYTES + scopeBytes);
  return bytes;
}

/** Behind every key of the scope that begins with the prefix: no UTF-8 has this byte. */
export function scopedEnd(scope: string, prefix: string): Buffer {
  return Buffer.concat([scopedKey(scope, prefix), Buffer.of(0xff)]);
}

export function keyIn(scope: string, bytes: Buffer): string {
  return bytes.toString("utf8", LENGTH_BYTES + Buffer.byteLength(scope));
}
