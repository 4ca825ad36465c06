import { createCipheriv } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  chachaBlock,
  fillRandom,
  random,
  randomUuid,
  seedRandom,
  topLevelRandomReads,
} from "./random.ts";

// In the order of the file: nothing seeds the module before the first test.
test("reads before the seed are counted, later ones are not", () => {
  expect(topLevelRandomReads()).toBe(0);
  random();
  randomUuid();
  fillRandom(new Uint8Array(1));
  expect(topLevelRandomReads()).toBe(3);
  seedRandom(new Uint8Array(32));
  random();
  randomUuid();
  expect(topLevelRandomReads()).toBe(3);
});

test("the block function gives the vector of RFC 8439, 2.3.2", () => {
  const key = new Uint32Array(new Uint8Array(32).map((_, index) => index).buffer);
  const block = new Uint32Array(16);
  chachaBlock(key, 1, block, 0, [0x09000000, 0x4a000000, 0]);
  const hex = Buffer.from(block.buffer).toString("hex");
  expect(hex).toBe(
    "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e" +
      "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e",
  );
});

/** Blocks of OpenSSL's. Its initialisation vector begins with the counter. */
function blocksOf(key: Uint8Array, blocks: number, vector = new Uint8Array(16)): Uint8Array {
  return createCipheriv("chacha20", key, vector).update(new Uint8Array(blocks * 64));
}

const bytes = (length: number): fc.Arbitrary<Uint8Array<ArrayBuffer>> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((list) => new Uint8Array(list));

test("the block function gives OpenSSL's blocks", () => {
  fc.assert(
    fc.property(bytes(32), bytes(16), (key, vector) => {
      const [counter = 0, ...nonce] = new Uint32Array(vector.buffer);
      const block = new Uint32Array(18);
      chachaBlock(new Uint32Array(key.buffer), counter, block, 1, nonce);
      expect(new Uint8Array(block.buffer, 4, 64)).toEqual(new Uint8Array(blocksOf(key, 1, vector)));
      expect([block[0], block[17]]).toEqual([0, 0]);
    }),
  );
});

test("every byte of the generator is given out once, whatever the pieces", () => {
  const pieces = fc.array(fc.oneof(fc.nat(40), fc.constantFrom(479, 480, 481, 1_500)));
  fc.assert(
    fc.property(bytes(32), pieces, (seed, sizes) => {
      seedRandom(seed);
      const total = sizes.reduce((sum, size) => sum + size, 0);
      // One block and then eight at a time, the first half of the first being the next key; Math.random had 16 bytes.
      let refill = blocksOf(seed, 1);
      const expected = [...refill.subarray(32 + 16)];
      while (expected.length < total) {
        refill = blocksOf(refill.subarray(0, 32), 8);
        expected.push(...refill.subarray(32));
      }
      const given: number[] = [];
      for (const size of sizes) {
        const piece = new Uint8Array(size);
        fillRandom(piece);
        given.push(...piece);
      }
      expect(given).toEqual(expected.slice(0, total));
    }),
  );
});

test("the same seed gives the same values, another seed others", () => {
  const draw = (first: number): readonly unknown[] => {
    seedRandom(new Uint8Array(32).fill(first));
    const bytes = new Uint8Array(1000);
    fillRandom(bytes);
    return [random(), random(), randomUuid(), Buffer.from(bytes).toString("hex")];
  };
  const one = draw(1);
  expect(draw(1)).toEqual(one);
  const two = draw(2);
  for (const [index, value] of two.entries()) expect(value).not.toEqual(one[index]);
});

test("bytes do not repeat across refills, the short first one included", () => {
  seedRandom(new Uint8Array(32).fill(3));
  const bytes = new Uint8Array(64 * 1024);
  fillRandom(bytes);
  const words = new Set(new BigUint64Array(bytes.buffer));
  expect(words.size).toBe(8 * 1024);
});

test("Math.random is spread evenly over [0, 1)", () => {
  seedRandom(new Uint8Array(32).fill(4));
  const buckets = Array.from({ length: 100 }, () => 0);
  for (let i = 0; i < 100_000; i++) {
    const value = random();
    expect(value >= 0 && value < 1).toBe(true);
    const bucket = Math.floor(value * 100);
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }
  // Chi-squared with 99 degrees of freedom: 0.1 % of good generators are above 149.
  const chi = buckets.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
  expect(chi).toBeLessThan(149);
});

test("identifiers are version 4 UUIDs", () => {
  for (let i = 0; i < 100; i++) {
    expect(randomUuid()).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  }
});

test("a seed of another length is refused", () => {
  expect(() => seedRandom(new Uint8Array(31))).toThrow(RangeError);
  expect(() => seedRandom(new Uint8Array(33))).toThrow(RangeError);
});
