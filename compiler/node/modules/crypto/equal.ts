// Comparison whose time does not tell where two values differ, as far as JavaScript can promise it.

import { coded } from "../errors.ts";

export function timingSafeEqual(a: unknown, b: unknown): boolean {
  const [left, right] = [compared("buf1", a), compared("buf2", b)];
  if (left.length !== right.length) {
    const text = "Input buffers must have the same byte length";
    throw coded("RangeError", "ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH", text);
  }
  let difference = 0;
  for (const [at, byte] of left.entries()) difference |= byte ^ (right[at] ?? 0);
  return difference === 0;
}

function compared(name: string, value: unknown): Uint8Array {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  const text = `The "${name}" argument must be an instance of ArrayBuffer, Buffer, TypedArray, or DataView.`;
  throw coded("TypeError", "ERR_INVALID_ARG_TYPE", text);
}
