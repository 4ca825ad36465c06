// Percent-encoding with the URL standard's sets. A set is a table over ASCII; everything above is always encoded.

import { decodeRun, encodeUtf8 } from "./utf8.ts";

/** 1 for each ASCII character that is encoded. */
export type EncodeSet = Uint8Array;

function createSet(characters: string, base?: EncodeSet): EncodeSet {
  const set = new Uint8Array(128);
  for (let code = 0; code < 128; code++) {
    set[code] =
      base === undefined ? (code < 0x20 || code === 0x7f ? 1 : 0) : (base[code] as number);
  }
  for (let i = 0; i < characters.length; i++) set[characters.charCodeAt(i)] = 1;
  return set;
}

export const CONTROL_SET: EncodeSet = createSet("");
export const FRAGMENT_SET: EncodeSet = createSet(' "<>`');
export const QUERY_SET: EncodeSet = createSet(' "#<>');
export const SPECIAL_QUERY_SET: EncodeSet = createSet("'", QUERY_SET);
export const PATH_SET: EncodeSet = createSet("?`{}^", QUERY_SET);
export const USERINFO_SET: EncodeSet = createSet("/:;=@[\\]|", PATH_SET);
/** application/x-www-form-urlencoded; the space, which becomes "+", is in it. */
export const FORM_SET: EncodeSet = createSet("$%&+,!'()~", USERINFO_SET);

const HEX = "0123456789ABCDEF";
const ESCAPES: string[] = [];
for (let byte = 0; byte < 256; byte++) ESCAPES.push(`%${HEX[byte >> 4]}${HEX[byte & 15]}`);

export function percentEncode(text: string, set: EncodeSet): string {
  const length = text.length;
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f || set[unit] === 1) return encodeSlow(text, i, set, "%20");
  }
  return text;
}

export function formEncode(text: string): string {
  const length = text.length;
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f || FORM_SET[unit] === 1) return encodeSlow(text, i, FORM_SET, "+");
  }
  return text;
}

function encodeSlow(text: string, from: number, set: EncodeSet, space: string): string {
  const bytes = encodeUtf8(text.slice(from));
  let encoded = text.slice(0, from);
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    if (byte === 0x20 && set[byte] === 1) encoded += space;
    else if (byte > 0x7f || set[byte] === 1) encoded += ESCAPES[byte];
    else encoded += String.fromCharCode(byte);
  }
  return encoded;
}

/** Value of a hexadecimal digit, or -1. */
export function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** Percent-decodes in place and returns the new length. */
export function percentDecode(bytes: Uint8Array): number {
  let to = 0;
  for (let from = 0; from < bytes.length; from++) {
    const byte = bytes[from] as number;
    if (byte === 0x25 && from + 2 < bytes.length) {
      const high = hexValue(bytes[from + 1] as number);
      const low = hexValue(bytes[from + 2] as number);
      if (high >= 0 && low >= 0) {
        bytes[to++] = (high << 4) | low;
        from += 2;
        continue;
      }
    }
    bytes[to++] = byte;
  }
  return to;
}

/** Percent-decodes, then decodes as UTF-8 with replacement, keeping a byte order mark. */
export function percentDecodeText(text: string): string {
  const bytes = encodeUtf8(text);
  const length = percentDecode(bytes);
  return decodeRun(new Uint8Array(bytes.buffer, 0, length), 0, false);
}
