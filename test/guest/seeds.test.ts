// Isolates from one snapshot: equal until thaw, and different by their seeds after it.

import { beforeAll, expect, test } from "vitest";
import { bundleGuest, openFrom, snapshotOf } from "./isolate.ts";

const ENTRY = `
import { createPlatform, topLevelReads } from "./platform.ts";
const platform = createPlatform();
globalThis.__reads = topLevelReads;
globalThis.__thaw = (fill) => {
  platform.thaw({ now: () => 1000, monotonic: () => 5, fetch: async () => 0, bytesCall: async () => 0,
    setTimer() {}, clearTimer() {}, log() {} }, new Uint8Array(32).fill(fill));
  return 0;
};
`;
const DRAW = `JSON.stringify([Math.random(), Math.random(), crypto.randomUUID(),
  [...crypto.getRandomValues(new Uint8Array(16))]])`;

let code = "";
beforeAll(async () => {
  code = await bundleGuest(ENTRY);
});

async function draw(snapshot: ReturnType<typeof snapshotOf>, fill: number): Promise<unknown[]> {
  const isolate = openFrom(snapshot, []);
  await isolate.evaluate(`__thaw(${fill})`);
  const drawn = JSON.parse(String(await isolate.evaluate(DRAW))) as unknown[];
  isolate.dispose();
  return drawn;
}

test("two isolates of one snapshot differ in everything random, the same seed repeats it", async () => {
  const snapshot = snapshotOf([code]);
  const [one, two, again] = [
    await draw(snapshot, 1),
    await draw(snapshot, 2),
    await draw(snapshot, 1),
  ];
  expect(again).toEqual(one);
  for (const [index, value] of one.entries()) expect(two[index]).not.toEqual(value);
});

test("two isolates differ even when top-level code has drawn before", async () => {
  const snapshot = snapshotOf([code, `${DRAW}; globalThis.kept = crypto.randomUUID;`]);
  const [one, two] = [await draw(snapshot, 1), await draw(snapshot, 2)];
  for (const [index, value] of one.entries()) expect(two[index]).not.toEqual(value);
});

test.each([
  ["0", []],
  ["class A { now = Date.now() }", []],
  ["new Date(5); Date.UTC(2020); Date.parse('2020-01-01')", []],
  ["new AbortController(); new Event('x'); new URL('http://a')", []],
  ["Date.now()", ["time"]],
  ["new Date()", ["time"]],
  ["Date()", ["time"]],
  ["performance.now()", ["time"]],
  ["performance.timeOrigin", ["time"]],
  ["new (new Date(0).constructor)()", ["time"]],
  ["Math.random()", ["randomness"]],
  ["crypto.randomUUID()", ["randomness"]],
  ["crypto.getRandomValues(new Uint8Array(1))", ["randomness"]],
])("what top-level code reads is known: %s", async (script, reads) => {
  const isolate = openFrom(snapshotOf([code, script]), []);
  await isolate.evaluate("__thaw(1)");
  await isolate.evaluate("Date.now(); Math.random(); crypto.randomUUID(); 0");
  expect(await isolate.evaluate("__reads().reads")).toEqual(reads);
  isolate.dispose();
});

test("time stands still within a slice and begins at thaw", async () => {
  const isolate = openFrom(snapshotOf([code]), []);
  await isolate.evaluate("__thaw(1)");
  const readings = "[Date.now(), +new Date(), performance.now(), performance.timeOrigin]";
  expect(await isolate.evaluate(readings)).toEqual([1000, 1000, 5, 995]);
  isolate.dispose();
});
