import { expect, test } from "vitest";
import {
  limitBytes,
  limitCount,
  limitText,
  optional,
  readBytes,
  readFields,
  readInteger,
  readText,
} from "./arguments.ts";

test("an argument of the wrong kind is refused with its name and what is expected", () => {
  expect(() => readText(1, "key")).toThrow("key: a text is expected.");
  expect(() => readBytes([], "value")).toThrow("value: bytes or a text is expected.");
  expect(() => readFields(new Date(0), "options")).toThrow(
    expect.objectContaining({ code: "SERVICE_INPUT" }),
  );
});

test("a whole number is taken from its least to its greatest", () => {
  const range = { min: 1, max: 3 };
  for (const good of [1, 3]) expect(readInteger(good, "limit", range)).toBe(good);
  for (const bad of [0, 4, 1.5, NaN, "2", 2n, null]) {
    expect(() => readInteger(bad, "limit", range)).toThrow("a whole number from 1 to 3");
  }
});

test("a text is measured in bytes of UTF-8", () => {
  expect(limitText("ää", "The key", 4)).toBe("ää");
  expect(() => limitText("äää", "The key", 5)).toThrow(
    expect.objectContaining({ code: "SERVICE_TOO_LARGE" }),
  );
});

test("bytes and lists are taken up to their limit and refused beyond", () => {
  expect(limitBytes(new Uint8Array(4), "The value", 4)).toHaveLength(4);
  expect(() => limitBytes(new Uint8Array(5), "The value", 4)).toThrow(
    "The value has 5 bytes; 4 are allowed.",
  );
  expect(limitCount([1, 2], "keys", 2)).toEqual([1, 2]);
  expect(() => limitCount([1, 2, 3], "keys", 2)).toThrow("One call takes 2 keys; these are 3.");
});

test("what is left out is null", () => {
  expect(optional(undefined, "key", readText)).toBeNull();
  expect(optional(null, "key", readText)).toBeNull();
  expect(optional("", "key", readText)).toBe("");
});
