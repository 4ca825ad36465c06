// What functions of node:zlib are given.

import { wrongType } from "../errors.ts";

export type Input = string | ArrayBuffer | ArrayBufferView<ArrayBuffer>;

export function bytesOf(input: Input): Uint8Array<ArrayBuffer> {
  if (typeof input === "string") return new TextEncoder().encode(input);
  if (input instanceof ArrayBuffer) return new Uint8Array(input);
  if (ArrayBuffer.isView(input)) {
    return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
  }
  throw wrongType(
    "buffer",
    "of type string or an instance of Buffer, TypedArray, DataView, or ArrayBuffer",
    input,
  );
}

export function bytesMax(options: unknown): number {
  const max = (options as { readonly maxOutputLength?: unknown } | null | undefined)
    ?.maxOutputLength;
  return typeof max === "number" ? max : Infinity;
}
