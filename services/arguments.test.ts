import { expect, test } from "vitest";
import { limitText, optional, readBytes, readFields, readInteger, readText } from "./arguments.ts";

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

test("what is left out is null", () => {
  expect(optional(undefined, "key", readText)).toBeNull();
  expect(optional(null, "key", readText)).toBeNull();
  expect(optional("", "key", readText)).toBe("");
});
