import { expect, test } from "vitest";
import { LagMeter, SAMPLE_MS } from "./lag-meter.ts";

test("one late turn is a third of its lag, many are all of it, and quiet ends it", () => {
  let now = 1_000;
  const meter = new LagMeter(() => now);
  const turn = (lateMs: number): number => {
    now += SAMPLE_MS + lateMs;
    meter.sample();
    return meter.lagMs;
  };
  expect(turn(0)).toBe(0);
  expect(turn(300)).toBeCloseTo(90);
  for (let i = 0; i < 30; i++) turn(300);
  expect(meter.lagMs).toBeCloseTo(300, 1);
  for (let i = 0; i < 20; i++) turn(0);
  expect(meter.lagMs).toBeLessThan(1);
  meter.close();
});
