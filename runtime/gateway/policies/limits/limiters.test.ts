import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Decision, LimiterOptions } from "../../../../sdk/gateway/limits.ts";
import type { Algorithm } from "../../../../sdk/gateway/policies.ts";
import { openNodeStore } from "../../shared/store.ts";
import { LimitCells, WAYS } from "../../shared/limit-cells.ts";
import { temporary } from "../../../../test/temporary.ts";
import { createMemoryStore } from "../../../../test/gateway/memory-store.ts";
import { createLimiter } from "./limiters.ts";

class Key {
  now = 1_000_000;
  readonly #cells: LimitCells;
  readonly #options: LimiterOptions;
  readonly #name: string;

  constructor(options: Partial<LimiterOptions> & { algorithm: Algorithm }, name = "key") {
    this.#options = { capacity: 10, refillPerSec: 1, windowMs: 60_000, ...options };
    this.#cells = new LimitCells(createMemoryStore(), () => this.now);
    this.#name = name;
  }

  ask(): Decision {
    return { ...this.#cells.take(this.#name, createLimiter(this.#options)) };
  }

  /** How many of so many pass. */
  passing(times: number): number {
    let passed = 0;
    for (let i = 0; i < times; i++) if (this.ask().allowed) passed++;
    return passed;
  }
}

describe("a token bucket", () => {
  test("begins full, fills by the second and never holds more than its capacity", () => {
    const key = new Key({ algorithm: "token-bucket", refillPerSec: 2 });
    expect(key.passing(12)).toBe(10);
    key.now += 3_500;
    expect(key.passing(9)).toBe(7);
    key.now += 3_600_000;
    expect(key.passing(15)).toBe(10);
  });

  test("says what is left and when the next request passes", () => {
    const key = new Key({ algorithm: "token-bucket", capacity: 2, refillPerSec: 0.5 });
    expect(key.ask()).toMatchObject({ allowed: true, remaining: 1, resetMs: 2_000, retryMs: 0 });
    key.ask();
    const refused = key.ask();
    expect(refused).toMatchObject({ allowed: false, remaining: 0, resetMs: 4_000, retryMs: 2_000 });
    key.now += refused.retryMs - 1;
    expect(key.ask().allowed).toBe(false);
    key.now += 1;
    expect(key.ask().allowed).toBe(true);
  });
});

describe("a fixed window", () => {
  test("takes its number in each window, twice that around an end", () => {
    const key = new Key({ algorithm: "fixed-window" });
    key.now = 59_000;
    expect(key.passing(11)).toBe(10);
    key.now = 61_000;
    expect(key.passing(11)).toBe(10);
  });

  test("refuses until the window ends, and no longer for being asked", () => {
    const key = new Key({ algorithm: "fixed-window" });
    key.now = 60_000;
    key.passing(1_000);
    expect(key.ask().retryMs).toBe(60_000);
    key.now = 120_000;
    expect(key.passing(20)).toBe(10);
  });
});

describe("a sliding window", () => {
  test("counts what the window before still covers", () => {
    const key = new Key({ algorithm: "sliding-window" });
    key.now = 59_000;
    expect(key.passing(10)).toBe(10);
    key.now = 61_000;
    expect(key.passing(10)).toBe(0);
    key.now = 90_000;
    expect(key.passing(10)).toBe(5);
  });
});

describe("a generic cell rate", () => {
  test("takes its capacity at once, then one each interval, and says when", () => {
    const key = new Key({ algorithm: "gcra", capacity: 5 });
    expect(key.passing(6)).toBe(5);
    expect(key.ask().retryMs).toBe(1_000);
    let passed = 0;
    for (let i = 0; i < 20; i++) {
      key.now += 500;
      if (key.ask().allowed) passed++;
    }
    expect(passed).toBe(10);
  });
});

const ALGORITHMS: readonly Algorithm[] = ["token-bucket", "fixed-window", "sliding-window", "gcra"];

describe.each(ALGORITHMS)("%s", (algorithm) => {
  test("a capacity of 0 refuses everything", () => {
    expect(new Key({ algorithm, capacity: 0 }).passing(3)).toBe(0);
  });

  test("a request passes after the time that a refused one was told, and not much sooner", () => {
    const pauses = fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 60 });
    fc.assert(
      fc.property(pauses, fc.integer({ min: 1, max: 20 }), (waits, capacity) => {
        const key = new Key({ algorithm, capacity, windowMs: 10_000 });
        for (const wait of waits) {
          key.now += wait;
          const { allowed, retryMs, remaining } = key.ask();
          expect(remaining).toBeLessThanOrEqual(capacity);
          expect(allowed).toBe(retryMs === 0);
          if (allowed) continue;
          key.now += retryMs + 1e-3;
          expect(key.ask().allowed).toBe(true);
        }
      }),
    );
  });

