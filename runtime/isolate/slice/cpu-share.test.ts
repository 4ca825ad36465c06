import { expect, test } from "vitest";
import { createCpuShare, shareOf } from "./cpu-share.ts";

test("threads that all want to run share the processors, and none gets more than one", () => {
  expect(shareOf(1, 2)).toBe(1);
  expect(shareOf(2, 2)).toBe(1);
  expect(shareOf(8, 2)).toBe(0.25);
  expect(shareOf(0, 2)).toBe(1);
  expect(shareOf(10_000, 2)).toBe(0.05);
});

test("a forecast is a share, and lasts for a quarter of a second", () => {
  const share = createCpuShare();
  const first = share.forecast(0);
  expect(first).toBeGreaterThan(0);
  expect(first).toBeLessThanOrEqual(1);
  expect(share.forecast(249)).toBe(first);
});
