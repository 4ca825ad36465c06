import { afterEach, beforeEach, expect, test } from "vitest";
import { openGuest, type GuestHarness } from "../../../test/guest/harness.ts";
import { ENTRIES_MAX } from "./timeline.ts";

let guest: GuestHarness;
beforeEach(async () => {
  guest = await openGuest();
});
afterEach(() => guest.dispose());

/** What each call of an observer's callback was told, as [names, droppedEntriesCount]. */
const SEEN = `
  const tellings = [];
  const names = (entries) => entries.map(({ name }) => name);
  const told = () => new Promise((resolve) => setTimeout(resolve, 0));
  const observer = new PerformanceObserver(function (list, self, options) {
    if (this !== observer || self !== observer) throw new Error("told somebody else");
    tellings.push([names(list.getEntries()), options.droppedEntriesCount]);
  });`;

test("an observer is told of entries of its types, in their order, once and later", async () => {
  const found = await guest.run(`${SEEN}
    observer.observe({ entryTypes: ["measure", "mark", "resource"] });
    performance.mark("late", { startTime: 9 });
    performance.measure("early", { start: 1, end: 2 });
    const before = tellings.length;
    await told();
    observer.observe({ entryTypes: ["mark"] });
    performance.measure("unseen");
    performance.mark("seen");
    await told();
    performance.mark("again");
    await told();
    return [before, tellings];`);
  expect(found).toEqual([
    0,
    [
      [["early", "late"], 0],
      [["seen"], 0],
      [["again"], undefined],
    ],
  ]);
});

test("types are added one by one, and what was before is told if it is asked for", async () => {
  const found = await guest.run(`${SEEN}
    performance.mark("past");
    performance.measure("past measure");
    observer.observe({ type: "mark", buffered: true });
    observer.observe({ type: "measure" });
    performance.mark("now");
    performance.measure("now measure", { start: 1e9, duration: 1 });
    await told();
    return tellings;`);
  expect(found).toEqual([[["past", "now", "now measure"], 0]]);
});

test("a list of entries is asked as the timeline is", async () => {
  const found = await guest.run(`
    const list = await new Promise((resolve) => {
      new PerformanceObserver(resolve).observe({ entryTypes: ["mark", "measure"] });
      performance.mark("a", { startTime: 2 });
      performance.mark("b", { startTime: 1 });
      performance.measure("a");
    });
    const names = (entries) => entries.map(({ name, entryType }) => name + " " + entryType);
    return [
      Object.prototype.toString.call(list),
      names(list.getEntriesByType("mark")),
      names(list.getEntriesByName("a")),
      names(list.getEntriesByName("a", "mark")),
    ];`);
  expect(found).toEqual([
    "[object PerformanceObserverEntryList]",
    ["b mark", "a mark"],
    ["a measure", "a mark"],
    ["a mark"],
  ]);
});

test("takeRecords takes what waits, and a disconnected observer is told nothing", async () => {
  const found = await guest.run(`${SEEN}
    observer.observe({ type: "mark" });
    performance.mark("taken");
    const taken = names(observer.takeRecords());
    performance.mark("dropped");
    observer.disconnect();
    performance.mark("unseen");
    await told();
    observer.observe({ entryTypes: ["mark"] });
    performance.mark("seen");
    await told();
    return [taken, tellings];`);
  expect(found).toEqual([["taken"], [[["seen"], 0]]]);
});

test("a callback that throws is reported, and keeps nothing from the other observers", async () => {
  const found = await guest.run(`${SEEN}
    const broken = new PerformanceObserver(() => { throw new Error("broken callback"); });
    broken.observe({ type: "mark" });
    observer.observe({ type: "mark" });
    const reported = [];
    addEventListener("error", (event) => { reported.push(event.message); event.preventDefault(); });
    performance.mark("a");
    await told();
    return [reported.length, tellings];`);
  expect(found).toEqual([1, [[["a"], 0]]]);
});

test.each([
  [ENTRIES_MAX - 1, [ENTRIES_MAX - 1, 0]],
  [ENTRIES_MAX, [ENTRIES_MAX, 0]],
  // One that the observer could not keep, and one that the timeline pushed out.
  [ENTRIES_MAX + 1, [ENTRIES_MAX, 2]],
])(
  "of %i entries at once an observer is told of %j: those kept, those lost",
  async (count, told) => {
    const found = await guest.run(`
    return new Promise((resolve) => {
      new PerformanceObserver((list, _, { droppedEntriesCount }) =>
        resolve([list.getEntries().length, droppedEntriesCount])).observe({ type: "mark" });
      for (let at = 0; at < ${count}; at++) performance.mark("m");
    });`);
    expect(found).toEqual(told);
  },
);

test.each([
  ["new PerformanceObserver()", "TypeError"],
  ["new PerformanceObserver({})", "TypeError"],
  ["PerformanceObserver(() => {})", "TypeError"],
  ["new PerformanceObserverEntryList()", "TypeError"],
  ["new Performance()", "TypeError"],
  ["observer.observe()", "TypeError"],
  ["observer.observe(1)", "TypeError"],
  ['observer.observe({ entryTypes: "mark" })', "TypeError"],
  ['observer.observe({ entryTypes: ["mark"], type: "mark" })', "TypeError"],
  [
    'observer.observe({ type: "mark" }); observer.observe({ entryTypes: ["mark"] })',
    "InvalidModificationError",
  ],
  [
    'observer.observe({ entryTypes: ["mark"] }); observer.observe({ type: "mark" })',
    "InvalidModificationError",
  ],
])("%s throws %s", async (code, name) => {
  const found = await guest.run(`
    const observer = new PerformanceObserver(() => {});
    try { ${code}; return "nothing"; } catch (error) { return error.name; }`);
  expect(found).toBe(name);
});

test("types that are not known are passed over, and those that are known cannot be changed", async () => {
  const found = await guest.run(`${SEEN}
    observer.observe({ type: "Mark", buffered: true });
    observer.observe({ type: "resource" });
    performance.mark("a");
    await told();
    const types = PerformanceObserver.supportedEntryTypes;
    return [tellings, types, Object.isFrozen(types), types === PerformanceObserver.supportedEntryTypes];`);
  expect(found).toEqual([[], ["mark", "measure"], true, true]);
});
