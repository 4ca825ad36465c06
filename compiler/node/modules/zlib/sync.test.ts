import { randomBytes } from "node:crypto";
import * as nodes from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  deflateRawSync,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateRawSync,
  inflateSync,
  unzipSync,
} from "./sync.ts";

const PAIRS = [
  ["gzip", gzipSync, gunzipSync, nodes.gzipSync, nodes.gunzipSync],
  ["zlib", deflateSync, inflateSync, nodes.deflateSync, nodes.inflateSync],
  ["raw", deflateRawSync, inflateRawSync, nodes.deflateRawSync, nodes.inflateRawSync],
  ["unzip", deflateSync, unzipSync, nodes.gzipSync, nodes.unzipSync],
] as const;

const repeating = (bytes: number, period: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length: bytes }, (_, at) => (at % period) * 7);
const TEXT = Array.from({ length: 3_000 }, (_, at) => JSON.stringify({ id: at, name: "name" }));
const SAMPLES: readonly (readonly [string, Uint8Array<ArrayBuffer>])[] = [
  ["nothing", new Uint8Array()],
  ["one byte", Uint8Array.of(255)],
  ["one byte over and over", new Uint8Array(100_000).fill(65)],
  ["a period as long as the window", repeating(150_000, 32_768)],
  ["a period one longer than the window", repeating(150_000, 32_769)],
  ["the longest match and one more", repeating(260 * 2, 259)],
  ["text", new TextEncoder().encode(TEXT.join())],
  ["random bytes of two stored blocks", new Uint8Array(randomBytes(65_536))],
];

test.each(PAIRS)("%s: Node reads what is written, and what Node writes is read", (_, ...forms) => {
  const [write, read, writeOfNode, readOfNode] = forms;
  for (const [, bytes] of SAMPLES) {
    const plain = Buffer.from(bytes);
    expect(readOfNode(write(bytes)).equals(plain)).toBe(true);
    expect(readOfNode(write(bytes, { level: 0 })).equals(plain)).toBe(true);
    for (const level of [0, 1, 9]) {
      expect(read(new Uint8Array(writeOfNode(bytes, { level }))).equals(plain)).toBe(true);
    }
    for (const strategy of [nodes.constants.Z_FIXED, nodes.constants.Z_HUFFMAN_ONLY]) {
      expect(read(new Uint8Array(writeOfNode(bytes, { strategy }))).equals(plain)).toBe(true);
    }
  }
});

test("texts become smaller, and random bytes hardly larger", () => {
  const text = new TextEncoder().encode(TEXT.join());
  expect(deflateRawSync(text).length).toBeLessThan(text.length / 5);
  expect(deflateRawSync(new Uint8Array(randomBytes(65_536))).length).toBe(65_546);
});

test("any bytes come back", () => {
  const bytes = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 2_000 });
  fc.assert(
    fc.property(bytes, (given) => {
      const input = Uint8Array.from(given);
      expect(nodes.inflateRawSync(deflateRawSync(input)).equals(Buffer.from(input))).toBe(true);
      expect(inflateRawSync(new Uint8Array(deflateRawSync(input))).equals(Buffer.from(input))).toBe(
        true,
      );
    }),
  );
});

test("what is damaged is refused as Node refuses it, or read as Node reads it", () => {
  const whole = new Uint8Array(nodes.gzipSync(TEXT.slice(0, 40).join()));
  const outcome = (read: () => Buffer): unknown => {
    try {
      return read().toString("latin1");
    } catch (error) {
      return Reflect.get(Object(error), "code");
    }
  };
  for (let at = 0; at < whole.length; at++) {
    const cut = whole.slice(0, at);
    expect([at, outcome(() => gunzipSync(cut))]).toEqual([
      at,
      outcome(() => nodes.gunzipSync(cut)),
    ]);
    const flipped = whole.slice();
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
    const [found, wanted] = [gunzipSync, nodes.gunzipSync].map((read) =>
      outcome(() => read(flipped)),
    );
    expect([at, found]).toEqual([at, wanted]);
  }
});

test("members of gzip follow one another, with names, extras and comments, and garbage ends them", () => {
  const head = [0x1f, 0x8b, 8, 2 | 4 | 8 | 16, 0, 0, 0, 0, 0, 3];
  const fields = [2, 0, 9, 9, 0x61, 0, 0x62, 0, 0, 0];
  const rest = nodes.gzipSync("b").subarray(10);
  const bytes = Buffer.concat([nodes.gzipSync("a"), Buffer.from([...head, ...fields]), rest]);
  const sum = nodes.crc32(Buffer.from([...head, ...fields.slice(0, -2)])) & 0xffff;
  bytes.writeUInt16LE(sum, nodes.gzipSync("a").length + head.length + fields.length - 2);
  const given = new Uint8Array([...bytes, 0, 0, 1]);
  expect(gunzipSync(given).toString()).toBe("ab");
  expect(gunzipSync(given)).toEqual(nodes.gunzipSync(given));
});

test.each([
  [99, "ERR_BUFFER_TOO_LARGE"],
  [100, null],
  [101, null],
])("output of 100 bytes with a bound of %i ends with %s", (maxOutputLength, code) => {
  const input = new Uint8Array(nodes.gzipSync(Buffer.alloc(100)));
  let thrown: unknown = null;
  try {
    gunzipSync(input, { maxOutputLength });
  } catch (error) {
    thrown = Reflect.get(Object(error), "code");
  }
  expect(thrown).toBe(code);
});
