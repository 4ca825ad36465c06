// Inflate (RFC 1951), at once and in the isolate, for what packages do synchronously.

import { coded } from "../errors.ts";
import { DISTANCES, END_OF_BLOCK, fixedBitsOf, LENGTHS, reversed } from "./codes.ts";

const CODE_BITS_MAX = 15;
/** In which order the lengths of the codes for lengths stand. */
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const FIRST_OUTPUT_BYTES = 1_024;

const Z_DATA_ERROR = -3;
const Z_BUF_ERROR = -5;

/** By the bits that come next: symbol << 4 | number of bits. */
interface Codes {
  readonly entries: Uint16Array;
  readonly bits: number;
}

export interface Inflated {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Bytes of the input that were read. */
  readonly read: number;
}

export function dataError(text: string): Error {
  return Object.assign(coded("Error", "Z_DATA_ERROR", text), { errno: Z_DATA_ERROR });
}

export function endError(): Error {
  const error = coded("Error", "Z_BUF_ERROR", "unexpected end of file");
  return Object.assign(error, { errno: Z_BUF_ERROR });
}

/** Throws Z_DATA_ERROR, Z_BUF_ERROR, or ERR_BUFFER_TOO_LARGE beyond `max` bytes. */
export function inflateBytes(input: Uint8Array, from: number, max: number): Inflated {
  return new Inflater(input, from, max).run();
}

class Inflater {
  readonly #input: Uint8Array;
  readonly #max: number;
  #at: number;
  #bits = 0;
  #bitCount = 0;
  #output = new Uint8Array(FIRST_OUTPUT_BYTES);
  #size = 0;

  constructor(input: Uint8Array, from: number, max: number) {
    this.#input = input;
    this.#at = from;
    this.#max = max;
  }

  run(): Inflated {
    let isLast = false;
    while (!isLast) {
      isLast = this.#take(1) === 1;
      const type = this.#take(2);
      if (type === 0) this.#stored();
      else if (type === 1) this.#compressed(fixedLiterals(), fixedDistances());
      else if (type === 2) this.#dynamic();
      else throw dataError("invalid block type");
    }
    this.#giveBack();
    return { bytes: this.#output.slice(0, this.#size), read: this.#at };
  }

  #take(count: number): number {
    while (this.#bitCount < count) {
      const byte = this.#input[this.#at++];
      if (byte === undefined) throw endError();
      this.#bits |= byte << this.#bitCount;
      this.#bitCount += 8;
    }
    const value = this.#bits & ((1 << count) - 1);
    this.#bits >>>= count;
    this.#bitCount -= count;
    return value;
  }

