// Every promise of the gateways that this one takes after has a test that proves it, and every defect of theirs one
// that keeps it away, or a reason why there can be none.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DEFECTS, FERROWAY, GATEWAYS } from "./rows.ts";

const ROOT = join(import.meta.dirname, "../..");
const numbered = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`);
const files = new Map<string, string>();

/** As a source holds it: quotes within have a backslash. */
function read(file: string): string {
  let text = files.get(file);
  if (text === undefined) {
    text = readFileSync(join(ROOT, file), "utf8").replaceAll('\\"', '"');
    files.set(file, text);
  }
  return text;
}

test.each([...FERROWAY, ...GATEWAYS, ...DEFECTS])("$id: $what", ({ tests, absent }) => {
  expect(tests.length > 0).toBe(absent === undefined);
  for (const [file, name] of tests) expect(read(file)).toContain(`"${name}"`);
});

test("no row is left out", () => {
  const ids = FERROWAY.map(({ id }) => id);
  expect(ids.filter((id) => /\d$/.test(id))).toEqual(numbered("FER-", 6));
  expect(ids.filter((id) => !/\d$/.test(id))).toEqual(
    "3a 3b 3c 5a 5b 6a".split(" ").map((id) => `FER-${id}`),
  );
  expect(GATEWAYS.map(({ id }) => id)).toEqual([...numbered("RGW-", 12), ...numbered("GGW-", 7)]);
  expect(DEFECTS.map(({ id }) => id)).toEqual(numbered("DF", 20));
});
