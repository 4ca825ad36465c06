// Randomness from one seed of the host's: no crossing per call, and a request can be replayed. Math.random is
// xoshiro128** (fast, predictable); everything under `crypto` is ChaCha20 keyed by the seed (RFC 8439 block
// function, the key replaced after every refill, so that what was given out cannot be computed back).
// Before thaw there is no seed: reads are counted, because a snapshot would bake them into every isolate.

const BLOCK_WORDS = 16;
const WORD_BYTES = 4;
const BLOCK_BYTES = 64;
/** Blocks per refill; the first half block becomes the next key. */
const REFILL_BLOCKS = 8;
export const SEED_BYTES = 32;

const key = new Uint32Array(8);
const pool = new Uint32Array(BLOCK_WORDS * REFILL_BLOCKS);
const poolBytes = new Uint8Array(pool.buffer);
/** First byte of the pool that has not been given out. */
let next = poolBytes.length;
let seeded = false;
let reads = 0;

let a = 1;
let b = 2;
let c = 3;
let d = 4;

/** How often author code asked for randomness before thaw. */
export function topLevelRandomReads(): number {
  return reads;
}

/** `seed`: 32 bytes nobody else knows. The caller's copy is of no further use and should be dropped. */
export function seedRandom(seed: Uint8Array): void {
  if (seed.length !== SEED_BYTES) throw new RangeError(`A seed has ${SEED_BYTES} bytes`);
  for (let i = 0; i < 8; i++) {
    const at = i * 4;
    key[i] =
      (seed[at] as number) |
      ((seed[at + 1] as number) << 8) |
      ((seed[at + 2] as number) << 16) |
      ((seed[at + 3] as number) << 24);
  }
  // One block, of which half is the next key: every isolate that starts pays for this, and few need more.
  refill(1);
  const state = new Uint8Array(BLOCK_WORDS);
  fill(state);
  a = word(state, 0);
  b = word(state, 4);
  c = word(state, 8);
  d = word(state, 12) | 1;
  seeded = true;
}

function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

/** xoshiro128**: 32 bits. */
function random32(): number {
  const x = b * 5;
  const result = (((x << 7) | (x >>> 25)) * 9) | 0;
  const shifted = b << 9;
  c ^= a;
  d ^= b;
  b ^= c;
  a ^= d;
  c ^= shifted;
  d = (d << 11) | (d >>> 21);
  return result >>> 0;
}

/** 53 bits, as the engine's own. */
export function random(): number {
  if (!seeded) reads++;
  return ((random32() >>> 5) * 67_108_864 + (random32() >>> 6)) / 9_007_199_254_740_992;
}

/** Fills `bytes` for the author: counted when there is no seed yet. */
export function fillRandom(bytes: Uint8Array): void {
  if (!seeded) reads++;
  fill(bytes);
}

function fill(bytes: Uint8Array): void {
  for (let i = 0; i < bytes.length; i++) {
    if (next === poolBytes.length) refill(REFILL_BLOCKS);
    bytes[i] = poolBytes[next] as number;
    poolBytes[next++] = 0;
  }
}

/** Fills the end of the pool, so that what follows it is the next refill. */
function refill(blocks: number): void {
  const first = (REFILL_BLOCKS - blocks) * BLOCK_WORDS;
  for (let block = 0; block < blocks; block++)
    chachaBlock(key, block, pool, first + block * BLOCK_WORDS);
  for (let i = 0; i < 8; i++) {
    key[i] = pool[first + i] as number;
    pool[first + i] = 0;
  }
  next = first * WORD_BYTES + BLOCK_BYTES / 2;
}

const work = new Uint32Array(BLOCK_WORDS);

/** One block with a zero nonce: the key is used for one refill only. Exported for the RFC's vectors. */
export function chachaBlock(
  from: Uint32Array,
  counter: number,
  to: Uint32Array,
  at: number,
  nonce: readonly number[] = [0, 0, 0],
): void {
  work[0] = 0x61707865;
  work[1] = 0x3320646e;
  work[2] = 0x79622d32;
  work[3] = 0x6b206574;
  for (let i = 0; i < 8; i++) work[4 + i] = from[i] as number;
  work[12] = counter;
  for (let i = 0; i < 3; i++) work[13 + i] = nonce[i] as number;
  for (let i = 0; i < BLOCK_WORDS; i++) to[at + i] = work[i] as number;
  for (let round = 0; round < 10; round++) {
    quarter(0, 4, 8, 12);
    quarter(1, 5, 9, 13);
    quarter(2, 6, 10, 14);
    quarter(3, 7, 11, 15);
    quarter(0, 5, 10, 15);
    quarter(1, 6, 11, 12);
    quarter(2, 7, 8, 13);
    quarter(3, 4, 9, 14);
  }
  for (let i = 0; i < BLOCK_WORDS; i++) to[at + i] = (to[at + i] as number) + (work[i] as number);
}

function quarter(p: number, q: number, r: number, s: number): void {
  let w = work[p] as number;
  let x = work[q] as number;
  let y = work[r] as number;
  let z = work[s] as number;
  w = (w + x) | 0;
  z ^= w;
  z = (z << 16) | (z >>> 16);
  y = (y + z) | 0;
  x ^= y;
  x = (x << 12) | (x >>> 20);
  w = (w + x) | 0;
  z ^= w;
  z = (z << 8) | (z >>> 24);
  y = (y + z) | 0;
  x ^= y;
  x = (x << 7) | (x >>> 25);
  work[p] = w;
  work[q] = x;
  work[r] = y;
  work[s] = z;
}

const HEX: string[] = [];
for (let byte = 0; byte < 256; byte++) HEX[byte] = (byte + 256).toString(16).slice(1);
const uuid = new Uint8Array(16);

/** A version 4 UUID. */
export function randomUuid(): string {
  fillRandom(uuid);
  uuid[6] = ((uuid[6] as number) & 0x0f) | 0x40;
  uuid[8] = ((uuid[8] as number) & 0x3f) | 0x80;
  let text = "";
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) text += "-";
    text += HEX[uuid[i] as number];
  }
  return text;
}
