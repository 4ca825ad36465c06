import { beforeEach, expect, test } from "vitest";
import type { LongSlices } from "../../../sdk/node.ts";
import { ANSWER_MS_MAX, LongPlaces } from "./long-places.ts";

let told: LongSlices[] = [];
let started: string[] = [];
let timers: { run: () => void; ms: number }[] = [];
let places = open();

beforeEach(() => {
  told = [];
  started = [];
  timers = [];
  places = open();
});

function open(): LongPlaces {
  return new LongPlaces(1, (run, ms) => {
    const timer = { run, ms };
    timers.push(timer);
    return () => {
      timers = timers.filter((one) => one !== timer);
    };
  });
}

function follow(): void {
  places.follow((slices) => told.push(slices));
}

function take(...names: string[]): void {
  for (const name of names) places.take(() => started.push(name));
}

/** What is told at the end of this turn. */
const reported = (): Promise<void> => Promise.resolve();

test("where nobody gives turns, the worker's own number counts", () => {
  take("a", "b");
  expect(started).toEqual(["a"]);
  places.leave();
  expect(started).toEqual(["a", "b"]);
});

test("a slice waits for its turn, and what happens at once is told once", async () => {
  follow();
  take("a", "b");
  await reported();
  expect(started).toEqual([]);
  expect(told).toEqual([{ running: 0, waiting: 2, turns: 0 }]);
  places.turn(true);
  await reported();
  expect(started).toEqual(["a"]);
  expect(told.at(-1)).toEqual({ running: 1, waiting: 1, turns: 1 });
  places.occupy();
  places.leave();
  places.leave();
  await reported();
  expect(told.at(-1)).toEqual({ running: 0, waiting: 1, turns: 1 });
  expect(started).toEqual(["a"]);
});

test("a turn that nobody needs any more is told as taken", async () => {
  follow();
  places.turn(true);
  await reported();
  expect(told).toEqual([{ running: 0, waiting: 0, turns: 1 }]);
});

test("without an answer in time the own number counts, until there is one again", async () => {
  follow();
  take("a", "b");
  await reported();
  expect(timers.map(({ ms }) => ms)).toEqual([ANSWER_MS_MAX]);
  timers.shift()?.run();
  expect(started).toEqual(["a"]);
  await reported();
  expect(told.at(-1)).toEqual({ running: 1, waiting: 1, turns: 0 });
  places.turn(false);
  expect(timers).toEqual([]);
  places.leave();
  await reported();
  expect(started).toEqual(["a"]);
  places.turn(true);
  expect(started).toEqual(["a", "b"]);
});

test("when who gives turns is lost, those that wait go on; the next is told where things stand", async () => {
  follow();
  take("a", "b");
  await reported();
  places.follow(null);
  expect(started).toEqual(["a"]);
  expect(timers).toEqual([]);
  told = [];
  follow();
  await reported();
  expect(told).toEqual([{ running: 1, waiting: 1, turns: 0 }]);
});
