// Our Buffer against Node's own.

import { Buffer as NodeBuffer } from "node:buffer";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Buffer as OurBuffer, isAscii, isUtf8, transcode } from "./buffer.ts";

type Kind = typeof NodeBuffer;
const ENCODINGS = [
  "utf8", "utf-8", "hex", "base64", "base64url", "BASE64URL", "latin1", "binary", "ascii", "ucs2", "utf16le",
] as const; // prettier-ignore
const encoding = fc.constantFrom(...(ENCODINGS as unknown as BufferEncoding[]));

/** As what does not tell whose Buffer it is. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  return Array.isArray(value) ? value.map(plain) : value;
}

function outcome(run: (kind: Kind) => unknown, kind: Kind): unknown {
  try {
    return plain(run(kind));
  } catch (error) {
    return (error as Error).name;
  }
}

function compare(run: (kind: Kind) => unknown): void {
  expect(outcome(run, OurBuffer)).toEqual(outcome(run, NodeBuffer));
}

test("bytes become the text Node makes of them, and texts the bytes", () => {
  const property = fc.property(
    fc.uint8Array({ maxLength: 40 }),
    fc.string({ unit: "grapheme" }),
    encoding,
    fc.nat(20),
    (bytes, text, form, at) => {
      compare((B) => {
        const written = B.from(bytes).toString(form);
        return [written, B.from(bytes).toString(form, at), B.from(written, form)];
      });
      compare((B) => [B.from(bytes).equals(bytes), B.isEncoding(form)]);
      compare((B) =>
        B.concat([B.from(text), B.from(bytes), B.of(7)]).indexOf(B.from([...bytes, 7])),
      );
      compare((B) => B.from(text).toString(form));
      compare((B) => B.byteLength(B.from(bytes).toString(form), form));
    },
  );
  fc.assert(property, { numRuns: 300 });
});

test("base64url is an encoding wherever one may be given", () => {
  compare((B) => B.from("-_8", "base64url"));
  compare((B) => B.alloc(6, "-_8_", "base64url"));
  compare((B) => B.alloc(6).fill("-_8_", 1, 4, "base64url"));
  compare((B) => {
    const to = B.alloc(6);
    return [to.write("-_8_", "base64url"), to.write("-_8_", 2, "base64url"), to];
  });
  compare((B) => B.from([1, 251, 255, 2]).indexOf("-_8", "base64url"));
  compare((B) => B.from([1, 251, 255, 2]).includes("-_8", 0, "base64url"));
  compare((B) => B.from([1, 251, 255, 2]).lastIndexOf("-_8", 3, "base64url"));
});

test.each<[string, (kind: Kind) => unknown]>([
  ["numbers are read", (B) => { const b = B.from([1, 2, 3, 4, 5, 6, 7, 8, 9]); return [b.readDoubleBE(1), b.readBigUInt64LE(1).toString(), b.readIntBE(0, 6), b.readFloatLE(2), b.readInt16BE(3)]; }],
  ["numbers are written", (B) => { const b = B.alloc(30); b.writeDoubleLE(1.5); b.writeBigInt64BE(-5n, 8); b.writeIntLE(-77, 16, 5); b.writeFloatBE(0.1, 21); b.writeUInt16LE(65_535, 25); return b; }],
  ["a read past the end", (B) => B.from([1]).readInt32LE()],
  ["a value too large", (B) => B.alloc(4).writeUInt8(256)],
  ["a size below none", (B) => B.alloc(-1)],
  ["a Buffer of a number", (B) => B.from(3 as never)],
  ["a Buffer of null", (B) => B.from(null as never)],
  ["a Buffer of what JSON made of one", (B) => B.from(JSON.parse(JSON.stringify(B.from("ab"))) as never)],
  ["a Buffer of a boxed text", (B) => B.from(new String("ab") as never)],
  ["a view over memory", (B) => { const memory = new ArrayBuffer(8); B.from(memory, 2, 3)[0] = 7; return [...new Uint8Array(memory)]; }],
  ["parts share memory", (B) => { const b = B.from("abcd"); b.subarray(1, 3)[0] = 120; b.slice(-1)[0] = 121; return [b, b.subarray(1).constructor === B]; }],
  ["swapped bytes", (B) => [B.from("abcd").swap16(), B.from("abcd").swap32(), B.from("abcdefgh").swap64()]],
  ["uneven bytes to swap", (B) => B.from("abc").swap16()],
  ["a copy", (B) => { const to = B.alloc(4); return [B.from("test").copy(to, 1, 2), to]; }],
  ["an order", (B) => [B.compare(B.from("a"), B.from("b")), B.from("abc").compare(B.from("xabc"), 1)]],
  ["searches", (B) => { const b = B.from("abab"); return [b.indexOf("b", 2), b.lastIndexOf("ab"), b.indexOf(98), b.includes("c"), b.indexOf(B.from("ba"))]; }],
  ["a joint of fewer bytes", (B) => B.concat([B.from("abc"), B.from("def")], 4)],
  ["no list to join", (B) => B.concat("a" as never)],
  ["an unknown encoding", (B) => B.from("a", "nope" as never)],
  ["iteration", (B) => [[...B.from("ab").entries()].flat(), [...B.from("ab").keys()], B.from("ab").toJSON()]],
])("%s: as Node's", (_, run) => compare(run)); // prettier-ignore

test("texts are told by their bytes, and turned into others", () => {
  expect([isUtf8(NodeBuffer.from("grün")), isUtf8(NodeBuffer.of(0xff))]).toEqual([true, false]);
  expect([isAscii(NodeBuffer.from("gr")), isAscii(NodeBuffer.from("ü"))]).toEqual([true, false]);
  expect([...transcode(NodeBuffer.from("ü"), "utf8", "latin1")]).toEqual([0xfc]);
});
