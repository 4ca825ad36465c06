// btoa, atob and the base64url that JSON Web Keys use. Bytes are characters here, and four groups of them are read and
// written at a time, with no array in between.

import { DOMException } from "./dom-exception.ts";
import { unitsText } from "./utf8.ts";

const fromCharCode = String.fromCharCode;

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const VALUES = new Int8Array(256).fill(-1);
for (let value = 0; value < 64; value++) VALUES[ALPHABET.charCodeAt(value)] = value;

function codesOf(alphabet: string): Uint8Array {
  const codes = new Uint8Array(alphabet.length);
  for (let i = 0; i < alphabet.length; i++) codes[i] = alphabet.charCodeAt(i);
  return codes;
}

const CODES = codesOf(ALPHABET);
const URL_CODES = codesOf(URL_ALPHABET);

/** The 24 bits of three bytes; -1 when a character is none. */
function bitsOfBytes(text: string, at: number): number {
  const a = text.charCodeAt(at);
  const b = text.charCodeAt(at + 1);
  const c = text.charCodeAt(at + 2);
  return (a | b | c) > 0xff ? -1 : (a << 16) | (b << 8) | c;
}

/** Without padding; null when `bytes` has characters that are no bytes. */
function encode(bytes: string, codes: Uint8Array): string | null {
  let text = "";
  let at = 0;
  for (; at + 12 <= bytes.length; at += 12) {
    const a = bitsOfBytes(bytes, at);
    const b = bitsOfBytes(bytes, at + 3);
    const c = bitsOfBytes(bytes, at + 6);
    const d = bitsOfBytes(bytes, at + 9);
    if ((a | b | c | d) < 0) return null;
    text += fromCharCode(
      codes[a >> 18] as number,
      codes[(a >> 12) & 63] as number,
      codes[(a >> 6) & 63] as number,
      codes[a & 63] as number,
      codes[b >> 18] as number,
      codes[(b >> 12) & 63] as number,
      codes[(b >> 6) & 63] as number,
      codes[b & 63] as number,
      codes[c >> 18] as number,
      codes[(c >> 12) & 63] as number,
      codes[(c >> 6) & 63] as number,
      codes[c & 63] as number,
      codes[d >> 18] as number,
      codes[(d >> 12) & 63] as number,
      codes[(d >> 6) & 63] as number,
      codes[d & 63] as number,
    );
  }
  const left = bytes.length - at;
  const rest = `${bytes.slice(at)}\0\0`;
  let end = "";
  for (let i = 0; i < left; i += 3) {
    const bits = bitsOfBytes(rest, i);
    if (bits < 0) return null;
    end += fromCharCode(
      codes[bits >> 18] as number,
      codes[(bits >> 12) & 63] as number,
      codes[(bits >> 6) & 63] as number,
      codes[bits & 63] as number,
    );
  }
  return text + end.slice(0, ((left * 4 + 2) / 3) | 0);
}

/** The 24 bits of four characters; -1 when one is not in the alphabet. */
function bitsOfText(text: string, at: number): number {
  const a = text.charCodeAt(at);
  const b = text.charCodeAt(at + 1);
  const c = text.charCodeAt(at + 2);
  const d = text.charCodeAt(at + 3);
  if ((a | b | c | d) > 0xff) return -1;
  return (
    ((VALUES[a] as number) << 18) |
    ((VALUES[b] as number) << 12) |
    ((VALUES[c] as number) << 6) |
    (VALUES[d] as number)
  );
}

/** The bytes of the first `length` characters; null when one is not in the alphabet. */
function decode(text: string, length: number): string | null {
  let bytes = "";
  let at = 0;
  for (; at + 16 <= length; at += 16) {
    const a = bitsOfText(text, at);
    const b = bitsOfText(text, at + 4);
    const c = bitsOfText(text, at + 8);
    const d = bitsOfText(text, at + 12);
    if ((a | b | c | d) < 0) return null;
    bytes += fromCharCode(
      a >> 16,
      (a >> 8) & 0xff,
      a & 0xff,
      b >> 16,
      (b >> 8) & 0xff,
      b & 0xff,
      c >> 16,
      (c >> 8) & 0xff,
      c & 0xff,
      d >> 16,
      (d >> 8) & 0xff,
      d & 0xff,
    );
  }
  const left = length - at;
  const rest = `${text.slice(at, length)}AAA`;
  let end = "";
  for (let i = 0; i < left; i += 4) {
    const bits = bitsOfText(rest, i);
    if (bits < 0) return null;
    end += fromCharCode(bits >> 16, (bits >> 8) & 0xff, bits & 0xff);
  }
  // What is beyond the last whole byte is dropped.
  return bytes + end.slice(0, (left * 3) >> 2);
}

export function btoa(data: unknown): string {
  if (arguments.length === 0) throw new TypeError("btoa requires an argument");
  const bytes = `${data as string}`;
  const text = encode(bytes, CODES);
  if (text === null) {
    throw new DOMException("btoa takes characters up to U+00FF only", "InvalidCharacterError");
  }
  const missing = text.length % 4;
  return missing === 0 ? text : text + (missing === 3 ? "=" : "==");
}

export function atob(data: unknown): string {
  if (arguments.length === 0) throw new TypeError("atob requires an argument");
  const bytes = decodeForgiving(`${data as string}`);
  if (bytes === null) {
    throw new DOMException("The string is not correctly encoded base64", "InvalidCharacterError");
  }
  return bytes;
}

/** The Infra standard's forgiving decode; null for failure. */
function decodeForgiving(text: string): string | null {
  // Most texts have no white space, and to look for it first takes a third of decoding.
  return (
    decodePadded(text) ??
    (/[\t\n\f\r ]/.test(text) ? decodePadded(text.replace(/[\t\n\f\r ]+/g, "")) : null)
  );
}

function decodePadded(text: string): string | null {
  let { length } = text;
  if (length % 4 === 0) {
    if (text.endsWith("==")) length -= 2;
    else if (text.endsWith("=")) length -= 1;
  }
  return length % 4 === 1 ? null : decode(text, length);
}

export function encodeBase64Url(bytes: Uint8Array): string {
  return encode(unitsText(bytes, bytes.length), URL_CODES) ?? "";
}

/** null when `text` is no base64url. */
export function decodeBase64Url(text: string): Uint8Array<ArrayBuffer> | null {
  if (/[^A-Za-z0-9_-]/.test(text)) return null;
  const decoded = decodePadded(text.replaceAll("-", "+").replaceAll("_", "/"));
  if (decoded === null) return null;
  const bytes = new Uint8Array(decoded.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = decoded.charCodeAt(i);
  return bytes;
}
