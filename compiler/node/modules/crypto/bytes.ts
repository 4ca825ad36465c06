// What Node takes for bytes: text by an encoding, buffers, views.

import { Buffer } from "node:buffer";
import { coded, wrongType } from "../errors.ts";

/** UTF-8 if the encoding is none of Buffer's, as in Node. */
export function encoded(text: string, encoding: unknown): Buffer {
  const isKnown = typeof encoding === "string" && Buffer.isEncoding(encoding);
  if (isKnown && encoding.toLowerCase() === "hex" && text.length % 2 === 1) {
    const message = `The argument 'encoding' is invalid for data of length ${text.length}. Received '${encoding}'`;
    throw coded("TypeError", "ERR_INVALID_ARG_VALUE", message);
  }
  return Buffer.from(text, isKnown ? encoding : "utf8");
}

export function viewed(name: string, value: unknown): Uint8Array {
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  throw wrongType(name, "of type string or an instance of Buffer, TypedArray, or DataView", value);
}

/** Of keys, salts and passwords, which may be an ArrayBuffer too. */
export function bytesOf(name: string, value: unknown): Uint8Array {
  if (typeof value === "string") return Buffer.from(value);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return viewed(name, value);
  const expected =
    "of type string or an instance of ArrayBuffer, Buffer, TypedArray, DataView, or KeyObject";
  throw wrongType(name, expected, value);
}

/** Over the same memory: a digest is a Buffer in Node. */
export function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** A Buffer unless the encoding is one of Buffer's, as in Node. */
export function decoded(bytes: Uint8Array, encoding: unknown): Buffer | string {
  const buffer = bufferOf(bytes);
  if (typeof encoding !== "string" || !Buffer.isEncoding(encoding)) return buffer;
  return buffer.toString(encoding);
}
