// btoa, atob and the base64url that JSON Web Keys use.

import { DOMException } from "./dom-exception.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const fromCharCode = String.fromCharCode;

const VALUES = new Int8Array(128).fill(-1);
for (let value = 0; value < 64; value++) VALUES[ALPHABET.charCodeAt(value)] = value;

function encode(length: number, byteAt: (index: number) => number, url: boolean): string {
  const alphabet = url ? URL_ALPHABET : ALPHABET;
  let text = "";
  for (let i = 0; i < length; i += 3) {
    const left = length - i;
    const bits =
      (byteAt(i) << 16) | (left > 1 ? byteAt(i + 1) << 8 : 0) | (left > 2 ? byteAt(i + 2) : 0);
    text += alphabet.charAt(bits >> 18) + alphabet.charAt((bits >> 12) & 63);
    if (left > 1) text += alphabet.charAt((bits >> 6) & 63);
    else if (!url) text += "=";
    if (left > 2) text += alphabet.charAt(bits & 63);
    else if (!url) text += "=";
  }
  return text;
}

export function btoa(data: unknown): string {
  if (arguments.length === 0) throw new TypeError("btoa requires an argument");
  const text = `${data as string}`;
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0xff) {
      throw new DOMException("btoa takes characters up to U+00FF only", "InvalidCharacterError");
    }
  }
  return encode(text.length, (index) => text.charCodeAt(index), false);
}

export function atob(data: unknown): string {
  if (arguments.length === 0) throw new TypeError("atob requires an argument");
  const decoded = decodeForgiving(`${data as string}`);
  if (decoded === null) {
    throw new DOMException("The string is not correctly encoded base64", "InvalidCharacterError");
  }
  return decoded;
}

/** The Infra standard's forgiving decode, to a string of bytes; null for failure. */
function decodeForgiving(given: string): string | null {
  const text = given.replace(/[\t\n\f\r ]+/g, "");
  let length = text.length;
  if (length % 4 === 0) {
    if (text.endsWith("==")) length -= 2;
    else if (text.endsWith("=")) length -= 1;
  }
  if (length % 4 === 1) return null;
  let result = "";
  let bits = 0;
  let held = 0;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    const value = code < 128 ? (VALUES[code] as number) : -1;
    if (value < 0) return null;
    bits = ((bits << 6) | value) & 0xffffff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    result += fromCharCode((bits >> held) & 0xff);
  }
  return result;
}

export function encodeBase64Url(bytes: Uint8Array): string {
  return encode(bytes.length, (index) => bytes[index] as number, true);
}

/** null when `text` is no base64url. */
export function decodeBase64Url(text: string): Uint8Array<ArrayBuffer> | null {
  if (/[^A-Za-z0-9_-]/.test(text)) return null;
  const decoded = decodeForgiving(text.replaceAll("-", "+").replaceAll("_", "/"));
  if (decoded === null) return null;
  const bytes = new Uint8Array(decoded.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = decoded.charCodeAt(i);
  return bytes;
}
