import { expect, test } from "vitest";
import { readArray, writeArray } from "./arrays.ts";

const asText = (text: string): string => text;

test.each<[string, unknown[]]>([
  ["{}", []],
  ["{1,2}", ["1", "2"]],
  ['{NULL,"NULL"}', [null, "NULL"]],
  ['{"a,b","c\\"d","e\\\\f","{g}",""}', ["a,b", 'c"d', "e\\f", "{g}", ""]],
  [
    "{{1,2},{3,4}}",
    [
      ["1", "2"],
      ["3", "4"],
    ],
  ],
  ["[0:1]={a,b c}", ["a", "b c"]],
])("the array %s is read", (text, list) => {
  expect(readArray(text, asText)).toEqual(list);
});

test("what is written is read again", () => {
  const list = ["a,b", 'c"d', "e\\f", "{g}", "", null, "NULL"];
  expect(readArray(writeArray(list, String), asText)).toEqual(list);
  const nested = [["1"], ["2"]];
  expect(readArray(writeArray(nested, String), asText)).toEqual(nested);
  expect(writeArray([], String)).toBe("{}");
  expect(writeArray("{1,2}", String)).toBe("{1,2}");
});
