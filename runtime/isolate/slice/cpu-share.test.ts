import { expect, test } from "vitest";
import { createCpuShare, shareOf } from "./cpu-share.ts";
import type { Lane } from "./lane.ts";

test("threads that all want to run share the processors, and none gets more than one", () => {
  expect(shareOf(1, 2)).toBe(1);
  expect(shareOf(2, 2)).toBe(1);
  expect(shareOf(8, 2)).toBe(0.25);
  expect(shareOf(0, 2)).toBe(1);
  expect(shareOf(10_000, 2)).toBe(0.05);
});

/** Each look finds the next of `loads`; `idle` and `used` are processors, at all times. */
function machine(loads: number[], { idle = 0, used = 0 } = {}) {
  let nowMs = 0;
  const share = createCpuShare({
    running: () => loads.shift() ?? 8,
    idleMs: () => idle * nowMs,
    usedMs: () => used * nowMs,
    cores: 2,
  });
  const forecast = (atMs: number, lane: Lane = "pool"): number => {
    nowMs = atMs;
    return share.forecast(atMs, lane);
  };
  return { loads, forecast };
}

test("a forecast is a share, and a new look is taken after a tenth of a second", () => {
  const { loads, forecast } = machine([1, 40]);
  expect(forecast(0)).toBe(1);
  expect(forecast(99)).toBe(1);
  expect(loads).toEqual([40]);
  forecast(100);
  expect(loads).toEqual([]);
});

test("a moment in which many threads wake up does not change the forecast, a machine that stays busy does", () => {
  const { forecast } = machine([1, 2, 16, 1, 9, 8, 8, 8]);
  const told = Array.from({ length: 8 }, (_, i) => forecast(i * 100));
  expect(told).toEqual([1, 1, 1, 1, 1, 0.25, 0.25, 0.25]);
});

test("what was seen long ago tells nothing about now", () => {
  const { forecast } = machine([1, 1, 1, 8], { idle: 2 });
  for (const now of [0, 100, 200]) expect(forecast(now)).toBe(1);
  expect(forecast(200 + 2_001)).toBe(0.25);
});

test("a slice gets what was idle, however many threads each look finds", () => {
  const told = ({ idle = 0, used = 0 }, lane: Lane): number => {
    const { forecast } = machine([8, 8, 8], { idle, used });
    for (const now of [0, 100]) forecast(now, lane);
    return forecast(200, lane);
  };
  expect(told({ idle: 1.8 }, "pool")).toBe(1);
  expect(told({ idle: 1.8 }, "inline")).toBe(1);
  expect(told({ idle: 0.6 }, "pool")).toBeCloseTo(0.6);
  expect(told({ idle: 0.1 }, "pool")).toBe(0.25);
  // What the thread itself had it can have again; a thread of the pool cannot take it.
  expect(told({ idle: 0.1, used: 0.9 }, "inline")).toBeCloseTo(1);
  expect(told({ idle: 0.1, used: 0.9 }, "pool")).toBe(0.25);
});
