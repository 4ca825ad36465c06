// Values that a guest wants as text. To make bytes of a few characters there, and text of those, costs its isolate more
// than all the rest of a call: so what is short is decoded here, as the guest would.

import { TEXT_BYTES_MAX } from "../sdk/services/values.ts";

/** What is no UTF-8 becomes U+FFFD, a byte order mark stays. Bytes where they are too many. */
export function shortText(bytes: Uint8Array, from = 0): string | Uint8Array {
  if (bytes.byteLength - from > TEXT_BYTES_MAX) return bytes.subarray(from);
  return asBuffer(bytes).toString("utf8", from);
}

/** Of the same memory. */
function asBuffer(bytes: Uint8Array): Buffer {
  if (Buffer.isBuffer(bytes)) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
