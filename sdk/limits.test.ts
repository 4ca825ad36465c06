import { describe, expect, test } from "vitest";
import { LIMITS, resolveLimits, type LimitName } from "./limits.ts";

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
    expect(resolveLimits({ [name]: 1 })[name]).toBe(1);
  });

  test.each(NAMES)("%s has a default within its ceiling", (name) => {
    expect(LIMITS[name].default).toBeLessThanOrEqual(LIMITS[name].max);
  });
});
