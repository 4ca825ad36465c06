import fc from "fast-check";
import { expect, test } from "vitest";
import {
  bytesToText,
  packValue,
  STREAM,
  TEXT_BYTES_MAX,
  unpackValue,
  VALUE_DEPTH_MAX,
  type Value,
} from "./values.ts";

function there(value: Value): Value {
  const { text, bytes } = packValue(value);
  return unpackValue(text, bytes);
}

const leaves: fc.Arbitrary<Value> = fc.oneof(
  fc.string({ unit: "binary" }),
  // JSON has no negative zero, and nobody's data does.
  fc.double().map((one) => (Object.is(one, -0) ? 0 : one)),
  fc.boolean(),
  fc.bigInt(),
  fc.constant(null),
  fc.constant(undefined),
  fc.constant(STREAM),
  fc.date(),
  fc.uint8Array({ maxLength: 20 }),
);
const values: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leaves,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom("a", "$", "v", "__proto__", "constructor", ""), tie("value")),
  ),
})).value;

test("what is packed is unpacked as it was, whatever it is made of", () => {
  fc.assert(
    fc.property(values, (value) => {
      expect(there(value)).toEqual(value);
    }),
  );
});

test("what is packed with few bytes as text is the same as with all bytes in a buffer", () => {
  fc.assert(
    fc.property(values, (value) => {
      const { text, bytes } = packValue(value, bytesToText);
      expect(bytes).toBeNull();
      expect(unpackValue(text, null)).toEqual(there(value));
    }),
  );
});

test("bytes go as text up to their limit, in all of a value, and beyond it in a buffer", () => {
  const sizes = [TEXT_BYTES_MAX - 1, 2, 1, 1];
  const value = sizes.map((size) => new Uint8Array(size).fill(0xff));
  const { text, bytes } = packValue(value, bytesToText);
  expect(bytes?.byteLength).toBe(3);
  expect(unpackValue(text, bytes)).toEqual(value);
  for (const [size, beside] of [
    [TEXT_BYTES_MAX, null],
    [TEXT_BYTES_MAX + 1, TEXT_BYTES_MAX + 1],
  ] as const) {
    const packed = packValue(new Uint8Array(size), bytesToText);
    expect(packed.bytes?.byteLength ?? null).toBe(beside);
  }
});

test("an object that looks like a mark stays an object", () => {
  for (const value of [
    { $: "u" },
    { $: "t", v: "" },
    { $: "b", v: [0, 1] },
    { $: "o", v: { $: "d" } },
  ]) {
    expect(there(value)).toEqual(value);
  }
});

test("a key named __proto__ is a key, at both ends", () => {
  const value = JSON.parse('{"__proto__":{"admin":true}}') as Value;
  const back = there(value) as object;
  expect(Object.hasOwn(back, "__proto__")).toBe(true);
  expect((back as { admin?: boolean }).admin).toBeUndefined();
});

test("nesting is packed up to its limit and refused beyond", () => {
  const nested = (depth: number): Value => {
    let value: Value = 1;
    for (let at = 0; at < depth; at++) value = [value];
    return value;
  };
  expect(there(nested(VALUE_DEPTH_MAX - 1))).toEqual(nested(VALUE_DEPTH_MAX - 1));
  expect(there(nested(VALUE_DEPTH_MAX))).toEqual(nested(VALUE_DEPTH_MAX));
  expect(() => packValue(nested(VALUE_DEPTH_MAX + 1))).toThrow("nests deeper than 64");
});

test.each([
  ["bytes beyond the buffer", '{"$":"b","v":[0,9]}'],
  ["bytes before the buffer", '{"$":"b","v":[-1,2]}'],
  ["bytes at a place that is no number", '{"$":"b","v":["0",1]}'],
  ["text that is no bytes", '{"$":"t","v":"\\u0100"}'],
  ["text of more bytes than go as text", `{"$":"t","v":"${"x".repeat(TEXT_BYTES_MAX + 1)}"}`],
  ["bytes as text that are no text", '{"$":"t","v":[1]}'],
  ["an unknown mark", '{"$":"x"}'],
  ["a mark that is no text", '{"$":1}'],
  ["a bigint that is none", '{"$":"n","v":"one"}'],
  ["nesting without end", "[".repeat(5000) + "]".repeat(5000)],
])("%s is refused", (_case, text) => {
  expect(() => unpackValue(text, new Uint8Array(4))).toThrow();
});
