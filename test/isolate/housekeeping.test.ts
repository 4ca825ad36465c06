// The housekeeping of a worker over real isolates: who is evicted, who recycled, and that everybody answers.

import { afterAll, beforeAll, expect, test } from "vitest";
import { HEAP_SHARE_MAX } from "../../runtime/isolate/life/recycling.ts";
import { Housekeeping, type HousekeepingOptions } from "../../runtime/worker/housekeeping.ts";
import { IDLE_MS_MAX } from "../../runtime/worker/memory-budget.ts";
import { heapOf, openWorkshop, type Opened, type Workshop } from "./instances.ts";

const SOURCE = `let n = 0;
  const kept = [];
  export default { fetch: (request) => {
    if (request.url.endsWith("/keep")) kept.push(Array.from({ length: 50_000 }, (_, i) => i + 0.5));
    return new Response(String(++n));
  } };`;

let workshop: Workshop;
beforeAll(async () => {
  workshop = await openWorkshop();
});
afterAll(() => workshop.close());

interface House {
  readonly housekeeping: Housekeeping;
  readonly events: string[];
  readonly lines: Parameters<HousekeepingOptions["onEvictions"]>[0][];
  /** Resolves with the next that is recycled. */
  readonly recycled: () => Promise<string>;
}

/** For isolates made ahead, of which there is one. */
class StandIn {
  readonly calls: string[] = [];
  isolates = 1;
  heapBytes(): number {
    return 1_000_000;
  }
  async look(): Promise<void> {
    this.calls.push("look");
  }
  async loaded(): Promise<void> {
    this.calls.push("loaded");
  }
  drop(): void {
    this.calls.push("drop");
    this.isolates = 0;
  }
}

function keepHouse(
  opened: readonly Opened[],
  options: {
    budgetBytes?: number;
    now?: () => number;
    others?: readonly Opened[];
    stock?: HousekeepingOptions["stock"];
  },
): House {
  const events: string[] = [];
  const lines: Parameters<HousekeepingOptions["onEvictions"]>[0][] = [];
  let waiter: (endpoint: string) => void = () => undefined;
  const housekeeping = new Housekeeping(
    {
      budgetBytes: () => options.budgetBytes ?? Number.POSITIVE_INFINITY,
      now: options.now ?? (() => performance.now()),
      stock: options.stock ?? new StandIn(),
      onRecycled(endpoint, reason) {
        events.push(`${endpoint} ${reason}`);
        waiter(endpoint);
      },
      onEvicted: (endpoint, reason) => events.push(`${endpoint} ${reason}`),
      onEvictions: (counts) => lines.push(counts),
    },
    {
      serving: () => opened.map(({ generation }, at) => ({ endpoint: `${at}`, generation })),
      others: () => (options.others ?? []).map(({ generation }) => generation),
    },
  );
  return {
    housekeeping,
    events,
    lines,
    recycled: () => new Promise((resolve) => (waiter = resolve)),
  };
}

/** Its answer, once its heap is known as well: a thread may still be on its way out of it. */
async function ask(one: Opened): Promise<string> {
  const text = await one.text("/");
  await heapOf(one);
  return text;
}

test("evicts the least recently used beyond the budget, which then answers anew", async () => {
  let aheadMs = 0;
  const opened = [0, 1, 2].map(() => workshop.open({ source: SOURCE, aheadMs: () => aheadMs }));
  // A budget for one of them and a half.
  const [first] = opened;
  if (first === undefined) throw new Error("not opened");
  await ask(first);
  const budgetBytes = (first.generation.heapBytes() + 2 * 1_048_576) * 1.5;
  const { housekeeping, events, lines } = keepHouse(opened, { budgetBytes });
  for (const [at, one] of opened.entries()) {
    aheadMs += 1_000;
    expect(await ask(one)).toBe(at === 0 ? "2" : "1");
    housekeeping.loaded();
  }
  expect(events).toEqual(["0 memory", "1 memory"]);
  expect(lines).toEqual([]);
  housekeeping.look();
  housekeeping.look();
  expect(lines).toEqual([{ idle: 0, memory: 2 }]);
  for (const one of opened.slice(0, 2)) expect(await one.text("/")).toBe("1");
  expect(await opened[2]?.text("/")).toBe("2");
});

