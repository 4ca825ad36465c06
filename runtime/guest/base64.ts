// btoa, atob and the base64url that JSON Web Keys use.

import { DOMException } from "./dom-exception.ts";
import { unitsText } from "./utf8.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const VALUES = new Int8Array(128).fill(-1);
for (let value = 0; value < 64; value++) VALUES[ALPHABET.charCodeAt(value)] = value;

function codesOf(alphabet: string): Uint8Array {
  const codes = new Uint8Array(alphabet.length);
  for (let i = 0; i < alphabet.length; i++) codes[i] = alphabet.charCodeAt(i);
  return codes;
}

const CODES = codesOf(ALPHABET);
const URL_CODES = codesOf(URL_ALPHABET);
const PAD = 0x3d;

function encode(bytes: Uint8Array, url: boolean): string {
  const codes = url ? URL_CODES : CODES;
  const { length } = bytes;
  const out = new Uint8Array(4 * Math.ceil(length / 3));
  let at = 0;
  for (let i = 0; i < length; i += 3) {
    // Beyond the end it is undefined, which counts as 0.
    const bits = ((bytes[i] as number) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    out[at++] = codes[bits >> 18] as number;
    out[at++] = codes[(bits >> 12) & 63] as number;
    out[at++] = codes[(bits >> 6) & 63] as number;
    out[at++] = codes[bits & 63] as number;
  }
  const missing = (3 - (length % 3)) % 3;
  if (url) return unitsText(out, at - missing);
  if (missing > 0) out[at - 1] = PAD;
  if (missing > 1) out[at - 2] = PAD;
  return unitsText(out, at);
}

export function btoa(data: unknown): string {
  if (arguments.length === 0) throw new TypeError("btoa requires an argument");
  const text = `${data as string}`;
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0xff) {
      throw new DOMException("btoa takes characters up to U+00FF only", "InvalidCharacterError");
    }
    bytes[i] = code;
  }
  return encode(bytes, false);
}

export function atob(data: unknown): string {
  if (arguments.length === 0) throw new TypeError("atob requires an argument");
  const decoded = decodeForgiving(`${data as string}`);
  if (decoded === null) {
    throw new DOMException("The string is not correctly encoded base64", "InvalidCharacterError");
  }
  return unitsText(decoded, decoded.length);
}

/** The Infra standard's forgiving decode; null for failure. */
function decodeForgiving(given: string): Uint8Array<ArrayBuffer> | null {
  const text = /[\t\n\f\r ]/.test(given) ? given.replace(/[\t\n\f\r ]+/g, "") : given;
  let length = text.length;
  if (length % 4 === 0) {
    if (text.endsWith("==")) length -= 2;
    else if (text.endsWith("=")) length -= 1;
  }
  if (length % 4 === 1) return null;
  const bytes = new Uint8Array((length * 3) >> 2);
  let at = 0;
  for (let i = 0; i < length; i += 4) {
    const left = length - i;
    const a = valueAt(text, i);
    const b = valueAt(text, i + 1);
    const c = left > 2 ? valueAt(text, i + 2) : 0;
    const d = left > 3 ? valueAt(text, i + 3) : 0;
    if ((a | b | c | d) < 0) return null;
    // What is beyond the end is dropped.
    bytes[at++] = (a << 2) | (b >> 4);
    bytes[at++] = (b << 4) | (c >> 2);
    bytes[at++] = (c << 6) | d;
  }
  return bytes;
}

/** -1 for what is not in the alphabet. */
function valueAt(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code < 128 ? (VALUES[code] as number) : -1;
}

export function encodeBase64Url(bytes: Uint8Array): string {
  return encode(bytes, true);
}

/** null when `text` is no base64url. */
export function decodeBase64Url(text: string): Uint8Array<ArrayBuffer> | null {
  if (/[^A-Za-z0-9_-]/.test(text)) return null;
  return decodeForgiving(text.replaceAll("-", "+").replaceAll("_", "/"));
}
