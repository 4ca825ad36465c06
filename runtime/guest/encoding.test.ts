// Encoder and decoder against Node's, whole and in chunks.

import { TextDecoder as NodeDecoder, TextEncoder as NodeEncoder } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeUtf8, encodeUtf8, TextDecoder, TextEncoder } from "./encoding.ts";
import { utf8Length } from "./utf8.ts";

const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom("a", "é", "€", "😀", "\ud83d", "\ude00", "\ufeff", "\0") }),
);
/** Bytes that are nearly UTF-8: what decides are the edges of sequences. */
const EDGES = [
  0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbb, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1,
  0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff, 0xfe, 0xd8, 0xdc,
];
const bytes = fc
  .array(fc.oneof(fc.constantFrom(...EDGES), fc.integer({ min: 0, max: 255 })), { maxLength: 40 })
  .map((list) => new Uint8Array(list));

interface Decoder {
  decode(input?: Uint8Array, options?: { stream: boolean }): string;
}

function attempt(run: () => string): string | { failed: string } {
  try {
    return run();
  } catch (error) {
    return { failed: (error as Error).constructor.name };
  }
}

describe("TextEncoder", () => {
  test("encodes any text as Node does, and knows the length before", () => {
    fc.assert(
      fc.property(text, (input) => {
        const expected = new NodeEncoder().encode(input);
        expect(encodeUtf8(input)).toEqual(expected);
        expect(utf8Length(input)).toBe(expected.length);
      }),
      { numRuns: 2_000 },
    );
  });

  test("encodes long texts across the length up to which they are copied", () => {
    for (const length of [2047, 2048, 2049]) {
      for (const unit of ["a", "é", "€", "😀", "\ud83d"]) {
        for (const input of [unit.repeat(length), `${"a".repeat(length - 1)}${unit}`]) {
          const text = input.slice(0, length);
          expect(encodeUtf8(text)).toEqual(new NodeEncoder().encode(text));
        }
      }
    }
  });

  test("gives every text bytes of its own", () => {
    const [first, second] = [encodeUtf8("é"), encodeUtf8("ü")];
    expect(first.buffer).not.toBe(second.buffer);
    expect([first.byteOffset, first.buffer.byteLength]).toEqual([0, 2]);
  });

  test("fills a target as far as whole characters fit", () => {
    fc.assert(
      fc.property(text, fc.nat(48), (input, room) => {
        const ours = new Uint8Array(room);
        const nodes = new Uint8Array(room);
        const expected = new NodeEncoder().encodeInto(input, nodes);
        expect(new TextEncoder().encodeInto(input, ours)).toEqual(expected);
        expect(ours).toEqual(nodes);
      }),
      { numRuns: 2_000 },
    );
  });

  test("refuses a target that is no Uint8Array", () => {
    expect(() => new TextEncoder().encodeInto("a", new Uint8ClampedArray(1))).toThrow(TypeError);
    expect(() => new TextEncoder().encodeInto("a", new ArrayBuffer(1))).toThrow(TypeError);
  });
});

describe.each(["utf-8", "utf-16le", "utf-16be", "windows-1252"])("TextDecoder for %s", (label) => {
  const flags = fc.record({ fatal: fc.boolean(), ignoreBOM: fc.boolean() });

  test("decodes any bytes as Node does", () => {
    fc.assert(
      fc.property(bytes, flags, (input, options) => {
        const ours = new TextDecoder(label, options);
        const nodes = new NodeDecoder(label, options);
        expect(attempt(() => ours.decode(input))).toEqual(attempt(() => nodes.decode(input)));
      }),
      { numRuns: 3_000 },
    );
  });

  test("gives the same text in chunks as in one piece", () => {
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(40), { maxLength: 5 }), flags, (input, cuts, options) => {
        const ends = [...cuts.filter((cut) => cut < input.length), input.length].sort(
          (a, b) => a - b,
        );
        const inChunks = (decoder: Decoder): string => {
          let at = 0;
          let result = "";
          for (const end of ends) {
            result += decoder.decode(input.slice(at, end), { stream: true });
            at = end;
          }
          return result + decoder.decode();
        };
        const whole = attempt(() => new TextDecoder(label, options).decode(input));
        expect(attempt(() => inChunks(new TextDecoder(label, options)))).toEqual(whole);
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("TextDecoder", () => {
  test("decodes long texts across the chunk size", () => {
    for (const length of [4095, 4096, 4097, 8193, 100_000]) {
      for (const unit of ["a", "é", "€", "😀", "ab€"]) {
        const input = unit.repeat(length);
        expect(decodeUtf8(new NodeEncoder().encode(input)) === input).toBe(true);
      }
    }
  });

  test("knows labels in any case, and refuses others", () => {
    expect(new TextDecoder(" UTF8\n").encoding).toBe("utf-8");
    expect(new TextDecoder("latin1").encoding).toBe("windows-1252");
    expect(new TextDecoder(" SJIS ").encoding).toBe("shift_jis");
    expect(() => new TextDecoder("replacement")).toThrow(RangeError);
    expect(() => new TextDecoder("nonsense")).toThrow(RangeError);
  });

  test("starts anew after a failed chunk", () => {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    decoder.decode(new Uint8Array([0xe2, 0x82]), { stream: true });
    expect(() => decoder.decode()).toThrow(TypeError);
    expect(decoder.decode(new Uint8Array([0x41]))).toBe("A");
  });
});
