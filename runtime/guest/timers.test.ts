import { beforeEach, expect, test } from "vitest";
import type { Port } from "./port.ts";
import { thawReport } from "./report.ts";
import {
  clearInterval,
  clearTimeout,
  fireTimer,
  queueMicrotask,
  setInterval,
  setTimeout,
  startTimer,
  stopTimer,
  thawTimers,
} from "./timers.ts";

function unexpected(): never {
  throw new Error("Nothing here calls a service.");
}

let asked: string[] = [];
const port: Port = {
  now: () => 0,
  monotonic: () => 0,
  fetch: () => Promise.reject(new Error("not here")),
  begin: unexpected,
  waitUntil: () => false,
  exports: () => null,
  cancel: unexpected,
  bytesCall: () => Promise.reject(new Error("not here")),
  setTimer: (id, ms) => asked.push(`set ${id} ${ms}`),
  timersMax: 10,
  memoryBytes: 2 ** 27,
  clearTimer: (id) => asked.push(`clear ${id}`),
  log: (_level, text) => asked.push(`log ${text.split("\n")[0] ?? ""}`),
};

// In the order of the file: the first test runs before thaw.
const early = setTimeout(() => asked.push("early"), 7);

beforeEach(() => {
  asked = [];
});

test("a timer set at top level starts at thaw", () => {
  expect(asked).toEqual([]);
  thawReport(port);
  thawTimers(port);
  expect(asked).toEqual([`set ${early} 7`]);
  fireTimer(early);
  expect(asked).toEqual([`set ${early} 7`, "early"]);
});

test("a timeout runs once with its arguments, an interval until it is cleared", () => {
  const once = setTimeout((...args: unknown[]) => asked.push(args.join()), 5, 1, 2);
  fireTimer(once);
  fireTimer(once);
  const often = setInterval(() => asked.push("tick"), 10);
  fireTimer(often);
  fireTimer(often);
  clearInterval(often);
  fireTimer(often);
  expect(asked).toEqual([
    `set ${once} 5`,
    "1,2",
    `set ${often} 10`,
    "tick",
    `set ${often} 10`,
    "tick",
    `set ${often} 10`,
    `clear ${often}`,
  ]);
});

test("an interval cleared by its own callback is not set again", () => {
  const id = setInterval(() => clearTimeout(id), 10);
  fireTimer(id);
  expect(asked).toEqual([`set ${id} 10`, `clear ${id}`]);
});

test("delays that are no positive number are 0, nested ones are clamped", () => {
  const ids = [undefined, -1, Number.NaN, "x", 2 ** 31].map((ms) => setTimeout(() => 0, ms));
  expect(asked).toEqual(ids.map((id) => `set ${id} 0`));
  for (const id of ids) clearTimeout(id);
  asked = [];
  let last = 0;
  const chain = (): void => {
    last = setTimeout(chain, 0);
  };
  chain();
  for (let i = 0; i < 6; i++) fireTimer(last);
  expect(asked.map((line) => line.split(" ")[2])).toEqual(["0", "0", "0", "0", "0", "4", "4"]);
  clearTimeout(last);
});

test("a callback that throws is reported", () => {
  const id = setTimeout(() => {
    throw new Error("late");
  });
  fireTimer(id);
  expect(asked).toEqual([`set ${id} 0`, "log Uncaught Error: late"]);
});

test("code in a string is refused", () => {
  expect(() => setTimeout("1", 0)).toThrow(TypeError);
  expect(() => setInterval("1", 0)).toThrow(TypeError);
});

test("the platform's own timers cannot be cleared by authors", () => {
  let ran = 0;
  const kept = startTimer(() => ran++, 1);
  clearTimeout(kept);
  fireTimer(kept);
  expect(ran).toBe(1);
  const stopped = startTimer(() => ran++, 1);
  stopTimer(stopped);
  fireTimer(stopped);
  expect(ran).toBe(1);
});

test("as many timers as allowed, one more is refused, and a freed place can be used", () => {
  const ids: number[] = [];
  for (let i = 0; i < 10; i++) ids.push(setTimeout(() => 0, 1));
  expect(() => setTimeout(() => 0, 1)).toThrow("More than 10 timers at once");
  fireTimer(ids[0] ?? 0);
  ids.push(setTimeout(() => 0, 1));
  for (const id of ids) clearTimeout(id);
});

test("microtasks run in order and report what they throw", async () => {
  queueMicrotask(() => asked.push("a"));
  queueMicrotask(() => {
    throw new Error("b");
  });
  queueMicrotask(() => asked.push("c"));
  expect(asked).toEqual([]);
  await Promise.resolve();
  await Promise.resolve();
  expect(asked).toEqual(["a", "log Uncaught Error: b", "c"]);
  expect(() => queueMicrotask("x")).toThrow(TypeError);
});
