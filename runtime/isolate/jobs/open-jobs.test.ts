import { expect, test } from "vitest";
import { OPEN_MAX } from "../../../sdk/bridge.ts";
import type { Job } from "./job.ts";
import { LATE_MAX, OpenJobs } from "./open-jobs.ts";

function open(jobs: OpenJobs): number {
  const id = jobs.nextId();
  // Only the number matters here.
  jobs.add({ id } as Job);
  return id;
}

test("open jobs are found by their number until they are deleted", () => {
  const jobs = new OpenJobs();
  const ids = Array.from({ length: OPEN_MAX }, () => open(jobs));
  expect(new Set(ids).size).toBe(OPEN_MAX);
  expect(jobs.size).toBe(OPEN_MAX);
  expect(ids.every((id) => jobs.get(id)?.id === id)).toBe(true);
  expect(ids.every((id) => jobs.delete(id))).toBe(true);
  expect(jobs.size).toBe(0);
  expect(jobs.values()).toEqual([]);
});

test("a place that is used again has another number", () => {
  const jobs = new OpenJobs();
  const first = open(jobs);
  jobs.delete(first);
  const second = open(jobs);
  expect(second).not.toBe(first);
  expect(jobs.get(first)).toBeUndefined();
  expect(jobs.delete(first)).toBe(false);
  expect(jobs.has(second)).toBe(true);
});

test("numbers stay positive and within 32 bits, however many were given", () => {
  const jobs = new OpenJobs();
  let largest = 0;
  let smallest = Infinity;
  for (let i = 0; i < 2 ** 20 + 10; i++) {
    const id = open(jobs);
    largest = Math.max(largest, id);
    smallest = Math.min(smallest, id);
    jobs.delete(id);
  }
  expect(smallest).toBeGreaterThan(0);
  expect(largest).toBeLessThan(2 ** 31);
});

test("no number is found that nobody was given", () => {
  const jobs = new OpenJobs();
  const id = open(jobs);
  for (const wrong of [0, -1, 0.5, NaN, id + OPEN_MAX, id + 1, 2 ** 53]) {
    expect(jobs.get(wrong)).toBeUndefined();
  }
});

test(`the last ${LATE_MAX} that were closed are found until nothing was closed between two looks`, () => {
  const jobs = new OpenJobs();
  const ids = Array.from({ length: LATE_MAX + 1 }, () => {
    const id = open(jobs);
    jobs.delete(id);
    return id;
  });
  const found = (): number => ids.filter((id) => jobs.lately(id)?.id === id).length;
  expect(ids.filter((id) => jobs.has(id))).toEqual([]);
  expect(found()).toBe(LATE_MAX);
  jobs.forget();
  expect(found()).toBe(LATE_MAX);
  jobs.forget();
  expect(found()).toBe(0);
});

test("nothing is found late of an isolate that has ended", () => {
  const jobs = new OpenJobs();
  const id = open(jobs);
  jobs.delete(id);
  expect(jobs.lately(id)?.id).toBe(id);
  jobs.clearLate();
  expect(jobs.lately(id)).toBeUndefined();
});