  /** Whole bytes that were taken too early. */
  #giveBack(): void {
    this.#at -= this.#bitCount >> 3;
    this.#bits = 0;
    this.#bitCount = 0;
  }

  #symbol({ entries, bits }: Codes): number {
    while (this.#bitCount < bits && this.#at < this.#input.length) {
      this.#bits |= (this.#input[this.#at++] ?? 0) << this.#bitCount;
      this.#bitCount += 8;
    }
    const entry = entries[this.#bits & ((1 << bits) - 1)] ?? 0;
    const length = entry & 15;
    if (length > this.#bitCount) throw endError();
    if (length === 0) {
      throw this.#bitCount < bits ? endError() : dataError("invalid code");
    }
    this.#bits >>>= length;
    this.#bitCount -= length;
    return entry >>> 4;
  }

  #stored(): void {
    this.#giveBack();
    const length = this.#take(16);
    if ((length ^ this.#take(16)) !== 0xffff) throw dataError("invalid stored block lengths");
    this.#giveBack();
    if (this.#at + length > this.#input.length) throw endError();
    this.#room(length);
    this.#output.set(this.#input.subarray(this.#at, this.#at + length), this.#size);
    this.#size += length;
    this.#at += length;
  }

  #dynamic(): void {
    const literals = this.#take(5) + 257;
    const distances = this.#take(5) + 1;
    const count = this.#take(4) + 4;
    if (literals > 286 || distances > 30) throw dataError("too many length or distance symbols");
    const ofLengths = new Uint8Array(ORDER.length);
    for (let at = 0; at < count; at++) ofLengths[ORDER[at] ?? 0] = this.#take(3);
    const codes = codesOf(ofLengths);
    const lengths = new Uint8Array(literals + distances);
    for (let at = 0; at < lengths.length;) {
      const symbol = this.#symbol(codes);
      if (symbol < 16) {
        lengths[at++] = symbol;
        continue;
      }
      if (symbol === 16 && at === 0) throw dataError("invalid bit length repeat");
      const value = symbol === 16 ? (lengths[at - 1] ?? 0) : 0;
      const times =
        symbol === 16 ? 3 + this.#take(2) : symbol === 17 ? 3 + this.#take(3) : 11 + this.#take(7);
      if (at + times > lengths.length) throw dataError("invalid bit length repeat");
      lengths.fill(value, at, at + times);
      at += times;
    }
    if (lengths[END_OF_BLOCK] === 0) throw dataError("invalid code -- missing end-of-block");
    this.#compressed(codesOf(lengths.subarray(0, literals)), codesOf(lengths.subarray(literals)));
  }

  #compressed(literals: Codes, distances: Codes): void {
    for (;;) {
      const symbol = this.#symbol(literals);
      if (symbol === END_OF_BLOCK) return;
      if (symbol < END_OF_BLOCK) {
        this.#room(1);
        this.#output[this.#size++] = symbol;
        continue;
      }
      const at = symbol - END_OF_BLOCK - 1;
      if (at >= LENGTHS.first.length) throw dataError("invalid literal/length code");
      const length = (LENGTHS.first[at] ?? 0) + this.#take(LENGTHS.extra[at] ?? 0);
      const far = this.#symbol(distances);
      if (far >= DISTANCES.first.length) throw dataError("invalid distance code");
      this.#copy(length, (DISTANCES.first[far] ?? 0) + this.#take(DISTANCES.extra[far] ?? 0));
    }
  }

  #copy(length: number, distance: number): void {
    if (distance > this.#size) throw dataError("invalid distance too far back");
    this.#room(length);
    const output = this.#output;
    let to = this.#size;
    // One by one: what is copied may begin in what is being copied.
    for (let left = length; left > 0; left--, to++) output[to] = output[to - distance] ?? 0;
    this.#size = to;
  }

  #room(bytes: number): void {
    const wanted = this.#size + bytes;
    if (wanted > this.#max) {
      const text = `Cannot create a Buffer larger than ${this.#max} bytes`;
      throw coded("RangeError", "ERR_BUFFER_TOO_LARGE", text);
    }
    if (wanted <= this.#output.length) return;
    const larger = new Uint8Array(Math.max(wanted, this.#output.length * 2));
    larger.set(this.#output.subarray(0, this.#size));
    this.#output = larger;
  }
}

/** Throws Z_DATA_ERROR when no such code can be. */
function codesOf(lengths: Uint8Array): Codes {
  const counts = new Uint16Array(CODE_BITS_MAX + 1);
  for (const length of lengths) counts[length] = (counts[length] ?? 0) + 1;
  let bits = 1;
  let code = 0;
  let left = 1;
  const next = new Uint16Array(CODE_BITS_MAX + 1);
  for (let length = 1; length <= CODE_BITS_MAX; length++) {
    const count = counts[length] ?? 0;
    if (count > 0) bits = length;
    left = left * 2 - count;
    if (left < 0) throw dataError("over-subscribed code lengths");
    next[length] = code;
    code = (code + count) << 1;
  }
  const used = lengths.length - (counts[0] ?? 0);
  // One distance, or none, may have a code that is not complete.
  if (left > 0 && used > 1) throw dataError("incomplete code lengths");
  const entries = new Uint16Array(1 << bits);
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol] ?? 0;
    if (length === 0) continue;
    const first = reversed(next[length] ?? 0, length);
    next[length] = (next[length] ?? 0) + 1;
    for (let at = first; at < entries.length; at += 1 << length) {
      entries[at] = (symbol << 4) | length;
    }
  }
  return { entries, bits };
}

let literals: Codes | null = null;
let distances: Codes | null = null;

function fixedLiterals(): Codes {
  literals ??= codesOf(Uint8Array.from({ length: 288 }, (_, symbol) => fixedBitsOf(symbol)));
  return literals;
}

function fixedDistances(): Codes {
  distances ??= codesOf(new Uint8Array(32).fill(5));
  return distances;
}
