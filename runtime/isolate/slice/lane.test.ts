import { describe, expect, test } from "vitest";
import {
  BATCH_MAX,
  EARN_SLICES,
  INLINE_DEBT_US_MAX,
  INLINE_EXCESS_US,
  INLINE_RECORD_US_MAX,
  INLINE_SLICE_US_MAX,
  LONG_SLICE_COST,
  CUT_MS,
  HELD_FACTOR,
  PENALTY_MS_FIRST,
  SHORT_RECORD_US_MAX,
  PENALTY_MS_MAX,
  createLaneJudge,
  type LaneJudge,
} from "./lane.ts";

const LONG_US: number = INLINE_RECORD_US_MAX + 1;

function pool(judge: LaneJudge, now: number, cpuUs: number, records = 1): void {
  judge.ended(now, { lane: "pool", cpuUs, records });
}

function inline(judge: LaneJudge, now: number, cpuUs: number, records = 1): void {
  judge.ended(now, { lane: "inline", cpuUs, records });
}

function earn(judge: LaneJudge, now: number, slices: number = EARN_SLICES): void {
  for (let i = 0; i < slices; i++) pool(judge, now, 10);
}

function lose(judge: LaneJudge, now: number): void {
  for (let i = 0; i < 2; i++) inline(judge, now, INLINE_SLICE_US_MAX);
  expect(judge.lane(now)).toBe("pool");
}

function earned(now = 0): LaneJudge {
  const judge = createLaneJudge("own");
  earn(judge, now);
  expect(judge.lane(now)).toBe("inline");
  return judge;
}

