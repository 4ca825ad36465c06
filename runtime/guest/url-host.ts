// Hosts: domains, IPv4 in all its spellings, IPv6, opaque hosts. Functions return null for failure.

import { toAscii } from "./idna.cjs";
import { CONTROL_SET, hexValue, percentDecodeText, percentEncode } from "./percent.ts";

/** 1: forbidden in every host; 2: forbidden in domains as well. */
const FORBIDDEN = new Uint8Array(128);
for (let code = 0; code <= 0x1f; code++) FORBIDDEN[code] = 2;
FORBIDDEN[0x25] = 2;
FORBIDDEN[0x7f] = 2;
for (const character of "\0\t\n\r #/:<>?@[\\]^|") FORBIDDEN[character.charCodeAt(0)] = 1;

/** The serialised host. */
export function parseHost(text: string, special: boolean): string | null {
  if (text.charCodeAt(0) === 0x5b) {
    if (text.charCodeAt(text.length - 1) !== 0x5d) return null;
    const pieces = parseIpv6(text.slice(1, -1));
    return pieces === null ? null : `[${serializeIpv6(pieces)}]`;
  }
  if (!special) {
    for (let i = 0; i < text.length; i++) {
      if (FORBIDDEN[text.charCodeAt(i)] === 1) return null;
    }
    return percentEncode(text, CONTROL_SET);
  }
  const domain = domainToAscii(text.includes("%") ? percentDecodeText(text) : text);
  if (domain === null || domain === "") return null;
  for (let i = 0; i < domain.length; i++) {
    if (FORBIDDEN[domain.charCodeAt(i)] !== 0) return null;
  }
  return endsInNumber(domain) ? parseIpv4(domain) : domain;
}

function domainToAscii(domain: string): string | null {
  let ascii = true;
  for (let i = 0; i < domain.length && ascii; i++) ascii = domain.charCodeAt(i) < 0x80;
  if (ascii) {
    const lower = domain.toLowerCase();
    // Without a punycode label the whole of UTS #46 comes down to lower case. With one it is checked; since 2026
    // the standard lets faulty punycode pass, which its published tests, Workers and we do not.
    if (!lower.startsWith("xn--") && !lower.includes(".xn--")) return lower;
  }
  return toAscii(domain);
}

function endsInNumber(domain: string): boolean {
  let end = domain.length;
  if (domain.charCodeAt(end - 1) === 0x2e) end--;
  const last = domain.slice(domain.lastIndexOf(".", end - 1) + 1, end);
  if (end === 0 || last === "") return false;
  return /^[0-9]+$/.test(last) || /^0[xX][0-9a-fA-F]*$/.test(last);
}

function parseIpv4(domain: string): string | null {
  const parts = domain.split(".");
  if (parts.length > 1 && parts[parts.length - 1] === "") parts.length--;
  const size = parts.length;
  if (size > 4) return null;
  let address = 0;
  for (let i = 0; i < size; i++) {
    const value = parseIpv4Part(parts[i] as string);
    const last = i === size - 1;
    if (value === null || value >= (last ? 256 ** (5 - size) : 256)) return null;
    address += last ? value : value * 256 ** (3 - i);
  }
  const high = Math.floor(address / 0x10000);
  const low = address % 0x10000;
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

function parseIpv4Part(part: string): number | null {
  if (part === "") return null;
  if (/^0[xX]/.test(part)) {
    const digits = part.slice(2);
    if (digits === "") return 0;
    return /^[0-9a-fA-F]+$/.test(digits) ? Number.parseInt(digits, 16) : null;
  }
  if (part.length > 1 && part.charCodeAt(0) === 0x30) {
    return /^[0-7]+$/.test(part) ? Number.parseInt(part, 8) : null;
  }
  return /^[0-9]+$/.test(part) ? Number.parseInt(part, 10) : null;
}

function parseIpv6(text: string): number[] | null {
  const pieces = [0, 0, 0, 0, 0, 0, 0, 0];
  let piece = 0;
  let compress = -1;
  let at = 0;
  if (text.charCodeAt(0) === 0x3a) {
    if (text.charCodeAt(1) !== 0x3a) return null;
    at = 2;
    compress = ++piece;
  }
  while (at < text.length) {
    if (piece === 8) return null;
    if (text.charCodeAt(at) === 0x3a) {
      if (compress >= 0) return null;
      at++;
      compress = ++piece;
      continue;
    }
    const start = at;
    let value = 0;
    for (; at - start < 4; at++) {
      const digit = hexValue(text.charCodeAt(at));
      if (digit < 0) break;
      value = value * 16 + digit;
    }
    const next = text.charCodeAt(at);
    if (next === 0x2e) {
      if (at === start || piece > 6 || !parseTrailingIpv4(text.slice(start), pieces, piece)) {
        return null;
      }
      piece += 2;
      break;
    }
    if (next === 0x3a) {
      if (++at === text.length) return null;
    } else if (at < text.length) return null;
    pieces[piece++] = value;
  }
  if (compress < 0) return piece === 8 ? pieces : null;
  // What came after "::" moves to the end.
  const moved = piece - compress;
  for (let i = 0; i < moved; i++) {
    const from = piece - 1 - i;
    if (7 - i === from) continue;
    pieces[7 - i] = pieces[from] as number;
    pieces[from] = 0;
  }
  return pieces;
}

function parseTrailingIpv4(text: string, pieces: number[], piece: number): boolean {
  const numbers = text.split(".");
  if (numbers.length !== 4) return false;
  for (let i = 0; i < 4; i++) {
    const digits = numbers[i] as string;
    if (!/^(?:0|[1-9][0-9]{0,2})$/.test(digits) || Number(digits) > 255) return false;
    const index = piece + (i >> 1);
    pieces[index] = (pieces[index] as number) * 256 + Number(digits);
  }
  return true;
}

function serializeIpv6(pieces: readonly number[]): string {
  // The first of the longest runs of two or more zeros is compressed.
  let best = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && pieces[i + length] === 0) length++;
    if (length > bestLength) {
      best = i;
      bestLength = length;
    }
    i += length;
  }
  let text = "";
  for (let i = 0; i < 8; i++) {
    if (i === best) {
      text += i === 0 ? "::" : ":";
      i += bestLength - 1;
      continue;
    }
    text += (pieces[i] as number).toString(16);
    if (i < 7) text += ":";
  }
  return text;
}
