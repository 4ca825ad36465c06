// UTF-8 in both directions, in JavaScript because a bare V8 isolate has no encoder. The loops are tuned for
// ASCII, which headers, JSON and most HTML are: long runs are copied without looking at code points.

const apply = Reflect.apply;
const fromCharCode = String.fromCharCode;

/** Units per String.fromCharCode call with an array: enough to amortise it, far below the argument limit. */
const CHUNK_UNITS = 4096;
/** Up to this many a plain array is made for the call, which V8 spreads faster than a typed one. */
const SMALL_UNITS = 64;
/** ASCII bytes per call with plain arguments, the fastest way from bytes to text that V8 has. */
const BLOCK_BYTES = 16;
const REPLACEMENT = 0xfffd;

/** At most: a pair is two units and four bytes. */
const BYTES_PER_UNIT = 3;
/** Texts up to this are encoded here and copied, which costs less than to count their bytes first. */
const SMALL_TEXT_UNITS = 2048;
const encoded = new Uint8Array(SMALL_TEXT_UNITS * BYTES_PER_UNIT);

/** Owned by decodeRun alone: nothing of the author's runs while it is filled. One more for a pair's low half. */
const scratch = new Uint16Array(CHUNK_UNITS + 1);
/** How many units decodeUnits has left there; beside its result to spare an object per chunk. */
let filled = 0;

export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  const length = text.length;
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) return encodeRest(text, i, bytes);
    bytes[i] = unit;
  }
  return bytes;
}

/** How many bytes `text` takes in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else {
      bytes += 2;
      // A pair is two units and four bytes; a lone surrogate becomes the replacement character.
      if ((unit & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) i++;
    }
  }
  return bytes;
}

function encodeRest(text: string, start: number, ascii: Uint8Array): Uint8Array<ArrayBuffer> {
  const small = text.length <= SMALL_TEXT_UNITS;
  const bytes = small ? encoded : new Uint8Array(utf8Length(text));
  for (let i = 0; i < start; i++) bytes[i] = ascii[i] as number;
  const end = encodeFrom(text, start, bytes, start);
  return small ? new Uint8Array(new Uint8Array(encoded.buffer, 0, end)) : bytes;
}

/** Returns where it ended in `bytes`. */
function encodeFrom(text: string, from: number, bytes: Uint8Array, to: number): number {
  let at = to;
  for (let i = from; i < text.length; i++) {
    let unit = text.charCodeAt(i);
    if (unit < 0x80) {
      bytes[at++] = unit;
      continue;
    }
    if (unit < 0x800) {
      bytes[at++] = 0xc0 | (unit >> 6);
      bytes[at++] = 0x80 | (unit & 0x3f);
      continue;
    }
    if ((unit & 0xf800) === 0xd800) {
      const low = text.charCodeAt(i + 1);
      if (unit < 0xdc00 && (low & 0xfc00) === 0xdc00) {
        const point = 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
        bytes[at++] = 0xf0 | (point >> 18);
        bytes[at++] = 0x80 | ((point >> 12) & 0x3f);
        bytes[at++] = 0x80 | ((point >> 6) & 0x3f);
        bytes[at++] = 0x80 | (point & 0x3f);
        i++;
        continue;
      }
      unit = REPLACEMENT;
    }
    bytes[at++] = 0xe0 | (unit >> 12);
    bytes[at++] = 0x80 | ((unit >> 6) & 0x3f);
    bytes[at++] = 0x80 | (unit & 0x3f);
  }
  return at;
}

/** Encodes as many whole code points as fit into `target`. */
export function encodeUtf8Into(
  text: string,
  target: Uint8Array,
): { read: number; written: number } {
  const room = target.length;
  if (text.length * BYTES_PER_UNIT <= room) {
    return { read: text.length, written: encodeFrom(text, 0, target, 0) };
  }
  let read = 0;
  let written = 0;
  while (read < text.length) {
    const unit = text.charCodeAt(read);
    if (unit < 0x80) {
      if (written === room) break;
      target[written++] = unit;
      read++;
      continue;
    }
    const pair = (unit & 0xfc00) === 0xd800 && (text.charCodeAt(read + 1) & 0xfc00) === 0xdc00;
    const size = pair ? 4 : unit < 0x800 ? 2 : 3;
    if (written + size > room) break;
    const taken = pair ? 2 : 1;
    encodeFrom(text.slice(read, read + taken), 0, target, written);
    read += taken;
    written += size;
  }
  return { read, written };
}

export interface DecodeOptions {
  /** Malformed input throws TypeError instead of becoming U+FFFD. */
  readonly fatal?: boolean;
  /** Keep a leading byte order mark as a character. */
  readonly ignoreBom?: boolean;
}

export function decodeUtf8(bytes: Uint8Array, options?: DecodeOptions): string {
  const bom =
    options?.ignoreBom !== true && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return decodeRun(bytes, bom ? 3 : 0, options?.fatal === true);
}

/** Decodes all of `bytes` from `start`; a sequence cut off at the end is malformed. */
export function decodeRun(bytes: Uint8Array, start: number, fatal: boolean): string {
  const length = bytes.length;
  let text = "";
  let i = start;
  while (i < length) {
    const block = i + BLOCK_BYTES <= length ? asciiBlock(bytes, i) : null;
    if (block !== null) {
      text += block;
      i += BLOCK_BYTES;
      continue;
    }
    i = decodeUnits(bytes, i, fatal);
    text += filled <= SMALL_UNITS ? smallText() : unitsText(scratch, filled);
  }
  return text;
}

