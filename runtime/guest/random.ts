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
  for (let at = 0; at < bytes.length;) {
    if (next === poolBytes.length) refill(REFILL_BLOCKS);
    const from = next;
    const left = bytes.length - at;
    const room = poolBytes.length - from;
    const count = left < room ? left : room;
    // Before the loop: it may be cut off by the time-out, and what it has given out is not given out again.
    next = from + count;
    for (let i = 0; i < count; i++) {
      bytes[at + i] = poolBytes[from + i] as number;
      poolBytes[from + i] = 0;
    }
    at += count;
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

const NO_NONCE: readonly number[] = [0, 0, 0];
const input = new Uint32Array(BLOCK_WORDS);

/** One block with a zero nonce: the key is used for one refill only. Exported for the RFC's vectors. */
export function chachaBlock(
  from: Uint32Array,
  counter: number,
  to: Uint32Array,
  at: number,
  nonce: readonly number[] = NO_NONCE,
): void {
  input[0] = 0x61707865;
  input[1] = 0x3320646e;
  input[2] = 0x79622d32;
  input[3] = 0x6b206574;
  for (let i = 0; i < 8; i++) input[4 + i] = from[i] as number;
  input[12] = counter;
  for (let i = 0; i < 3; i++) input[13 + i] = nonce[i] as number;
  scramble(to, at);
}

function turn(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** The block of `input`. Its four rows of words in variables: three times as quick as in an array. */
function scramble(to: Uint32Array, at: number): void {
  let a0 = (input[0] as number) | 0;
  let a1 = (input[1] as number) | 0;
  let a2 = (input[2] as number) | 0;
  let a3 = (input[3] as number) | 0;
  let b0 = (input[4] as number) | 0;
  let b1 = (input[5] as number) | 0;
  let b2 = (input[6] as number) | 0;
  let b3 = (input[7] as number) | 0;
  let c0 = (input[8] as number) | 0;
  let c1 = (input[9] as number) | 0;
  let c2 = (input[10] as number) | 0;
  let c3 = (input[11] as number) | 0;
  let d0 = (input[12] as number) | 0;
  let d1 = (input[13] as number) | 0;
  let d2 = (input[14] as number) | 0;
  let d3 = (input[15] as number) | 0;
  for (let round = 0; round < 10; round++) {
    d0 = turn(d0 ^ (a0 = (a0 + b0) | 0), 16);
    b0 = turn(b0 ^ (c0 = (c0 + d0) | 0), 12);
    d0 = turn(d0 ^ (a0 = (a0 + b0) | 0), 8);
    b0 = turn(b0 ^ (c0 = (c0 + d0) | 0), 7);
    d1 = turn(d1 ^ (a1 = (a1 + b1) | 0), 16);
    b1 = turn(b1 ^ (c1 = (c1 + d1) | 0), 12);
    d1 = turn(d1 ^ (a1 = (a1 + b1) | 0), 8);
    b1 = turn(b1 ^ (c1 = (c1 + d1) | 0), 7);
    d2 = turn(d2 ^ (a2 = (a2 + b2) | 0), 16);
    b2 = turn(b2 ^ (c2 = (c2 + d2) | 0), 12);
    d2 = turn(d2 ^ (a2 = (a2 + b2) | 0), 8);
    b2 = turn(b2 ^ (c2 = (c2 + d2) | 0), 7);
    d3 = turn(d3 ^ (a3 = (a3 + b3) | 0), 16);
    b3 = turn(b3 ^ (c3 = (c3 + d3) | 0), 12);
    d3 = turn(d3 ^ (a3 = (a3 + b3) | 0), 8);
    b3 = turn(b3 ^ (c3 = (c3 + d3) | 0), 7);
    d3 = turn(d3 ^ (a0 = (a0 + b1) | 0), 16);
    b1 = turn(b1 ^ (c2 = (c2 + d3) | 0), 12);
    d3 = turn(d3 ^ (a0 = (a0 + b1) | 0), 8);
    b1 = turn(b1 ^ (c2 = (c2 + d3) | 0), 7);
    d0 = turn(d0 ^ (a1 = (a1 + b2) | 0), 16);
    b2 = turn(b2 ^ (c3 = (c3 + d0) | 0), 12);
    d0 = turn(d0 ^ (a1 = (a1 + b2) | 0), 8);
    b2 = turn(b2 ^ (c3 = (c3 + d0) | 0), 7);
    d1 = turn(d1 ^ (a2 = (a2 + b3) | 0), 16);
    b3 = turn(b3 ^ (c0 = (c0 + d1) | 0), 12);
    d1 = turn(d1 ^ (a2 = (a2 + b3) | 0), 8);
    b3 = turn(b3 ^ (c0 = (c0 + d1) | 0), 7);
    d2 = turn(d2 ^ (a3 = (a3 + b0) | 0), 16);
    b0 = turn(b0 ^ (c1 = (c1 + d2) | 0), 12);
    d2 = turn(d2 ^ (a3 = (a3 + b0) | 0), 8);
    b0 = turn(b0 ^ (c1 = (c1 + d2) | 0), 7);
  }
  to[at] = a0 + (input[0] as number);
  to[at + 1] = a1 + (input[1] as number);
  to[at + 2] = a2 + (input[2] as number);
  to[at + 3] = a3 + (input[3] as number);
  to[at + 4] = b0 + (input[4] as number);
  to[at + 5] = b1 + (input[5] as number);
  to[at + 6] = b2 + (input[6] as number);
  to[at + 7] = b3 + (input[7] as number);
  to[at + 8] = c0 + (input[8] as number);
  to[at + 9] = c1 + (input[9] as number);
  to[at + 10] = c2 + (input[10] as number);
  to[at + 11] = c3 + (input[11] as number);
  to[at + 12] = d0 + (input[12] as number);
  to[at + 13] = d1 + (input[13] as number);
  to[at + 14] = d2 + (input[14] as number);
  to[at + 15] = d3 + (input[15] as number);
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
