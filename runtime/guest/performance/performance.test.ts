import { afterEach, beforeEach, expect, test } from "vitest";
import { openGuest, type GuestHarness } from "../../../test/guest/harness.ts";
import { ENTRIES_MAX } from "./timeline.ts";

let guest: GuestHarness;
beforeEach(async () => {
  guest = await openGuest();
});
afterEach(() => guest.dispose());

test("marks and measures are entries, in the order of their beginning", async () => {
  const found = await guest.run(`
    performance.mark("late", { startTime: 30, detail: { deep: [1] } });
    performance.mark("early", { startTime: 10 });
    const made = performance.measure("between", "early", "late");
    performance.measure("tail", { end: 50, duration: 5, detail: "d" });
    performance.measure("head", { start: "early", duration: 2 });
    performance.measure("all", { start: 0, end: "late" });
    return [
      made instanceof PerformanceMeasure && made instanceof PerformanceEntry,
      performance.getEntries().map((entry) => entry.toJSON()),
      performance.getEntriesByType("mark").map(({ name }) => name),
      performance.getEntriesByName("early", "measure").length,
    ];`);
  const measure = { entryType: "measure", detail: null };
  expect(found).toEqual([
    true,
    [
      { ...measure, name: "all", startTime: 0, duration: 30 },
      { name: "early", entryType: "mark", startTime: 10, duration: 0, detail: null },
      { ...measure, name: "between", startTime: 10, duration: 20 },
      { ...measure, name: "head", startTime: 10, duration: 2 },
      { name: "late", entryType: "mark", startTime: 30, duration: 0, detail: { deep: [1] } },
      { ...measure, name: "tail", startTime: 45, duration: 5, detail: "d" },
    ],
    ["early", "late"],
    0,
  ]);
});

test("a measure begins at the newest mark of a name, ends now, and without a name begins at 0", async () => {
  const found = await guest.run(`
    performance.mark("a", { startTime: 1 });
    performance.mark("a", { startTime: 2 });
    const now = performance.now();
    return [performance.measure("m", "a"), performance.measure("n")]
      .map(({ startTime, duration }) => [startTime, startTime + duration === now]);`);
  expect(found).toEqual([
    [2, true],
    [0, true],
  ]);
});

test("what is cleared is gone, by name or all of its kind", async () => {
  const found = await guest.run(`
    const names = () => performance.getEntries().map(({ name }) => name);
    for (const name of ["a", "b"]) { performance.mark(name, { startTime: 1 }); performance.measure(name + "-m"); }
    performance.clearMarks("a");
    const first = names().sort();
    performance.clearMarks();
    performance.clearMeasures("b-m");
    return [first, names()];`);
  expect(found).toEqual([["a-m", "b", "b-m"], ["a-m"]]);
});

test.each([
  [ENTRIES_MAX - 1, "0"],
  [ENTRIES_MAX, "0"],
  [ENTRIES_MAX + 1, "1"],
])("of %i entries the newest stay, the first of them %s", async (count, first) => {
  const found = await guest.run<[number, string]>(`
    for (let at = 0; at < ${count}; at++) performance.mark(at, { startTime: at });
    const all = performance.getEntries();
    return [all.length, all[0].name];`);
  expect(found).toEqual([Math.min(count, ENTRIES_MAX), first]);
});

test.each([
  ["performance.mark()", "TypeError"],
  ['performance.mark("a", 123)', "TypeError"],
  ['performance.mark("a", "b")', "TypeError"],
  ['performance.mark("a", { startTime: -1 })', "TypeError"],
  ['performance.mark("a", { startTime: NaN })', "TypeError"],
  ['performance.mark("a", { detail: () => {} })', "DataCloneError"],
  ['performance.measure("a", "none")', "SyntaxError"],
  ['performance.measure("a", { end: "none" })', "SyntaxError"],
  ['performance.measure("a", { start: -1 })', "TypeError"],
  ['performance.measure("a", { detail: 1 })', "TypeError"],
  ['performance.measure("a", { start: 1 }, "b")', "TypeError"],
  ['performance.measure("a", { start: 1, end: 2, duration: 1 })', "TypeError"],
  ["new PerformanceEntry()", "TypeError"],
  ["new PerformanceMeasure()", "TypeError"],
])("%s throws %s and leaves no entry", async (code, name) => {
  const found = await guest.run(`
    try { ${code}; return "nothing"; } catch (error) {
      return [error.name, performance.getEntries().length];
    }`);
  expect(found).toEqual([name, 0]);
});
