// Isolates made ahead: when they are made and given back, and that what was loaded into one cannot tell.

import { afterAll, beforeAll, expect, test } from "vitest";
import { WARM_UP } from "../../compiler/warm-up.ts";
import { makeSnapshot, SharedSnapshot } from "../../runtime/isolate/engine.ts";
import { Stock, type Blank, type Utilization } from "../../runtime/isolate/life/stock.ts";
import { loadInstance, type Loaded } from "../../runtime/isolate/load.ts";
import { resolveLimits } from "../../sdk/limits.ts";
import { openWorkshop, scriptOf, Sent, type Workshop } from "./instances.ts";

const LIMITS = resolveLimits({});

let workshop: Workshop;
let snapshot: SharedSnapshot;
beforeAll(async () => {
  workshop = await openWorkshop();
  snapshot = new SharedSnapshot(makeSnapshot([workshop.guest], WARM_UP));
});
afterAll(() => workshop.close());

/** A thread whose use is told. */
class Thread {
  #use: Utilization = { active: 0, idle: 0 };
  readonly utilization = (): Utilization => this.#use;

  /** Until now it was in use for so much of the time, long enough that making isolates does not count. */
  was(share: number): void {
    const { active, idle } = this.#use;
    this.#use = { active: active + 1e9 * share, idle: idle + 1e9 * (1 - share) };
  }
}

function openStock(thread: Thread): Stock {
  return new Stock({
    memoryMb: LIMITS.memoryMb,
    snapshot: () => snapshot,
    places: workshop.host.places,
    utilization: thread.utilization,
    onCatastrophic: (message) => workshop.catastrophes.push(message),
  });
}

async function looks(stock: Stock, thread: Thread, ...shares: number[]): Promise<number> {
  for (const share of shares) {
    thread.was(share);
    await stock.look();
  }
  return stock.isolates;
}

test("two are made ahead, one at each look that finds a quiet thread", async () => {
  const thread = new Thread();
  const stock = openStock(thread);
  expect(await looks(stock, thread, 0.11)).toBe(0);
  expect(await looks(stock, thread, 0.09)).toBe(1);
  expect(await looks(stock, thread, 0.11)).toBe(1);
  expect(await looks(stock, thread, 0, 0)).toBe(2);
  expect(stock.heapBytes()).toBeGreaterThan(1_000_000);
  stock.close();
  expect(await looks(stock, thread, 0)).toBe(0);
});

test("only the last one is replaced as soon as it is taken, however busy the thread", async () => {
  const thread = new Thread();
  const stock = openStock(thread);
  const taken: (Blank | null)[] = [];
  const take = async (): Promise<number> => {
    taken.push(stock.take(LIMITS.memoryMb));
    await stock.loaded();
    return stock.isolates;
  };
  expect(await looks(stock, thread, 0, 0)).toBe(2);
  expect(await looks(stock, thread, 1, 1)).toBe(2);
  for (let round = 0; round < 3; round++) expect(await take()).toBe(1);
  expect(taken.every((blank) => blank !== null)).toBe(true);
  for (const blank of taken) blank?.engine.dispose();
  stock.close();
});

test("one is for its memory limit only, and all are given back at once", async () => {
  const thread = new Thread();
  const stock = openStock(thread);
  expect(await looks(stock, thread, 0)).toBe(1);
  expect(stock.take(LIMITS.memoryMb - 1)).toBeNull();
  expect(stock.isolates).toBe(1);
  stock.drop();
  expect(stock.take(LIMITS.memoryMb)).toBeNull();
  // Not for ever.
  expect(await looks(stock, thread, 0)).toBe(1);
  stock.close();
});

const SOURCE = `const top = [Math.random(), crypto.randomUUID(), Date.now()];
  export default { fetch: (_, env) =>
    Response.json([...top, Math.random(), crypto.randomUUID(), performance.now(), env.name]) };`;

test("a handler in one has a seed of its own, the time of its load, and its env", async () => {
  const thread = new Thread();
  const stock = openStock(thread);
  await looks(stock, thread, 0, 0);
  const madeMs = Date.now();
  while (Date.now() <= madeMs) await new Promise(setImmediate);
  const answers = await Promise.all(["a", "b"].map((name) => answerOf(stock, name)));
  stock.close();
  for (const answer of answers) {
    expect(answer[2]).toBeGreaterThan(madeMs);
    expect(Number(answer[5])).toBeLessThan(60_000);
  }
  const random = answers.flatMap(([one, id, , other, otherId]) => [one, id, other, otherId]);
  expect(new Set(random).size).toBe(8);
  expect(answers.map((answer) => answer[6])).toEqual(["a", "b"]);
});

async function answerOf(stock: Stock, name: string): Promise<unknown[]> {
  const blank = stock.take(LIMITS.memoryMb);
  if (blank === null) throw new Error("nothing was made");
  const { guest } = workshop;
  const bundle = scriptOf(SOURCE);
  const script = { guest, bundle, codeCache: null, format: "script" } as const;
  const loaded: Loaded = await loadInstance({
    start: () => ({ kind: "platform", blank, snapshot, ...script }),
    limits: LIMITS,
    trust: "own",
    env: JSON.stringify({ vars: { name } }),
    host: workshop.host,
    services: [],
    events: { ended: () => undefined, died: () => undefined },
    onCatastrophic: (message) => workshop.catastrophes.push(message),
    onWedged: () => workshop.catastrophes.push("wedged"),
  });
  const sent = new Sent({ url: "/" });
  loaded.instance.accept(sent);
  const text = await sent.text();
  loaded.dispose();
  return JSON.parse(text) as unknown[];
}
