import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { UwsPatience } from "./patience.ts";

const LOOK_MS = 10_000;
const STALLED_MS = 300_000;

describe("patience with a connection", () => {
  let calls: string[];
  const res = { pause: () => void calls.push("pause"), resume: () => void calls.push("resume") };
  const giveUp = (): void => void calls.push("give up");

  beforeEach(() => {
    calls = [];
    vi.useFakeTimers();
  });
  afterEach(() => void vi.useRealTimers());

  test("lets uWS count anew with each look, until it is stopped", () => {
    const patience = new UwsPatience(res, { ended: true, isHeld: false }, giveUp);
    vi.advanceTimersByTime(2 * STALLED_MS);
    expect(calls.length).toBe((4 * STALLED_MS) / LOOK_MS);
    expect(calls.slice(-2)).toEqual(["pause", "resume"]);
    patience.stop();
    vi.advanceTimersByTime(STALLED_MS);
    expect(calls.length).toBe((4 * STALLED_MS) / LOOK_MS);
  });

  test.each([
    ["that has not all come", { ended: false, isHeld: false }],
    ["that is held", { ended: true, isHeld: true }],
  ])("leaves a body %s to uWS", (_, body) => {
    const patience = new UwsPatience(res, body, giveUp);
    vi.advanceTimersByTime(STALLED_MS);
    expect(calls).toEqual([]);
    patience.stop();
  });

  test("ends with a client that has taken nothing for five minutes, and no earlier", () => {
    const stream = { isBlocked: true, bytesOut: 5 };
    const patience = new UwsPatience(res, null, giveUp);
    patience.watch(stream);
    vi.advanceTimersByTime(STALLED_MS);
    stream.bytesOut = 6;
    vi.advanceTimersByTime(LOOK_MS + STALLED_MS - LOOK_MS);
    expect(calls).not.toContain("give up");
    vi.advanceTimersByTime(LOOK_MS);
    expect(calls.at(-1)).toBe("give up");
    patience.stop();
  });
});
