import { describe, expect, test } from "vitest";
import {
  AGE_JITTER,
  AGE_MS_MAX,
  CUTS_MAX,
  HEAP_LOOKS,
  HEAP_SHARE_MAX,
  PAUSE_MS_FIRST,
  PAUSE_MS_MAX,
  YOUNG_MS,
  createRecyclingJudge,
  type RecyclingJudge,
} from "./recycling.ts";

const LIMIT = 100_000_000;
const FULL = { heapBytes: LIMIT * HEAP_SHARE_MAX + 1, cuts: 0 };
const WELL = { heapBytes: LIMIT * HEAP_SHARE_MAX, cuts: 0 };

function judgeAt(nowMs: number, random = 0): RecyclingJudge {
  const judge = createRecyclingJudge(LIMIT, () => random);
  judge.began(nowMs);
  return judge;
}

describe("a heap", () => {
  test("that is too full at enough looks in a row is reason to recycle, at one fewer it is not", () => {
    const judge = judgeAt(0);
    for (let look = 1; look < HEAP_LOOKS; look++) expect(judge.look(look, FULL)).toBeNull();
    expect(judge.look(HEAP_LOOKS, FULL)).toBe("heap");
  });

  test("at the bound is well, however often it is looked at", () => {
    const judge = judgeAt(0);
    for (let look = 1; look < 100; look++) expect(judge.look(look, WELL)).toBeNull();
  });

  test("that was collected between two looks counts anew", () => {
    const judge = judgeAt(0);
    for (let look = 1; look < 100; look++) {
      expect(judge.look(look, look % HEAP_LOOKS === 0 ? WELL : FULL)).toBeNull();
    }
  });

  test("of a fresh isolate counts anew", () => {
    const judge = judgeAt(0);
    for (let look = 1; look < HEAP_LOOKS; look++) judge.look(look, FULL);
    judge.began(10);
    expect(judge.look(11, FULL)).toBeNull();
  });
});

describe("an age", () => {
  test.each([
    [0, AGE_MS_MAX],
    [1, AGE_MS_MAX * (1 - AGE_JITTER)],
  ])("with jitter %d is enough at %d ms, not before", (random, ageMs) => {
    const judge = judgeAt(1_000, random);
    expect(judge.look(1_000 + ageMs - 1, WELL)).toBeNull();
    expect(judge.look(1_000 + ageMs, WELL)).toBe("age");
  });

  test("begins anew with a fresh isolate", () => {
    const judge = judgeAt(0);
    judge.replacing(AGE_MS_MAX);
    judge.began(AGE_MS_MAX);
    expect(judge.look(2 * AGE_MS_MAX - 1, WELL)).toBeNull();
    expect(judge.look(2 * AGE_MS_MAX, WELL)).toBe("age");
  });
});

test("an isolate that was cut often is recycled, one cut fewer is not enough", () => {
  const judge = judgeAt(0);
  expect(judge.look(1, { ...WELL, cuts: CUTS_MAX - 1 })).toBeNull();
  expect(judge.look(2, { ...WELL, cuts: CUTS_MAX })).toBe("cuts");
});

describe("the pause between two", () => {
  const CUT = { ...WELL, cuts: CUTS_MAX };

  /** The first time after `fromMs` at which it wants to recycle. */
  function next(judge: RecyclingJudge, fromMs: number): number {
    for (const pauseMs of [PAUSE_MS_FIRST, ...doubling()]) {
      expect(judge.look(fromMs + pauseMs - 1, CUT)).toBeNull();
      if (judge.look(fromMs + pauseMs, CUT) !== null) return pauseMs;
    }
    throw new Error("never");
  }

  function doubling(): number[] {
    const all: number[] = [];
    for (let ms = PAUSE_MS_FIRST; ms < PAUSE_MS_MAX;)
      all.push((ms = Math.min(ms * 2, PAUSE_MS_MAX)));
    return all;
  }

  test("doubles for a handler that needs it again at once, up to its most", () => {
    const judge = judgeAt(0);
    let now = 1_000_000;
    const pauses: number[] = [];
    for (let i = 0; i < 12; i++) {
      judge.replacing(now);
      judge.began(now);
      const pauseMs = next(judge, now);
      pauses.push(pauseMs);
      now += pauseMs;
    }
    expect(pauses).toEqual([
      PAUSE_MS_FIRST,
      ...doubling(),
      ...Array.from({ length: 11 - doubling().length }, () => PAUSE_MS_MAX),
    ]);
  });

  test.each([
    [YOUNG_MS - 1, 2 * PAUSE_MS_FIRST],
    [YOUNG_MS, PAUSE_MS_FIRST],
  ])("is, %d ms after the last one ended, %d ms", (restMs, pauseMs) => {
    const judge = judgeAt(0);
    judge.replacing(0);
    const againMs = PAUSE_MS_FIRST + restMs;
    judge.replacing(againMs);
    expect(next(judge, againMs)).toBe(pauseMs);
  });

  test("holds after an attempt in vain too", () => {
    const judge = judgeAt(0);
    judge.replacing(0);
    expect(judge.look(PAUSE_MS_FIRST - 1, CUT)).toBeNull();
    expect(judge.look(PAUSE_MS_FIRST, CUT)).toBe("cuts");
  });
});
