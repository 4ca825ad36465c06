// The tables of the legacy encodings for the guests' TextDecoder: half a megabyte, once per process, in memory that all
// isolates share (sdk/text/encodings.ts). They are what this Node itself decodes, so none stands here; where its
// converters are not the standard's, that is put right. Big5 stays without the characters of Hong Kong.
//
// The memory is writable, as shared memory is; like the cells it stays in closures of the guest, which only read it.

import {
  BIG5,
  EUC_KR,
  GB18030,
  GB18030_RANGES,
  JIS0208,
  JIS0212,
  type Section,
  SINGLE_BYTE,
  SINGLE_BYTE_LENGTH,
  TABLES_LENGTH,
} from "../../sdk/text/encodings.ts";

const LINE_FEED = 0x0a;
const REPLACEMENT = 0xfffd;
const SURROGATES = { first: 0xd800, last: 0xdfff };
const SYLLABLES = { first: 0xac00, last: 0xd7a3 };
/** Pointers: of A2 E6, of the first row that has characters of the older standard, and of row 83 in JIS X 0212. */
const KOREAN_EURO_AT = 6_435;
const KOREAN_OWN_AT = 6_080;
const IBM_EXTENSION_AT = 7_708;
// oxfmt-ignore
const CHINESE_MOVED_FROM = [
  0xe5e5, 0xe78d, 0xe78e, 0xe78f, 0xe790, 0xe791, 0xe792, 0xe793, 0xe794, 0xe795, 0xe796,
  0xe81e, 0xe826, 0xe82b, 0xe82c, 0xe832, 0xe843, 0xe854, 0xe864,
];
const CHINESE_MOVED_TO = [
  [0x9fb4, 0x9fbb],
  [0xfe10, 0xfe19],
] as const;
/** What changed places with a character of two bytes. */
const CHINESE_EXCHANGED = { pointer: 7_457, point: 0xe7c7 };
/** Whose tables have characters for private use; those of the others are reckoned by the decoder, or not there. */
const PRIVATE_USERS: readonly string[] = ["gb18030", "macintosh"];
const PRIVATE_USE = { first: 0xe000, last: 0xf8ff };

let tables: SharedArrayBuffer | null = null;

export function encodingTables(): SharedArrayBuffer {
  tables ??= build();
  return tables;
}

function build(): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(TABLES_LENGTH * Uint32Array.BYTES_PER_ELEMENT);
  const points = new Uint32Array(memory);
  for (const [index, name] of SINGLE_BYTE.entries()) {
    const at = index * SINGLE_BYTE_LENGTH;
    fill(points, at, { name, leads: [null], trails: range(0x80, 0xff) });
  }
  const below = range(0x40, 0x7e);
  const chinese = [...below, ...range(0x80, 0xfe)];
  const big5 = [...below, ...range(0xa1, 0xfe)];
  const japanese = [...below, ...range(0x80, 0xfc)];
  const shiftLeads = [...range(0x81, 0x9f), ...range(0xe0, 0xfc)];
  const row = range(0xa1, 0xfe);
  fill(points, BIG5.at, { name: "big5", leads: range(0x81, 0xfe), trails: big5 });
  fill(points, EUC_KR.at, { name: "euc-kr", leads: range(0x81, 0xfe), trails: range(0x41, 0xfe) });
  fill(points, GB18030.at, { name: "gb18030", leads: range(0x81, 0xfe), trails: chinese });
  fill(points, JIS0208.at, { name: "shift_jis", leads: shiftLeads, trails: japanese });
  fill(points, JIS0212.at, { name: "euc-jp", prefix: 0x8f, leads: row, trails: row });
  fillRanges(points);
  extendKorean(points);
  // What ICU adds to the standard of 1990.
  points.fill(0, JIS0212.at + IBM_EXTENSION_AT, JIS0212.at + JIS0212.length);
  return memory;
}

