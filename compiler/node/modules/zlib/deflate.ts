// Deflate (RFC 1951), at once and in the isolate: repeated bytes are found, and codes are the fixed ones, so that it is
// small; what it gives is a fifth larger than what the host gives.

import {
  DISTANCE_MAX,
  DISTANCES,
  END_OF_BLOCK,
  fixedBitsOf,
  LENGTH_MAX,
  LENGTHS,
  reversed,
  type Ranges,
} from "./codes.ts";

const MATCH_MIN = 3;
const HASH_BITS = 15;
const NONE = -1;
/** How many earlier places are looked at for one match: more takes longer than it saves. */
const TRIES_MAX = 32;
const STORED_BYTES_MAX = 65_535;

/** `isStored`: nothing is to be compressed. */
export function deflateBytes(input: Uint8Array, isStored: boolean): Uint8Array<ArrayBuffer> {
  if (isStored) return stored(input);
  const compressed = new Deflater(input).run();
  const blocks = Math.max(1, Math.ceil(input.length / STORED_BYTES_MAX));
  return compressed.length < input.length + blocks * 5 ? compressed : stored(input);
}

function stored(input: Uint8Array): Uint8Array<ArrayBuffer> {
  const blocks = Math.max(1, Math.ceil(input.length / STORED_BYTES_MAX));
  const output = new Uint8Array(input.length + blocks * 5);
  const view = new DataView(output.buffer);
  let to = 0;
  for (let block = 0; block < blocks; block++) {
    const from = block * STORED_BYTES_MAX;
    const bytes = input.subarray(from, from + STORED_BYTES_MAX);
    output[to] = block === blocks - 1 ? 1 : 0;
    view.setUint16(to + 1, bytes.length, true);
    view.setUint16(to + 3, bytes.length ^ 0xffff, true);
    output.set(bytes, to + 5);
    to += 5 + bytes.length;
  }
  return output;
}

class Deflater {
  readonly #input: Uint8Array;
  /** A byte takes nine bits at most; a match less than its bytes would. */
  readonly #output: Uint8Array<ArrayBuffer>;
  readonly #latest: Int32Array = new Int32Array(1 << HASH_BITS).fill(NONE);
  readonly #earlier: Int32Array = new Int32Array(DISTANCE_MAX);
  readonly #codes: Uint16Array = fixedCodes();
  #size = 0;
  #bits = 0;
  #bitCount = 0;

  constructor(input: Uint8Array) {
    this.#input = input;
    this.#output = new Uint8Array(input.length + (input.length >> 3) + 8);
  }

  run(): Uint8Array<ArrayBuffer> {
    const input = this.#input;
    this.#put(0b011, 3);
    for (let at = 0; at < input.length;) {
      const [length, distance] = this.#matchAt(at);
      if (length < MATCH_MIN) {
        this.#putSymbol(input[at] ?? 0);
        this.#remember(at++);
        continue;
      }
      this.#putMatch(length, distance);
      for (const end = at + length; at < end; at++) this.#remember(at);
    }
    this.#putSymbol(END_OF_BLOCK);
    if (this.#bitCount > 0) this.#put(0, 8 - this.#bitCount);
    return this.#output.slice(0, this.#size);
  }

  #matchAt(at: number): readonly [length: number, distance: number] {
    const input = this.#input;
    const lengthMax = Math.min(LENGTH_MAX, input.length - at);
    if (lengthMax < MATCH_MIN) return [0, 0];
    let best = MATCH_MIN - 1;
    let distance = 0;
    let place = this.#latest[this.#hashAt(at)] ?? NONE;
    for (
      let tries = TRIES_MAX;
      tries > 0 && place !== NONE && at - place <= DISTANCE_MAX;
      tries--
    ) {
      // What cannot be longer than the best is not looked at.
      if (input[place + best] === input[at + best]) {
        let length = 0;
        while (length < lengthMax && input[place + length] === input[at + length]) length++;
        if (length > best) {
          best = length;
          distance = at - place;
          if (length === lengthMax) break;
        }
      }
      const earlier = this.#earlier[place % DISTANCE_MAX] ?? NONE;
      if (earlier >= place) break;
      place = earlier;
    }
    return distance === 0 ? [0, 0] : [best, distance];
  }

  #hashAt(at: number): number {
    const input = this.#input;
    const three = ((input[at] ?? 0) << 16) | ((input[at + 1] ?? 0) << 8) | (input[at + 2] ?? 0);
    return Math.imul(three, 0x9e_37_79_b1) >>> (32 - HASH_BITS);
  }

  #remember(at: number): void {
    if (at + MATCH_MIN > this.#input.length) return;
    const hash = this.#hashAt(at);
    this.#earlier[at % DISTANCE_MAX] = this.#latest[hash] ?? NONE;
    this.#latest[hash] = at;
  }

  #putMatch(length: number, distance: number): void {
    const symbol = symbolOf(LENGTHS, length);
    this.#putSymbol(END_OF_BLOCK + 1 + symbol);
    this.#put(length - (LENGTHS.first[symbol] ?? 0), LENGTHS.extra[symbol] ?? 0);
    const far = symbolOf(DISTANCES, distance);
    this.#put(reversed(far, 5), 5);
    this.#put(distance - (DISTANCES.first[far] ?? 0), DISTANCES.extra[far] ?? 0);
  }

  #putSymbol(symbol: number): void {
    this.#put(this.#codes[symbol] ?? 0, fixedBitsOf(symbol));
  }

  #put(value: number, count: number): void {
    this.#bits |= value << this.#bitCount;
    this.#bitCount += count;
    while (this.#bitCount >= 8) {
      this.#output[this.#size++] = this.#bits & 0xff;
      this.#bits >>>= 8;
      this.#bitCount -= 8;
    }
  }
}

let codes: Uint16Array | null = null;

function fixedCodes(): Uint16Array {
  codes ??= Uint16Array.from({ length: 288 }, (_, symbol) => {
    if (symbol < 144) return reversed(0x30 + symbol, 8);
    if (symbol < 256) return reversed(0x190 + symbol - 144, 9);
    return symbol < 280 ? reversed(symbol - 256, 7) : reversed(0xc0 + symbol - 280, 8);
  });
  return codes;
}

/** The last one that begins at `value` or before. */
function symbolOf({ first }: Ranges, value: number): number {
  let low = 0;
  let high = first.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((first[middle] ?? 0) <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}
