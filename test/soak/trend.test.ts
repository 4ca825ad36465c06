import { expect, test } from "vitest";
import { trendOf } from "./trend.ts";

test("points on a line have its slope, without an error", () => {
  const points = [0, 1, 2, 5].map((x) => ({ x, y: 3 - 2 * x }));
  const { slope, standardError } = trendOf(points) ?? {};
  expect(slope).toBeCloseTo(-2);
  expect(standardError).toBeCloseTo(0);
});

test("points beside a line have an error: by hand, 1, 3, 2 at 0, 1, 2", () => {
  const { slope, standardError } = trendOf([1, 3, 2].map((y, x) => ({ x, y }))) ?? {};
  expect(slope).toBeCloseTo(0.5);
  expect(standardError).toBeCloseTo(Math.sqrt(0.75));
});

test("two points say nothing", () => {
  expect(trendOf([1, 2].map((x) => ({ x, y: x })))).toBeNull();
});