  test("never passes more in any time than its rate and its burst allow", () => {
    const pauses = fc.array(fc.integer({ min: 0, max: 3_000 }), { maxLength: 200 });
    fc.assert(
      fc.property(pauses, (waits) => {
        const key = new Key({ algorithm, capacity: 5, refillPerSec: 1, windowMs: 5_000 });
        const begun = key.now;
        let passed = 0;
        for (const wait of waits) {
          key.now += wait;
          if (key.ask().allowed) passed++;
        }
        const seconds = (key.now - begun) / 1_000;
        // A fixed window can be met at both of its ends.
        expect(passed).toBeLessThanOrEqual(seconds + 10);
      }),
    );
  });
});

describe("the cells", () => {
  test("keep keys apart, also those whose place is one row's", () => {
    const cells = new LimitCells(createMemoryStore(), () => 1_000);
    const decide = createLimiter({
      algorithm: "token-bucket",
      capacity: 1,
      refillPerSec: 1,
      windowMs: 0,
    });
    for (let key = 0; key < 1_000; key++) {
      expect(cells.take(`key ${key}`, decide).allowed).toBe(true);
      expect(cells.take(`key ${key}`, decide).allowed).toBe(false);
    }
  });

  test("are one for all workers that share a store", () => {
    const store = createMemoryStore();
    const workers = [new LimitCells(store, () => 1_000), new LimitCells(store, () => 1_000)];
    const decide = createLimiter({ algorithm: "gcra", capacity: 10, refillPerSec: 1, windowMs: 0 });
    const passed = Array.from(
      { length: 30 },
      (_, i) => workers[i % 2]?.take("key", decide).allowed,
    );
    expect(passed.filter(Boolean)).toHaveLength(10);
  });

  test("let each key through as often as one exact bucket would, whichever worker it meets", async () => {
    using folder = temporary();
    let now = 1_000_000;
    const store = openNodeStore(folder.path);
    const workers = [new LimitCells(store, () => now), new LimitCells(store, () => now)];
    const options = {
      algorithm: "token-bucket",
      capacity: 10,
      refillPerSec: 2,
      windowMs: 0,
    } as const;
    const decide = createLimiter(options);
    const keys = 20;
    const passed = Array.from({ length: keys }, () => 0);
    const stepMs = 40;
    const seconds = 30;
    for (let turn = 0; turn <= (seconds * 1_000) / stepMs; turn++, now += stepMs) {
      for (let key = 0; key < keys; key++) {
        const { allowed } = workers[(turn + key) % 2]?.take(`key ${key}`, decide) ?? {};
        if (allowed === true) passed[key] = (passed[key] ?? 0) + 1;
      }
    }
    await store.close();
    expect(passed).toEqual(passed.map(() => 10 + 2 * seconds));
  });

  test("are bounded: with more keys than places, those written longest ago begin anew", () => {
    let now = 0;
    const rows = 16;
    const cells = new LimitCells(createMemoryStore(), () => now, rows);
    const decide = createLimiter({
      algorithm: "token-bucket",
      capacity: 1,
      refillPerSec: 1e-6,
      windowMs: 0,
    });
    cells.take("first", decide);
    const keys = 20 * rows * WAYS;
    for (let key = 0; key < keys; key++) {
      now += 1;
      cells.take(`key ${key}`, decide);
    }
    expect(cells.take("first", decide).allowed).toBe(true);
    expect(cells.take(`key ${keys - 1}`, decide).allowed).toBe(false);
  });

  test("of another boot are forgotten: their times are of a clock that has begun anew", () => {
    const key = new Key({ algorithm: "token-bucket", capacity: 1 });
    expect(key.passing(2)).toBe(1);
    key.now = 5;
    expect(key.passing(2)).toBe(1);
  });
});
