import { expect, test } from "vitest";
import type { PendingRecord } from "./contract.ts";
import { isCut, leftMsOf, timeoutFor } from "./time-out.ts";

test("a time-out is what is left with some slack, longer on a busy machine, up to a bound", () => {
  expect(timeoutFor(200, 1)).toBe(250);
  expect(timeoutFor(200, 0.5)).toBe(500);
  expect(timeoutFor(200, 0.125)).toBe(2_000);
  expect(timeoutFor(200, 0.05)).toBe(2_000);
  expect(timeoutFor(30_000, 0.5)).toBe(40_000);
});

test("a slice is taken for cut when it has run for its time-out without the slack", () => {
  expect(isCut(79_000_000n, 100)).toBe(false);
  expect(isCut(80_000_000n, 100)).toBe(true);
});

test("a batch may run as long as the request that has most left", () => {
  const record = (owner: number): PendingRecord => ({
    id: 1,
    owner,
    op: "",
    payload: "",
    buffer: null,
  });
  const left = new Map([
    [1, 5_000],
    [2, 90_000],
    [3, -4],
  ]);
  const events = { cpuLeftUs: (id: number) => left.get(id) ?? 0 };
  expect(leftMsOf([record(1), record(2)], 200, events)).toBe(90);
  expect(leftMsOf([record(1)], 200, events)).toBe(5);
  // Nobody's record, or one whose request is over already: whatever it starts gets a limit of its own.
  expect(leftMsOf([record(1), record(0)], 200, events)).toBe(200);
  expect(leftMsOf([record(3)], 200, events)).toBe(200);
});
