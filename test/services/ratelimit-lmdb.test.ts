import { afterEach, beforeEach, expect, test } from "vitest";
import type { RateBackend } from "../../sdk/services/ratelimit.ts";
import { openLmdbRates } from "../../services/ratelimit/lmdb.ts";
import { temporary } from "../temporary.ts";

const RULE = { limit: 3, periodMs: 10_000 };
const START = 1_700_000_000_000;

let folder: ReturnType<typeof temporary>;
let rates: RateBackend;
let time = START;
beforeEach(async () => {
  time = START;
  folder = temporary();
  rates = await open({});
});
afterEach(async () => {
  await rates.close();
  folder[Symbol.dispose]();
});

function open(more: { readonly keysMax?: number }): Promise<RateBackend> {
  return openLmdbRates({ places: { folder: folder.path }, now: () => time, ...more });
}

const successes = (key: string, calls: number, scope = "s"): boolean[] =>
  Array.from({ length: calls }, () => rates.count(scope, key, RULE).success);

test("a key has as many as its limit in a window, and the next window begins with its next call", () => {
  expect(rates.count("s", "a", RULE)).toEqual({ success: true, remaining: 2, resetMs: 10_000 });
  time += 4_000;
  expect(rates.count("s", "a", RULE)).toEqual({ success: true, remaining: 1, resetMs: 6_000 });
  expect(rates.count("s", "a", RULE)).toMatchObject({ success: true, remaining: 0 });
  expect(rates.count("s", "a", RULE)).toEqual({ success: false, remaining: 0, resetMs: 6_000 });
  time = START + 9_999;
  expect(rates.count("s", "a", RULE).success).toBe(false);
  time = START + 10_000;
  expect(rates.count("s", "a", RULE)).toEqual({ success: true, remaining: 2, resetMs: 10_000 });
});

test("keys and scopes are counted apart", () => {
  expect(successes("a", 4)).toEqual([true, true, true, false]);
  expect(successes("b", 1)).toEqual([true]);
  expect(successes("a", 1, "t")).toEqual([true]);
});

test("two stores of one folder count together, and an opened one goes on", async () => {
  const other = await open({});
  expect(rates.count("s", "a", RULE).remaining).toBe(2);
  expect(other.count("s", "a", RULE).remaining).toBe(1);
  await other.close();
  const third = await open({});
  expect(third.count("s", "a", RULE).remaining).toBe(0);
  await third.close();
});

test("a clock that is put back begins a new window instead of a longer one", () => {
  successes("a", 4);
  time -= 3_600_000;
  expect(rates.count("s", "a", RULE)).toEqual({ success: true, remaining: 2, resetMs: 10_000 });
});

test.each([
  { keys: 4, forgotten: false },
  { keys: 5, forgotten: false },
  { keys: 6, forgotten: true },
])(
  "of five places $keys keys at once forget the first: $forgotten",
  async ({ keys, forgotten }) => {
    const small = await open({ keysMax: 5 });
    for (let at = 0; at < keys; at++) {
      small.count("s", `k${at}`, RULE);
      time += 1;
    }
    expect(small.count("s", `k${keys - 1}`, RULE).remaining).toBe(1);
    expect(small.count("s", "k0", RULE).remaining).toBe(forgotten ? 2 : 1);
    await small.close();
  },
);

test("counters that have ended make place, also those of scopes that nobody uses any more", async () => {
  const small = await open({ keysMax: 10 });
  for (let at = 0; at < 10; at++) small.count("gone", `k${at}`, RULE);
  time += 20_000;
  // Each new counter looks at a few others.
  for (let at = 0; at < 10; at++) small.count("s", `k${at}`, RULE);
  for (let at = 0; at < 10; at++) expect(small.count("s", `k${at}`, RULE).remaining).toBe(1);
  time -= 20_000;
  expect(small.count("gone", "k0", RULE).remaining).toBe(2);
  await small.close();
});
