import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LongPlaces } from "../../isolate/slice/long-places.ts";
import { LongTurns } from "./long-turns.ts";

const never = (): (() => void) => () => {};

/** A worker with its places, and messages that travel when the test says so. */
class Worker {
  state = "serving";
  running = 0;
  readonly places = new LongPlaces(1, never);
  readonly toWorker: boolean[] = [];
  readonly toNode: (() => void)[] = [];

  constructor(turns: LongTurns<Worker>) {
    this.places.follow((slices) => this.toNode.push(() => turns.told(this, slices)));
  }

  send({ given }: { readonly given: boolean }): void {
    this.toWorker.push(given);
  }

  take(): void {
    this.places.take(() => this.running++);
  }

  leave(): void {
    if (this.running === 0) return;
    this.running--;
    this.places.leave();
  }

  /** One message each way. */
  async travel(): Promise<void> {
    await Promise.resolve();
    this.toNode.shift()?.();
    const given = this.toWorker.shift();
    if (given !== undefined) this.places.turn(given);
    await Promise.resolve();
  }
}

function street(cores: number, workers: number): { turns: LongTurns<Worker>; all: Worker[] } {
  const turns = new LongTurns<Worker>(cores);
  return { turns, all: Array.from({ length: workers }, () => new Worker(turns)) };
}

async function settle(all: readonly Worker[]): Promise<void> {
  do for (const worker of all) await worker.travel();
  while (all.some(({ toNode, toWorker }) => toNode.length + toWorker.length > 0));
}

const runningOf = (all: readonly Worker[]): number[] => all.map(({ running }) => running);

describe("long slices of a node", () => {
  test("are as many as it has cores, whichever worker they are in", async () => {
    const { all } = street(2, 2);
    for (let slice = 0; slice < 3; slice++) all[0]?.take();
    await settle(all);
    expect(runningOf(all)).toEqual([2, 0]);
    all[1]?.take();
    await settle(all);
    expect(runningOf(all)).toEqual([2, 0]);
    all[0]?.leave();
    await settle(all);
    expect(runningOf(all)).toEqual([2, 0]);
    all[0]?.leave();
    await settle(all);
    expect(runningOf(all)).toEqual([1, 1]);
  });

  test("leave a core free while a worker is brisk, but one there always is", async () => {
    const { turns, all } = street(2, 2);
    for (const worker of all) worker.take();
    const [first, second] = all;
    if (first === undefined || second === undefined) throw new Error("two workers");
    turns.beat(second, true);
    await settle(all);
    expect(runningOf(all)).toEqual([1, 0]);
    first.leave();
    first.take();
    await settle(all);
    expect(runningOf(all)).toEqual([0, 1]);
    turns.beat(second, false);
    await settle(all);
    expect(runningOf(all)).toEqual([1, 1]);
    const single = street(1, 1);
    for (const worker of single.all) {
      single.turns.beat(worker, true);
      worker.take();
    }
    await settle(single.all);
    expect(runningOf(single.all)).toEqual([1]);
  });

  test("of a worker that is gone give their places back, and what it said last is not heard", async () => {
    const { turns, all } = street(1, 2);
    const [first, second] = all;
    first?.take();
    await settle(all);
    second?.take();
    await settle(all);
    expect(runningOf(all)).toEqual([1, 0]);
    if (first === undefined) return;
    first.state = "gone";
    turns.gone(first);
    turns.told(first, { running: 5, waiting: 5, turns: 0 });
    turns.beat(first, true);
    await settle(all);
    expect(runningOf(all)).toEqual([1, 1]);
  });

  test("that began before this supervisor are counted", async () => {
    const { turns, all } = street(2, 1);
    const [worker] = all;
    if (worker === undefined) return;
    turns.told(worker, { running: 2, waiting: 1, turns: 7 });
    expect(worker.toWorker).toEqual([false]);
    turns.told(worker, { running: 1, waiting: 1, turns: 7 });
    expect(worker.toWorker).toEqual([false, true]);
  });

  test("never are more than there are places, and all get their turn", async () => {
    const step = fc.record({
      worker: fc.nat(2),
      what: fc.constantFrom("take", "leave", "travel", "brisk", "calm"),
    });
    const run = fc.asyncProperty(fc.integer({ min: 1, max: 3 }), fc.array(step), many);
    await fc.assert(run, { numRuns: 200 });

    async function many(cores: number, steps: readonly { worker: number; what: string }[]) {
      const { turns, all } = street(cores, 3);
      let left = 0;
      for (const { worker: index, what } of steps) {
        const worker = all[index];
        if (worker === undefined) continue;
        if (what === "take") {
          worker.take();
          left++;
        } else if (what === "leave") worker.leave();
        else if (what === "travel") await worker.travel();
        else turns.beat(worker, what === "brisk");
        expect(runningOf(all).reduce((sum, one) => sum + one)).toBeLessThanOrEqual(cores);
      }
      for (; left > 0; left--) {
        await settle(all);
        for (const worker of all) worker.leave();
      }
      await settle(all);
      for (const worker of all) expect(worker.running).toBe(0);
      const late = all[0];
      late?.take();
      await settle(all);
      expect(late?.running).toBe(1);
    }
  });
});
