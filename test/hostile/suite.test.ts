// Some attacks of each group, one after the other against one real node per trust setting, each under the setting
// where it is more likely to succeed. All of them, and random mixes, run with `npm run soak -- hostile`, whose bounds
// on time are those of a machine that does nothing else; here another test file has its share of the processors.

import assert from "node:assert/strict";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Trust } from "../../sdk/records.ts";
import { ATTACKS } from "./attacks.ts";
import type { Attack } from "./range/attack.ts";
import { Range } from "./range/range.ts";
import { SHARED, complaints, titleOf } from "./range/report.ts";

const QUICK: Readonly<Record<Trust, readonly string[]>> = {
  untrusted: [
    "escapes: constructor chains",
    "escapes: host paths in stacks",
    "escapes: import()",
    "escapes: the boot functions",
    "escapes: thenable that yields a forgery",
    "escapes: header that ends the head",
    "loops: microtasks that queue microtasks",
    "memory: linked objects",
    "floods: stack overflow in a sort callback",
    "floods: redirects without end",
  ],
  own: [
    "escapes: pollution: everything throws",
    "escapes: bytes: WebAssembly memory",
    "escapes: bytes: detached buffer",
    "loops: loop behind the reply",
    "memory: typed arrays",
    "floods: unhandled rejections",
    "protocol: slow heads",
    "protocol: hang-up within the reply",
    "protocol: smuggled: two lengths",
    "protocol: chunk larger than all memory",
  ],
};

const byTitle: ReadonlyMap<string, Attack> = new Map(ATTACKS.map((one) => [titleOf(one), one]));

describe.each(["untrusted", "own"] as const)("a node with trust %s", (trust) => {
  let range: Range;
  beforeAll(async () => {
    range = await Range.open(trust);
  });
  afterAll(async () => {
    await range[Symbol.asyncDispose]();
  });

  test.each(QUICK[trust])("withstands %s", async (title) => {
    const attack = byTitle.get(title);
    assert(attack !== undefined);
    expect(complaints(await range.run(attack), SHARED)).toEqual([]);
  });
});

test("every attack has a title of its own", () => {
  expect(byTitle.size).toBe(ATTACKS.length);
});
