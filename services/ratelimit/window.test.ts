import { expect, test } from "vitest";
import {
  counted,
  decide,
  packWindow,
  SLOTS_PER_PERIOD,
  unpackWindow,
  windowAt,
  type Window,
} from "./window.ts";

/** A generator of its own, so that a failure can be repeated. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test("in no period more than the limit get through, and none waits a slot longer than it must", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = randomOf(seed);
    const rule = { limit: 1 + Math.floor(random() * 20), periodMs: 1_000 * (1 + (seed % 7)) };
    const slotMs = rule.periodMs / SLOTS_PER_PERIOD;
    const passed: number[] = [];
    const since = (timeMs: number): number => passed.filter((each) => each > timeMs).length;
    let window: Window | null = null;
    let now = Math.floor(random() * 1e12);
    for (let call = 0; call < 400; call++) {
      now += random() < 0.2 ? Math.floor(random() * rule.periodMs) : Math.floor(random() * slotMs);
      window = windowAt(window, rule, now);
      const { success, remaining, resetMs } = decide(window, rule, now);
      const mayPass = since(now - rule.periodMs) < rule.limit;
      const mustPass = since(now - rule.periodMs - slotMs) < rule.limit;
      if (success ? !mayPass : mustPass) expect.fail(`seed ${seed}, call ${call}: ${success}`);
      if (success) {
        window = counted(window);
        passed.push(now);
        const more = decide(window, { ...rule, limit: rule.limit + 1 }, now);
        if (more.remaining !== remaining) expect.fail(`seed ${seed}, call ${call}: ${remaining}`);
      } else {
        const passesAt = (ms: number): boolean =>
          decide(windowAt(window, rule, ms), rule, ms).success;
        if (passesAt(now + resetMs - 1) || !passesAt(now + resetMs)) {
          expect.fail(`seed ${seed}, call ${call}: not in ${resetMs} ms`);
        }
      }
    }
    expect(window === null ? null : unpackWindow(packWindow(window))).toEqual(window);
  }
});

test("a clock that is put back a little forgets nothing, and far starts anew", () => {
  const rule = { limit: 1, periodMs: 16_000 };
  const used = counted(windowAt(null, rule, 100_000));
  const at = (nowMs: number): boolean => decide(windowAt(used, rule, nowMs), rule, nowMs).success;
  expect([at(99_000), at(84_000), at(83_999), at(0)]).toEqual([false, false, true, true]);
});

test("a limit that is lowered or raised counts what was let through before", () => {
  const before = counted(counted(windowAt(null, { limit: 5, periodMs: 1_000 }, 0)));
  const at = (limit: number): object => decide(before, { limit, periodMs: 1_000 }, 0);
  expect(at(1)).toMatchObject({ success: false, remaining: 0 });
  expect(at(2)).toMatchObject({ success: false, remaining: 0 });
  expect(at(3)).toMatchObject({ success: true, remaining: 0 });
});
