// Bodies of queue messages: from the author's value to what is stored and back. `v8` is named after what Workers
// stores there; here it is a packed value (sdk/services/values.ts): length of the text, text, bytes.

import { packValue, unpackValue, type Value } from "../../../sdk/services/values.ts";
import { decodeBase64Url } from "../base64.ts";
import { bytesOf } from "../buffer-source.ts";
import { DOMException } from "../dom-exception.ts";
import { structuredClone } from "../structured-clone.ts";
import { decodeUtf8, encodeUtf8 } from "../utf8.ts";

export type ContentType = "json" | "text" | "bytes" | "v8";

const stringify = JSON.stringify;
const parse = JSON.parse;
const NativeUint8Array = Uint8Array;
const keysOf = Object.keys;
const prototypeOf = Reflect.getPrototypeOf;
const apply = Reflect.apply;
const setBytes = Reflect.get(Uint8Array.prototype, "set") as (this: unknown) => unknown;
const subarray = Reflect.get(Uint8Array.prototype, "subarray") as (this: unknown) => unknown;
const PLAIN: readonly (object | null)[] = [null, Object.prototype, Array.prototype];
const COPIED: readonly object[] = [Date.prototype, Uint8Array.prototype];
/** Before the text of a packed body. */
const LENGTH_BYTES = 4;
const DEPTH_MAX = 64;

export function encodeBody(body: unknown, contentType: ContentType): Uint8Array {
  switch (contentType) {
    case "text":
      if (typeof body === "string") return encodeUtf8(body);
      throw new TypeError('A message of content type "text" is a string.');
    case "bytes":
      return encodeBytes(body);
    case "v8":
      return encodePacked(structuredClone(body));
    case "json": {
      const text = stringify(body) as string | undefined;
      if (text !== undefined) return encodeUtf8(text);
      throw new TypeError("The message cannot be said as JSON.");
    }
  }
}

function encodeBytes(body: unknown): Uint8Array {
  const bytes = bytesOf(body);
  if (bytes === null) {
    throw new TypeError('A message of content type "bytes" is an ArrayBuffer or a view of one.');
  }
  const copy = new NativeUint8Array(bytes.byteLength);
  apply(setBytes, copy, [bytes] as never);
  return copy;
}

function encodePacked(value: unknown): Uint8Array {
  refuseUnpackable(value, 0);
  const { text, bytes } = packValue(value as Value);
  const encoded = encodeUtf8(text);
  const length = encoded.byteLength;
  const all = new NativeUint8Array(LENGTH_BYTES + length + (bytes?.byteLength ?? 0));
  for (let at = 0; at < LENGTH_BYTES; at++) all[at] = length >>> (8 * at);
  apply(setBytes, all, [encoded, LENGTH_BYTES] as never);
  if (bytes !== null) apply(setBytes, all, [bytes, LENGTH_BYTES + length] as never);
  return all;
}

/** What would lose what it holds on the way. */
function refuseUnpackable(value: unknown, depth: number): void {
  if (typeof value !== "object" || value === null) return;
  const prototype = prototypeOf(value);
  for (let at = 0; at < COPIED.length; at++) if (prototype === COPIED[at]) return;
  let plain = false;
  for (let at = 0; at < PLAIN.length; at++) if (prototype === PLAIN[at]) plain = true;
  if (!plain || depth > DEPTH_MAX) {
    const text = "Messages hold plain objects, lists, dates, Uint8Arrays and simple values.";
    throw new DOMException(text, "DataCloneError");
  }
  const keys = keysOf(value);
  for (let at = 0; at < keys.length; at++) {
    refuseUnpackable((value as Record<string, unknown>)[keys[at] as string], depth + 1);
  }
}

/** `text`: of json and text as it is, of the others in base64url. */
export function decodeBody(text: string, contentType: ContentType): unknown {
  switch (contentType) {
    case "text":
      return text;
    case "json":
      return parse(text) as unknown;
    case "bytes":
      return decodeBytes(text);
    case "v8":
      return decodePacked(decodeBytes(text));
  }
}

function decodeBytes(text: string): Uint8Array {
  const bytes = decodeBase64Url(text);
  if (bytes === null) throw new TypeError("The message is damaged.");
  return bytes;
}

function decodePacked(all: Uint8Array): unknown {
  let length = 0;
  for (let at = 0; at < LENGTH_BYTES; at++) length += (all[at] ?? 0) * 2 ** (8 * at);
  const part = (from: number, to: number): Uint8Array =>
    apply(subarray, all, [from, to] as never) as Uint8Array;
  const text = decodeUtf8(part(LENGTH_BYTES, LENGTH_BYTES + length));
  return unpackValue(text, part(LENGTH_BYTES + length, all.byteLength));
}

export function isContentType(value: unknown): value is ContentType {
  return value === "json" || value === "text" || value === "bytes" || value === "v8";
}