describe("a lane judge", () => {
  test("gives the inline lane to own code after exactly the run of short slices", () => {
    const judge = createLaneJudge("own");
    earn(judge, 0, EARN_SLICES - 1);
    expect(judge.lane(0)).toBe("pool");
    earn(judge, 0, 1);
    expect(judge.lane(0)).toBe("inline");
  });

  test("never gives it to untrusted code", () => {
    const judge = createLaneJudge("untrusted");
    earn(judge, 0, 100 * EARN_SLICES);
    expect(judge.lane(0)).toBe("pool");
  });

  test("counts a pool slice by what each of its records took, the limit included", () => {
    const judge = createLaneJudge("own");
    earn(judge, 0, EARN_SLICES - 1);
    pool(judge, 0, 4 * INLINE_RECORD_US_MAX, 4);
    expect(judge.lane(0)).toBe("inline");
    pool(judge, 0, 4 * LONG_US, 4);
    expect(judge.lane(0)).toBe("pool");
  });

  test("takes a part of what was earned for a long pool slice", () => {
    const judge = createLaneJudge("own");
    earn(judge, 0, EARN_SLICES - 1);
    pool(judge, 0, LONG_US);
    earn(judge, 0, LONG_SLICE_COST);
    expect(judge.lane(0)).toBe("pool");
    earn(judge, 0, 1);
    expect(judge.lane(0)).toBe("inline");
  });

  test("forgives one slice of any length below the limit, not another before it is made up for", () => {
    const judge = earned();
    const payments = INLINE_DEBT_US_MAX / INLINE_EXCESS_US;
    for (let i = 0; i < 3; i++) {
      inline(judge, 0, INLINE_SLICE_US_MAX);
      for (let n = 1; n < payments; n++) inline(judge, 0, INLINE_RECORD_US_MAX);
      expect(judge.lane(0)).toBe("inline");
    }
    inline(judge, 0, INLINE_SLICE_US_MAX);
    for (let n = 1; n < payments - 1; n++) inline(judge, 0, 1);
    expect(judge.lane(0)).toBe("inline");
    inline(judge, 0, INLINE_SLICE_US_MAX);
    expect(judge.lane(0)).toBe("pool");
  });

  test("bears records that are over their limit by as much as all may be, not by more", () => {
    const judge = earned();
    const usual = INLINE_RECORD_US_MAX + INLINE_EXCESS_US;
    for (let n = 0; n < 10_000; n++) inline(judge, 0, 4 * usual, 4);
    expect(judge.lane(0)).toBe("inline");
    for (let n = 0; n < INLINE_DEBT_US_MAX; n++) inline(judge, 0, usual + 1);
    expect(judge.lane(0)).toBe("pool");
  });

  test("bears a short collection every fiftieth request", () => {
    const judge = earned();
    for (let n = 0; n < 10_000; n++) inline(judge, 0, n % 50 === 0 ? 1_400 : 100);
    expect(judge.lane(0)).toBe("inline");
  });

  test("takes the lane away at once for a very long slice", () => {
    const judge = earned();
    inline(judge, 0, INLINE_SLICE_US_MAX);
    expect(judge.lane(0)).toBe("inline");
    inline(judge, 0, INLINE_SLICE_US_MAX + 1);
    expect(judge.lane(0)).toBe("pool");
  });

  test("bars it after a loss, for twice as long each time up to the most", () => {
    const judge = earned();
    let now = 0;
    const penalties: number[] = [];
    for (let ms = PENALTY_MS_FIRST; ms < PENALTY_MS_MAX; ms *= 2) penalties.push(ms);
    for (const penalty of [...penalties, PENALTY_MS_MAX, PENALTY_MS_MAX]) {
      lose(judge, now);
      earn(judge, now + penalty - 1);
      expect(judge.lane(now + penalty - 1)).toBe("pool");
      now += penalty;
      earn(judge, now);
      expect(judge.lane(now)).toBe("inline");
    }
  });

  test("halves the next bar for each such time without a loss, down to the first", () => {
    const judge = earned();
    const bars: [afterMs: number, barMs: number][] = [
      [0, PENALTY_MS_FIRST],
      [0, 2 * PENALTY_MS_FIRST],
      [4 * PENALTY_MS_FIRST - 1, 4 * PENALTY_MS_FIRST],
      [8 * PENALTY_MS_FIRST, 4 * PENALTY_MS_FIRST],
      [16 * PENALTY_MS_FIRST, 2 * PENALTY_MS_FIRST],
      [PENALTY_MS_MAX * 1_000_000, PENALTY_MS_FIRST],
    ];
    let now = 0;
    for (const [afterMs, barMs] of bars) {
      now += afterMs;
      lose(judge, now);
      earn(judge, now + barMs - 1);
      expect(judge.lane(now + barMs - 1)).toBe("pool");
      now += barMs;
      earn(judge, now);
      expect(judge.lane(now)).toBe("inline");
    }
  });

  test("bars it for many times as long as a slice held the thread, and twice as long the next time", () => {
    const judge = earned();
    const penalty = HELD_FACTOR * 100;
    inline(judge, 0, 100_000);
    earn(judge, penalty - 1);
    expect(judge.lane(penalty - 1)).toBe("pool");
    earn(judge, penalty);
    expect(judge.lane(penalty)).toBe("inline");
    inline(judge, penalty, 100_000);
    earn(judge, 3 * penalty - 1);
    expect(judge.lane(3 * penalty - 1)).toBe("pool");
  });

  test("takes it away for a cut, also where it was not earned yet", () => {
    const judge = createLaneJudge("own");
    const penalty = HELD_FACTOR * CUT_MS;
    judge.cut(0);
    earn(judge, penalty - 1);
    expect(judge.lane(penalty - 1)).toBe("pool");
    earn(judge, penalty);
    expect(judge.lane(penalty)).toBe("inline");
  });

  test("lets batches grow with short records and shrink to one with long ones", () => {
    const judge = createLaneJudge("own");
    for (let i = 0; i < 200; i++) pool(judge, 0, 1);
    expect(judge.batchMax("inline")).toBe(BATCH_MAX);
    expect(judge.batchMax("pool")).toBe(BATCH_MAX);
    for (let i = 0; i < 200; i++) pool(judge, 0, 100_000);
    expect(judge.batchMax("inline")).toBe(1);
    expect(judge.batchMax("pool")).toBe(1);
  });

  test("takes records for long above their limit on average, and after a cut until many were short", () => {
    const judge = createLaneJudge("untrusted");
    expect(judge.pace()).toBe("short");
    for (let i = 0; i < 200; i++) pool(judge, 0, SHORT_RECORD_US_MAX);
    expect(judge.pace()).toBe("short");
    for (let i = 0; i < 200; i++) pool(judge, 0, SHORT_RECORD_US_MAX + 1);
    expect(judge.pace()).toBe("long");
    for (let i = 0; i < 200; i++) pool(judge, 0, 1);
    expect(judge.pace()).toBe("short");
    judge.cut(0);
    for (let i = 0; i < 10; i++) pool(judge, 0, 1);
    expect(judge.pace()).toBe("long");
    for (let i = 0; i < 10; i++) pool(judge, 0, 1);
    expect(judge.pace()).toBe("short");
  });

  test("counts a slice without records as one, and one that took no time at all", () => {
    const judge = createLaneJudge("own");
    for (let i = 0; i < 200; i++) pool(judge, 0, 0, 0);
    expect(judge.lane(0)).toBe("inline");
    expect(judge.batchMax("inline")).toBe(BATCH_MAX);
  });
});
