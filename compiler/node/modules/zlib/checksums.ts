// The sums at the end of what is compressed: CRC-32 (gzip) and Adler-32 (zlib).

/** The polynomial of IEEE 802.3, bits reversed. */
const POLYNOMIAL = 0xed_b8_83_20;
const ADLER_MODULUS = 65_521;
/** So many bytes can be added up before the sums have to be reduced. */
const ADLER_BYTES = 5_552;

let table: Uint32Array | null = null;

export function crc32Of(bytes: Uint8Array, value = 0): number {
  table ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let rest = byte;
    for (let bit = 0; bit < 8; bit++)
      rest = (rest & 1) === 1 ? (rest >>> 1) ^ POLYNOMIAL : rest >>> 1;
    return rest;
  });
  let sum = ~value;
  for (const byte of bytes) sum = (table[(sum ^ byte) & 0xff] ?? 0) ^ (sum >>> 8);
  return ~sum >>> 0;
}

export function adler32Of(bytes: Uint8Array): number {
  let low = 1;
  let high = 0;
  for (let from = 0; from < bytes.length; from += ADLER_BYTES) {
    for (const byte of bytes.subarray(from, from + ADLER_BYTES)) {
      low += byte;
      high += low;
    }
    low %= ADLER_MODULUS;
    high %= ADLER_MODULUS;
  }
  return ((high << 16) | low) >>> 0;
}