/** The next BLOCK_BYTES bytes as text; null when they are not all ASCII. */
function asciiBlock(bytes: Uint8Array, at: number): string | null {
  const a = bytes[at] as number;
  const b = bytes[at + 1] as number;
  const c = bytes[at + 2] as number;
  const d = bytes[at + 3] as number;
  const e = bytes[at + 4] as number;
  const f = bytes[at + 5] as number;
  const g = bytes[at + 6] as number;
  const h = bytes[at + 7] as number;
  const i = bytes[at + 8] as number;
  const j = bytes[at + 9] as number;
  const k = bytes[at + 10] as number;
  const l = bytes[at + 11] as number;
  const m = bytes[at + 12] as number;
  const n = bytes[at + 13] as number;
  const o = bytes[at + 14] as number;
  const p = bytes[at + 15] as number;
  if ((a | b | c | d | e | f | g | h | i | j | k | l | m | n | o | p) > 0x7f) return null;
  return fromCharCode(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
}

function smallText(): string {
  const units: number[] = [];
  for (let i = 0; i < filled; i++) units[i] = scratch[i] as number;
  return apply(fromCharCode, null, units);
}

/** The first `length` units as text. Blocks of plain arguments are quicker than a typed array that is spread. */
export function unitsText(units: Uint8Array | Uint16Array, length: number): string {
  let text = "";
  let i = 0;
  for (; i + BLOCK_BYTES <= length; i += BLOCK_BYTES) {
    text += fromCharCode(
      units[i] as number,
      units[i + 1] as number,
      units[i + 2] as number,
      units[i + 3] as number,
      units[i + 4] as number,
      units[i + 5] as number,
      units[i + 6] as number,
      units[i + 7] as number,
      units[i + 8] as number,
      units[i + 9] as number,
      units[i + 10] as number,
      units[i + 11] as number,
      units[i + 12] as number,
      units[i + 13] as number,
      units[i + 14] as number,
      units[i + 15] as number,
    );
  }
  for (; i < length; i++) text += fromCharCode(units[i] as number);
  return text;
}

/** What two or three bytes stand for, the usual case; 0 when they do not, or may not. */
function shortUnit(lead: number, second: number, third: number): number {
  if ((second & 0xc0) !== 0x80) return 0;
  if (lead >= 0xc2 && lead <= 0xdf) return ((lead & 0x1f) << 6) | (second & 0x3f);
  if ((lead & 0xf0) !== 0xe0 || (third & 0xc0) !== 0x80) return 0;
  const unit = ((lead & 0xf) << 12) | ((second & 0x3f) << 6) | (third & 0x3f);
  return unit >= 0x800 && (unit & 0xf800) !== 0xd800 ? unit : 0;
}

/** Decodes until there are CHUNK_UNITS, the input ends or a run of ASCII begins; returns where it stopped. */
function decodeUnits(bytes: Uint8Array, from: number, fatal: boolean): number {
  const length = bytes.length;
  let at = 0;
  let ascii = 0;
  let i = from;
  while (i < length && at < CHUNK_UNITS) {
    const lead = bytes[i++] as number;
    if (lead < 0x80) {
      scratch[at++] = lead;
      if (++ascii === BLOCK_BYTES && length - i >= BLOCK_BYTES) break;
      continue;
    }
    ascii = 0;
    const unit = i + 1 < length ? shortUnit(lead, bytes[i] as number, bytes[i + 1] as number) : 0;
    if (unit > 0) {
      scratch[at++] = unit;
      i += unit < 0x800 ? 1 : 2;
      continue;
    }
    // Bounds of the second byte: they exclude overlong forms, surrogates and what is above U+10FFFF.
    let more = 0;
    let point = 0;
    let low = 0x80;
    let high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) {
      more = 1;
      point = lead & 0x1f;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      point = lead & 0xf;
      if (lead === 0xe0) low = 0xa0;
      else if (lead === 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      point = lead & 0x7;
      if (lead === 0xf0) low = 0x90;
      else if (lead === 0xf4) high = 0x8f;
    }
    let valid = more > 0;
    while (valid && more > 0) {
      const byte = i < length ? (bytes[i] as number) : 0;
      if (byte < low || byte > high) valid = false;
      else {
        point = (point << 6) | (byte & 0x3f);
        i++;
        more--;
        low = 0x80;
        high = 0xbf;
      }
    }
    if (!valid) {
      if (fatal) throw new TypeError("The encoded data was not valid for encoding utf-8");
      scratch[at++] = REPLACEMENT;
    } else if (point < 0x10000) scratch[at++] = point;
    else {
      scratch[at++] = 0xd7c0 + (point >> 10);
      scratch[at++] = 0xdc00 + (point & 0x3ff);
    }
  }
  filled = at;
  return i;
}

/** How many bytes at the end begin a sequence that the next chunk may complete: 0 to 3. */
export function incompleteTail(bytes: Uint8Array): number {
  const length = bytes.length;
  for (let back = 1; back <= 3 && back <= length; back++) {
    const byte = bytes[length - back] as number;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    if (byte < 0xc2 || byte > 0xf4 || size <= back) return 0;
    if (back === 1) return 1;
    const second = bytes[length - back + 1] as number;
    const wrong =
      (byte === 0xe0 && second < 0xa0) ||
      (byte === 0xed && second > 0x9f) ||
      (byte === 0xf0 && second < 0x90) ||
      (byte === 0xf4 && second > 0x8f);
    return wrong ? 0 : back;
  }
  return 0;
}
