// What RFC 1951 calls lengths and distances: the first value of each symbol, and how many bits are added to it.

export interface Ranges {
  readonly first: Uint16Array;
  readonly extra: Uint8Array;
}

/** Symbols 257 to 285 of the alphabet of literals; the longest match has one of its own. */
export const LENGTHS: Ranges = /* @__PURE__ */ rangesOf(28, 3, 4, [258]);
export const LENGTH_MAX = 258;
export const DISTANCES: Ranges = /* @__PURE__ */ rangesOf(30, 1, 2, []);
export const DISTANCE_MAX = 32_768;
export const END_OF_BLOCK = 256;

/** Of `step` symbols each has one bit more than those before; the first 2 * step have none. */
function rangesOf(count: number, start: number, step: number, last: readonly number[]): Ranges {
  const first: number[] = [];
  const extra: number[] = [];
  let value = start;
  for (let symbol = 0; symbol < count; symbol++) {
    const bits = Math.max(0, Math.floor(symbol / step) - 1);
    first.push(value);
    extra.push(bits);
    value += 2 ** bits;
  }
  return { first: Uint16Array.from([...first, ...last]), extra: Uint8Array.from([...extra, 0]) };
}

/** The bits of a code in the order in which they are read. */
export function reversed(code: number, bits: number): number {
  let turned = 0;
  for (let bit = 0; bit < bits; bit++) turned |= ((code >>> bit) & 1) << (bits - 1 - bit);
  return turned;
}

/** How many bits each symbol of the alphabet of literals has where codes are fixed. */
export function fixedBitsOf(symbol: number): number {
  if (symbol < 144) return 8;
  if (symbol < 256) return 9;
  return symbol < 280 ? 7 : 8;
}