function range(first: number, last: number): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** Which of the basic plane are there. */
function planeOf(points: Uint32Array, { at, length }: Section): Uint8Array {
  const plane = new Uint8Array(0x10000);
  for (let pointer = 0; pointer < length; pointer++) {
    const point = points[at + pointer] ?? 0;
    if (point < plane.length) plane[point] = 1;
  }
  return plane;
}

/**
 * Four bytes count what two bytes do not have, in order. Some two bytes have become other characters since: these still
 * have their four, and what stood there before has none.
 */
function fillRanges(points: Uint32Array): void {
  const pairs = planeOf(points, GB18030);
  for (const point of CHINESE_MOVED_FROM) pairs[point] = 1;
  for (const [first, last] of CHINESE_MOVED_TO) pairs.fill(0, first, last + 1);
  pairs[CHINESE_EXCHANGED.point] = 1;
  pairs.fill(1, SURROGATES.first, SURROGATES.last + 1);
  const exchangedAt = GB18030_RANGES.at + CHINESE_EXCHANGED.pointer;
  let at = GB18030_RANGES.at;
  for (let point = 0x80; point <= 0xffff; point++) {
    if (at === exchangedAt) points[at++] = CHINESE_EXCHANGED.point;
    if (pairs[point] === 0) points[at++] = point;
  }
}

/**
 * The standard's EUC-KR is what Windows made of it: two more signs, and all syllables that were not there, in order, in
 * the places before and between its own.
 */
function extendKorean(points: Uint32Array): void {
  const table = points.subarray(EUC_KR.at, EUC_KR.at + EUC_KR.length);
  const known = planeOf(points, EUC_KR);
  table[KOREAN_EURO_AT] = 0x20ac;
  table[KOREAN_EURO_AT + 1] = 0xae;
  let syllable = SYLLABLES.first;
  for (let pointer = 0; pointer < table.length; pointer++) {
    const byte = 0x41 + (pointer % 190);
    const isOwn = pointer >= KOREAN_OWN_AT && byte >= 0xa1;
    const isPlace = byte <= 0x5a || (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x81 && !isOwn);
    while (known[syllable] === 1) syllable++;
    if (syllable > SYLLABLES.last) return;
    if (isPlace) table[pointer] = syllable++;
  }
}

interface Source {
  readonly name: string;
  /** Before every pair. */
  readonly prefix?: number;
  /** One row each; null: there is no lead. */
  readonly leads: readonly (number | null)[];
  readonly trails: readonly number[];
}

/** One decoding for a section: each character on a line of its own, so that what is none cannot swallow the next. */
function fill(points: Uint32Array, at: number, source: Source): void {
  const { name } = source;
  const keepsPrivate = PRIVATE_USERS.includes(name);
  const text = new TextDecoder(name).decode(encoded(source));
  // Read from memory: a worker waits for this, and asking a string for each of its characters takes twice the time.
  const units = new Uint16Array(text.length);
  Buffer.from(units.buffer).write(text, "utf16le");
  for (let to = at, start = 0, end = 0; end < units.length; end++) {
    if (units[end] !== LINE_FEED) continue;
    const point = pointOf(text, units, start, end);
    points[to++] = keepsPrivate || !isPrivate(point) ? point : 0;
    start = end + 1;
  }
}

function encoded({ prefix, leads, trails }: Source): Uint8Array {
  const input = new Uint8Array(leads.length * trails.length * 4);
  let used = 0;
  for (const lead of leads) {
    for (const trail of trails) {
      if (prefix !== undefined) input[used++] = prefix;
      if (lead !== null) input[used++] = lead;
      input[used++] = trail;
      input[used++] = LINE_FEED;
    }
  }
  return input.subarray(0, used);
}

/** 0: not one character. */
function pointOf(text: string, units: Uint16Array, start: number, end: number): number {
  const point = end - start === 1 ? units[start] : text.codePointAt(start);
  const isOne = end - start === 1 || (end - start === 2 && point !== undefined && point > 0xffff);
  return isOne && point !== undefined && point !== REPLACEMENT ? point : 0;
}

function isPrivate(point: number): boolean {
  return point >= PRIVATE_USE.first && point <= PRIVATE_USE.last;
}
