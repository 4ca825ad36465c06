import { describe, expect, test } from "vitest";
import { OPEN_MAX } from "./bridge.ts";
import {
  isInRange,
  LIMITS,
  limitRange,
  resolveLimits,
  type LimitInfo,
  type LimitName,
} from "./limits.ts";

const NAMES = Object.keys(LIMITS) as LimitName[];

describe("resolveLimits", () => {
  test("gives every limit its default", () => {
    const defaults = Object.fromEntries(NAMES.map((name) => [name, LIMITS[name].default]));
    expect(resolveLimits({})).toEqual(defaults);
  });

  test.each(NAMES)("%s may be anything up to its ceiling", (name) => {
    const { max } = LIMITS[name];
    expect(resolveLimits({ [name]: max - 1 })[name]).toBe(max - 1);
    expect(resolveLimits({ [name]: max })[name]).toBe(max);
    expect(resolveLimits({ [name]: max + 1 })[name]).toBe(max);
    expect(resolveLimits({ [name]: 8 })[name]).toBe(8);
  });

  test.each(NAMES)("%s has a default within its ceiling", (name) => {
    expect(LIMITS[name].default).toBeLessThanOrEqual(LIMITS[name].max);
  });
});

describe("a limit", () => {
  test.each(NAMES)("%s takes whole numbers within its range only", (name) => {
    const { min = 1, max }: LimitInfo = LIMITS[name];
    for (const good of [min, min + 1, max - 1, max]) expect(isInRange(name, good)).toBe(true);
    for (const bad of [min - 1, max + 1, min + 0.5, -1, NaN, Infinity]) {
      expect(isInRange(name, bad)).toBe(false);
    }
  });

  test("of open requests ends where the bridge has no more places", () => {
    expect(LIMITS.concurrency.max).toBe(OPEN_MAX);
  });

  test("is held to the operator's ceiling where that is lower", () => {
    expect(isInRange("memoryMb", 64, { memoryMb: 64 })).toBe(true);
    expect(isInRange("memoryMb", 65, { memoryMb: 64 })).toBe(false);
    expect(isInRange("memoryMb", 513, { memoryMb: 600 })).toBe(false);
    expect(limitRange("memoryMb", { memoryMb: 64 })).toBe("a whole number of MB from 8 to 64");
    expect(limitRange("memoryMb", { memoryMb: 600 })).toBe("a whole number of MB from 8 to 512");
    expect(limitRange("queue")).toBe("a whole number from 0 to 10000");
  });
});
