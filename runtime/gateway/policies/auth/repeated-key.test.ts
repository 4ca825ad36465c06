import fc from "fast-check";
import { expect, test } from "vitest";
import { hasRepeatedKey } from "./repeated-key.ts";

test.each([
  ['{"a":1,"a":2}', true],
  ['{"a":1,"\\u0061":2}', true],
  ['{"a":{"b":1,"b":1}}', true],
  ['[{"a":1},{"b":[],"b":1}]', true],
  ['{"a":{"a":1},"b":[{"a":1},{"a":1}]}', false],
  ['{"a":"b","b":"a","c":"{\\"a\\":1,\\"a\\":2}"}', false],
  ['{"a":["a","a"],"b":",","\\"":1,"\\\\":2}', false],
  ["[]", false],
  ['"a"', false],
])("%s: %s", (json, isRepeated) => expect(hasRepeatedKey(json)).toBe(isRepeated));

test("what JSON.stringify writes repeats none, and one key more of an object is found", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), (object) => {
      const json = JSON.stringify(object);
      expect(hasRepeatedKey(json)).toBe(false);
      const [key = ""] = Object.keys(object);
      expect(hasRepeatedKey(`${json.slice(0, -1)},${JSON.stringify(key)}:1}`)).toBe(true);
    }),
  );
});
