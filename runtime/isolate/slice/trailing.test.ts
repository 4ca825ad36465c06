import { expect, test } from "vitest";
import { hasEnded, type Trailing } from "./trailing.ts";

const MS = 1_000_000n;
const trailing: Trailing = { slice: 1, traced: true, sinceNs: 5n * MS, timeoutMs: 50, batch: [] };

test("a slice's promise jobs have ended when no thread is in the isolate any more", () => {
  expect(hasEnded(trailing, { busy: false, runNs: () => 6n * MS })).toBe(true);
  expect(hasEnded(trailing, { busy: true, runNs: () => 6n * MS })).toBe(false);
});

test("a slice that may have been cut has not ended by itself", () => {
  expect(hasEnded(trailing, { busy: false, runNs: () => 44n * MS })).toBe(true);
  for (const ranMs of [45n, 46n, 90n]) {
    expect(hasEnded(trailing, { busy: false, runNs: () => ranMs * MS })).toBe(false);
  }
});
