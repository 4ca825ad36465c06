import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createRateLimit } from "../../runtime/guest/services/rate-limit.ts";
import { RATE_KEY_BYTES_MAX, type RateBackend } from "../../sdk/services/ratelimit.ts";
import { ServiceActor } from "../../services/actor.ts";
import { openLmdbRates } from "../../services/ratelimit/lmdb.ts";
import { createRatePort } from "../../services/ratelimit/port.ts";
import { SLOTS_PER_PERIOD } from "../../services/ratelimit/window.ts";
import { temporary } from "../temporary.ts";
import { createLocalClient } from "./local-client.ts";

const CALLER = join(import.meta.dirname, "rate-caller.ts");
const RULE = { limit: 100, periodMs: 10_000 };

async function told(child: ChildProcess): Promise<unknown> {
  const [message] = (await once(child, "message")) as unknown[];
  return message;
}

test("three processes let through over 30 seconds what one would, to the call", async () => {
  using folder = temporary();
  const children = Array.from({ length: 3 }, () =>
    fork(CALLER, [folder.path, JSON.stringify(RULE)]),
  );
  try {
    expect(await Promise.all(children.map(told))).toEqual(children.map(() => "open"));
    const slotMs = RULE.periodMs / SLOTS_PER_PERIOD;
    const slotOf = (timeMs: number): number => Math.floor(timeMs / slotMs);
    const passed: { atMs: number; calls: number }[] = [];
    for (let atMs = 7; atMs <= 30_000; atMs += 500) {
      const calls = 2 + ((atMs * 7) % 9);
      const answers = children.map(told);
      for (const child of children) child.send({ atMs, calls });
      const got = (await Promise.all(answers)).reduce<number>((sum, each) => sum + Number(each), 0);
      const used = passed
        .filter((each) => slotOf(each.atMs) >= slotOf(atMs) - SLOTS_PER_PERIOD)
        .reduce((sum, each) => sum + each.calls, 0);
      expect(got, `at ${atMs} ms`).toBe(Math.min(children.length * calls, RULE.limit - used));
      passed.push({ atMs, calls: got });
    }
    expect(passed.some(({ calls }) => calls === 0)).toBe(true);
  } finally {
    for (const child of children) {
      const exited = once(child, "exit");
      child.disconnect();
      expect(await exited).toEqual([0, null]);
    }
  }
});

async function withRates(
  keysMax: number,
  work: (rates: RateBackend, clock: { ms: number }) => void,
): Promise<void> {
  using folder = temporary();
  const clock = { ms: 1_000_000 };
  const places = { folder: folder.path };
  const rates = await openLmdbRates({ places, now: () => clock.ms, keysMax });
  work(rates, clock);
  await rates.close();
}

test("keys and scopes do not see each other, nor what was counted under another period", () =>
  withRates(100, (rates) => {
    const rule = { limit: 1, periodMs: 1_000 };
    const ask = (scope: string, key: string, periodMs = 1_000): boolean =>
      rates.count(scope, key, { ...rule, periodMs }).success;
    expect([ask("a", "k"), ask("a", "k"), ask("a", "l"), ask("b", "k")]).toEqual([
      true,
      false,
      true,
      true,
    ]);
    expect([ask("a", "k", 2_000), ask("a", "k", 2_000), ask("a", "k")]).toEqual([
      true,
      false,
      false,
    ]);
  }));

test("a scope that is full forgets the key that was let through longest ago, and no other scope's", () =>
  withRates(3, (rates, clock) => {
    const rule = { limit: 1, periodMs: 60_000 };
    const ask = (key: string, scope = "a"): boolean => {
      clock.ms += rule.periodMs / SLOTS_PER_PERIOD;
      return rates.count(scope, key, rule).success;
    };
    expect(ask("other", "b")).toBe(true);
    for (const key of ["1", "2", "3"]) expect(ask(key)).toBe(true);
    for (const key of ["1", "2", "3"]) expect(ask(key)).toBe(false);
    expect(ask("4")).toBe(true);
    for (const key of ["2", "3", "4"]) expect(ask(key)).toBe(false);
    expect(ask("1")).toBe(true);
    expect(ask("other", "b")).toBe(false);
  }));

test("windows that have ended make room, so that keys that come back are not forgotten early", () =>
  withRates(10, (rates, clock) => {
    const rule = { limit: 1, periodMs: 1_000 };
    for (let round = 0; round < 8; round++) {
      clock.ms += 2_000;
      for (let key = 0; key < 10; key++) {
        expect(rates.count("a", `${round}/${key}`, rule).success).toBe(true);
      }
      for (let key = 0; key < 10; key++) {
        expect(rates.count("a", `${round}/${key}`, rule).success, `${round}/${key}`).toBe(false);
      }
    }
  }));

test("the binding takes keys up to the limit, and says what it expects", async () => {
  using folder = temporary();
  const actor = new ServiceActor<RateBackend>("embedded", {
    now: () => performance.now(),
    onHealth: () => undefined,
    onPanic: (error) => expect.fail(String(error)),
  });
  actor.start({
    limits: { concurrency: 10, queue: 10, timeoutMs: 30_000 },
    open: () => openLmdbRates({ places: { folder: folder.path }, now: () => 0 }),
  });
  const rule = { limit: 2, periodMs: 16_000 };
  const port = createRatePort({ actor, scope: "shop/RL", rule, caller: "shop" });
  const limit = createRateLimit(createLocalClient(port)) as {
    limit(options?: unknown): Promise<object>;
  };
  const resetMs = 17_000;
  expect(await limit.limit({ key: "a" })).toEqual({ success: true, remaining: 1, resetMs });
  expect(await limit.limit({ key: "a" })).toEqual({ success: true, remaining: 0, resetMs });
  expect(await limit.limit({ key: "a" })).toEqual({ success: false, remaining: 0, resetMs });
  for (const length of [RATE_KEY_BYTES_MAX - 1, RATE_KEY_BYTES_MAX]) {
    expect(await limit.limit({ key: "k".repeat(length) })).toMatchObject({ success: true });
  }
  const long = limit.limit({ key: "k".repeat(RATE_KEY_BYTES_MAX + 1) });
  await expect(long).rejects.toMatchObject({ code: "SERVICE_TOO_LARGE" });
  await expect(limit.limit()).rejects.toThrow("limit takes an object with a key.");
  await expect(limit.limit({ key: 1 })).rejects.toThrow("The key of a limit is a string.");
  await actor.stop();
});
