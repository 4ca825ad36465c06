import { describe, expect, test } from "vitest";
import { pack } from "../../../sdk/bridge.ts";
import { Intake, RECORDS_PER_LOOK, TURN_MS_MAX } from "./intake.ts";

interface Bench {
  readonly intake: Intake;
  /** What was handed on, as "id" or "id+bytes". */
  readonly taken: string[];
  /** Turns of the event loop that were asked for. */
  readonly turns: (() => void)[];
  readonly emptied: () => number;
}

function open(recordMs: number): Bench {
  const taken: string[] = [];
  const turns: (() => void)[] = [];
  let nowMs = 1_000;
  let emptied = 0;
  const intake = new Intake({
    host: { later: (run) => void turns.push(run) },
    events: {
      record({ id }, bytes) {
        taken.push(bytes === null ? `${id}` : `${id}+${bytes.byteLength}`);
        nowMs += recordMs;
      },
      malformed: () => void taken.push("malformed"),
    },
    onEmpty: () => emptied++,
    now: () => nowMs,
  });
  return { intake, taken, turns, emptied: () => emptied };
}

function report(from: number, count: number): string {
  return Array.from({ length: count }, (_, at) => pack("l", from + at, "text")).join("");
}

const ids = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, at) => `${from + at}`);

describe("an intake", () => {
  test("hands on at once what is quick, however much it is", () => {
    const { intake, taken, turns } = open(0);
    intake.put(report(1, 10_000), null);
    intake.empty();
    expect(taken).toEqual(ids(1, 10_000));
    expect([intake.isEmpty, turns.length]).toEqual([true, 0]);
  });

  test("spreads what takes long over several turns, in order", () => {
    const { intake, taken, turns, emptied } = open((TURN_MS_MAX / RECORDS_PER_LOOK) * 1.01);
    intake.put(report(1, 100), null);
    intake.put(report(101, 20), null);
    intake.empty();
    expect(taken).toEqual(ids(1, 2 * RECORDS_PER_LOOK));
    intake.put(report(121, 5), null);
    intake.empty();
    expect(taken.length).toBe(2 * RECORDS_PER_LOOK);
    expect([intake.isEmpty, turns.length, emptied()]).toEqual([false, 1, 0]);
    turns.shift()?.();
    expect([intake.isEmpty, turns.length, emptied()]).toEqual([true, 0, 1]);
    expect(taken).toEqual(ids(1, 125));
  });

  test("gives the bytes of a report to its last record", () => {
    const { intake, taken } = open(0);
    intake.put(report(1, 3), new ArrayBuffer(5));
    intake.put(report(4, 1), null);
    intake.empty();
    expect(taken).toEqual(["1", "2", "3+5", "4"]);
  });

  test("tells of what is no record, behind those that are, and gives it no bytes", () => {
    const { intake, taken } = open(0);
    intake.put(`${report(1, 2)}l3\n9\n`, new ArrayBuffer(5));
    intake.empty();
    expect(taken).toEqual(["1", "2", "malformed"]);
  });

  test("that is cleared hands on nothing more", () => {
    const { intake, taken, turns } = open(TURN_MS_MAX);
    intake.put(report(1, 100), null);
    intake.put(report(101, 100), null);
    intake.empty();
    const before = taken.length;
    intake.clear();
    turns.shift()?.();
    expect(taken.length).toBe(before);
  });
});