test("counts isolates that it cannot choose", async () => {
  const [serving, other] = [0, 1].map(() => workshop.open({ source: SOURCE }));
  if (serving === undefined || other === undefined) throw new Error("not opened");
  for (const one of [serving, other]) await ask(one);
  const { housekeeping, events } = keepHouse([serving], {
    budgetBytes: 5_000_000,
    others: [other],
  });
  housekeeping.loaded();
  expect(events).toEqual(["0 memory"]);
  expect(other.generation.isolates).toBe(1);
});

test("lets isolates be made ahead while there is room, and gives them back before it evicts", async () => {
  const opened = workshop.open({ source: SOURCE });
  await ask(opened);
  const used = opened.generation.heapBytes() + 2 * 1_048_576;
  const stock = new StandIn();
  const roomy = keepHouse([opened], { stock, budgetBytes: used + 20_000_000 });
  roomy.housekeeping.look();
  roomy.housekeeping.loaded();
  expect(stock.calls).toEqual(["look", "loaded"]);
  const tight = keepHouse([opened], { stock, budgetBytes: used + 500_000 });
  tight.housekeeping.look();
  tight.housekeeping.loaded();
  expect(stock.calls).toEqual(["look", "loaded", "drop"]);
  expect(tight.events).toEqual([]);
});

test("evicts what nobody asked for long", async () => {
  let now = performance.now();
  const opened = workshop.open({ source: SOURCE });
  await opened.text("/");
  const { housekeeping, events } = keepHouse([opened], { now: () => now });
  housekeeping.look();
  now += IDLE_MS_MAX - 60_000;
  housekeeping.look();
  expect(events).toEqual([]);
  now += 61_000;
  housekeeping.look();
  expect(events).toEqual(["0 idle"]);
  expect(await opened.text("/")).toBe("1");
});

test("recycles one at a time", async () => {
  const limits = { memoryMb: 16, cpuMs: 5_000 };
  const opened = [0, 1].map(() => workshop.open({ source: SOURCE, limits }));
  const full = limits.memoryMb * 1_048_576 * HEAP_SHARE_MAX;
  for (const one of opened) {
    do await one.text("/keep");
    while ((await heapOf(one)) <= full);
  }
  const { housekeeping, events, recycled } = keepHouse(opened, {});
  for (const at of ["0", "1"]) {
    let done: string | null = null;
    void recycled().then((endpoint) => (done = endpoint));
    // A thread on its way out of an isolate hides its heap from a look.
    while (done === null) {
      housekeeping.look();
      housekeeping.look();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(done).toBe(at);
  }
  housekeeping.look();
  expect(events).toEqual(["0 heap", "1 heap"]);
  for (const one of opened) expect(await one.text("/")).toBe("1");
});

test("counts all isolates at a load only when room is short or many were loaded since", () => {
  const MANY = 32;
  let counts = 0;
  const generation = {
    look: () => {
      counts++;
      return { isolates: 1, heapBytes: 1_000_000, lastUsedMs: 0, rests: false };
    },
    evict: () => undefined,
    reasonToRecycle: () => null,
    recycle: async () => false,
  };
  const house = (budgetBytes: number): Housekeeping =>
    new Housekeeping(
      {
        budgetBytes: () => budgetBytes,
        now: () => 0,
        stock: new StandIn(),
        onRecycled: () => undefined,
        onEvicted: () => undefined,
        onEvictions: () => undefined,
      },
      {
        serving: () => Array.from({ length: MANY }, (_, at) => ({ endpoint: `${at}`, generation })),
        others: () => [],
      },
    );
  const countsOf = (budgetBytes: number, loads: number): number => {
    const housekeeping = house(budgetBytes);
    housekeeping.loaded();
    counts = 0;
    for (let load = 0; load < loads; load++) housekeeping.loaded();
    return counts / MANY;
  };
  expect(countsOf(10_000_000_000, MANY / 8)).toBe(0);
  expect(countsOf(10_000_000_000, MANY / 8 + 1)).toBe(1);
  expect(countsOf(110_000_000, 3)).toBe(3);
});
