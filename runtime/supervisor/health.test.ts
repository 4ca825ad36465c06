import { expect, test } from "vitest";
import {
  MEMORY_AGE_MS_MIN,
  MEMORY_RUNAWAY,
  memoryBudgets,
  memoryBytesOf,
  SILENCE_MS_MAX,
  sicknessOf,
  START_MS_MAX,
} from "./health.ts";

type Worker = Parameters<typeof sicknessOf>[0];

const CHANNEL: Worker["channel"] = { send: () => {}, unsentBytes: 0, close: () => {} };
const NOW = 1_000_000;
const BUDGET = 100_000;
const WELL: Worker = {
  state: "serving",
  channel: CHANNEL,
  startedMs: NOW - MEMORY_AGE_MS_MIN,
  lastBeatMs: NOW,
};

function look(worker: Partial<Worker>, memoryBytes: number | null = 0): string {
  const observed = { now: NOW, memoryBytes, memoryBytesMax: BUDGET };
  const sickness = sicknessOf({ ...WELL, ...worker }, observed);
  return sickness === null ? "well" : `${sickness.reason}${sickness.kill ? ", kill" : ""}`;
}

test("a worker is stalled once it is silent for more than the limit", () => {
  expect(look({ lastBeatMs: NOW - SILENCE_MS_MAX })).toBe("well");
  expect(look({ lastBeatMs: NOW - SILENCE_MS_MAX - 1 })).toBe("stalled, kill");
  expect(look({ state: "draining", lastBeatMs: NOW - SILENCE_MS_MAX - 1 })).toBe("stalled, kill");
});

test("a worker that does not get to its first word, or to listen, is stalled", () => {
  const late = { channel: null, lastBeatMs: 0, startedMs: NOW - START_MS_MAX - 1 };
  expect(look({ ...late, state: "standby" })).toBe("stalled, kill");
  expect(look({ ...late, state: "standby", startedMs: NOW - START_MS_MAX })).toBe("well");
  expect(look({ state: "starting", startedMs: NOW - START_MS_MAX - 1 })).toBe("stalled, kill");
  expect(look({ state: "standby", startedMs: NOW - START_MS_MAX - 1 })).toBe("well");
});

test("memory over the budget is a reason to drain, far over it to kill", () => {
  expect(look({}, BUDGET)).toBe("well");
  expect(look({}, BUDGET + 1)).toBe("memory");
  expect(look({}, BUDGET * MEMORY_RUNAWAY)).toBe("memory");
  expect(look({}, BUDGET * MEMORY_RUNAWAY + 1)).toBe("memory, kill");
  expect(look({}, null)).toBe("well");
});

test("a young worker over its budget is left alone unless it runs away", () => {
  const startedMs = NOW - MEMORY_AGE_MS_MIN + 1;
  expect(look({ startedMs }, BUDGET + 1)).toBe("well");
  expect(look({ startedMs }, BUDGET * 2)).toBe("memory, kill");
});

test("budgets of all workers together stay below what the machine has", () => {
  const of = (workers: number): number => memoryBudgets({ workers }).workerMemoryBytes;
  expect(of(4)).toBeLessThanOrEqual(of(1));
  expect(of(10_000)).toBe(256 * 1024 * 1024);
});

test("memory is what a process has of its own; one that is gone has none to tell", () => {
  const own = memoryBytesOf(process.pid) ?? 0;
  expect(own).toBeGreaterThan(1_000_000);
  expect(own).toBeLessThanOrEqual(process.memoryUsage.rss() * 1.1);
  expect(memoryBytesOf(2 ** 30)).toBeNull();
});

test("isolates have half of their worker's memory, unless the operator says", () => {
  const workerMemoryBytes = 1_000_000_001;
  const half = { workerMemoryBytes, isolateBytes: 500_000_000 };
  expect(memoryBudgets({ workers: 1, workerMemoryBytes })).toEqual(half);
  const told = memoryBudgets({ workers: 1, workerMemoryBytes, isolateMemoryBytes: 7 });
  expect(told).toEqual({ workerMemoryBytes, isolateBytes: 7 });
});
