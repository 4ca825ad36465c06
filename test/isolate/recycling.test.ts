// A generation whose isolate is replaced by a fresh one, or let go of until the next request: nobody notices. Each
// isolate has a number of its own, drawn when it first runs, by which replies tell which one answered.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BACKGROUND_MS } from "../../runtime/isolate/instance.ts";
import { CUTS_MAX, HEAP_LOOKS, HEAP_SHARE_MAX } from "../../runtime/isolate/life/recycling.ts";
import { heapOf, openWorkshop, type Opened, type Sent, type Workshop } from "./instances.ts";

const SOURCE = `
let id;
const kept = [];
const handlers = {
  id: () => new Response(id),
  echo: async (request) => new Response(await request.text()),
  spin: () => { for (;;); },
  busy: () => { let n = 0; for (let i = 0; i < 2e7; i++) n += i % 7; return new Response(String(n)); },
  waits: async (request) => { await request.text(); return new Response(id); },
  stream: (request) => new Response(request.body.pipeThrough(new TransformStream())),
  background: (request, env, ctx) => { ctx.waitUntil(request.text()); return new Response(id); },
  timer: () => { setTimeout(() => {}, 1e9); return new Response(id); },
  keep: (request) => {
    const bytes = Number(new URL(request.url).searchParams.get("bytes"));
    kept.push(Array.from({ length: bytes / 8 }, (_, i) => i + 0.5));
    return new Response(id);
  },
};
export default { fetch(request, env, ctx) {
  id ??= crypto.randomUUID();
  return handlers[new URL(request.url).pathname.slice(1)](request, env, ctx);
} };
`;

let workshop: Workshop;
beforeAll(async () => {
  workshop = await openWorkshop();
});
afterAll(() => workshop.close());

/** A request whose body is still to come, and that its handler has begun. */
async function begin(opened: Opened, url: string): Promise<Sent> {
  const sent = opened.send({ url, streamed: true });
  await opened.text("/id");
  return sent;
}

describe("a generation that is recycled", () => {
  test.each(["own", "untrusted"] as const)("loses no request under load, %s", async (trust) => {
    const opened = workshop.open({ source: SOURCE, trust, limits: { cpuMs: 20_000 } });
    let stopped = false;
    let answered = 0;
    const ids = new Set<string>();
    const ask = async (connection: number): Promise<void> => {
      while (!stopped) {
        const body = `${connection} ${answered}`;
        expect(await opened.text({ url: "/echo", method: "POST", body })).toBe(body);
        answered++;
        ids.add(await opened.text("/id"));
      }
    };
    const load = Promise.all([0, 1, 2, 3].map(ask));
    for (let i = 0; i < 5; i++) {
      await opened.text("/busy");
      ids.add(await opened.text("/id"));
      expect(await opened.generation.recycle()).toBe(true);
    }
    ids.add(await opened.text("/id"));
    stopped = true;
    await load;
    expect(ids.size).toBe(opened.loads());
    expect(opened.loads()).toBe(6);
    expect(opened.generation).toMatchObject({ recycles: 5, isolates: 1, inFlight: 0 });
    expect(opened.deaths).toEqual([]);
  });

  test("gives new requests to the fresh isolate while streams and background work end in the old one", async () => {
    const opened = workshop.open({ source: SOURCE });
    const old = await opened.text("/id");
    const stream = await begin(opened, "/stream");
    const waits = await begin(opened, "/waits");
    const background = await begin(opened, "/background");
    expect(await background.text()).toBe(old);
    await opened.generation.recycle();
    const fresh = await opened.text("/id");
    expect(fresh).not.toBe(old);
    expect(opened.generation).toMatchObject({ isolates: 2, inFlight: 3 });
    waits.exchange.upload(null);
    expect(await waits.text()).toBe(old);
    stream.exchange.upload(Buffer.from("to the end"));
    stream.exchange.upload(null);
    expect(await stream.text()).toBe("to the end");
    expect(opened.generation.isolates).toBe(2);
    background.exchange.upload(null);
    while (opened.generation.inFlight > 0) await opened.text("/id");
    expect(opened.generation.isolates).toBe(1);
    expect(await opened.text("/id")).toBe(fresh);
  });

  test("ends by force what is still open in the old isolate after the drain timeout, and nothing else", async () => {
    const opened = workshop.open({ source: SOURCE, drainTimeoutMs: 50 });
    const old = await begin(opened, "/waits");
    await opened.generation.recycle();
    const fresh = await begin(opened, "/waits");
    expect(await old.ended()).toBe("SHUTTING_DOWN");
    expect(opened.generation.isolates).toBe(1);
    fresh.exchange.upload(null);
    expect(await fresh.text()).toBe(await opened.text("/id"));
  });

  test("disposes of an isolate in which a thread still runs only when that has left it", async () => {
    const limits = { cpuMs: 20_000 };
    const opened = workshop.open({ source: SOURCE, drainTimeoutMs: 1, limits });
    for (let i = 0; i < 10; i++) {
      await opened.text("/id");
      const sent = opened.send("/busy");
      await opened.generation.recycle();
      expect(["ok", "SHUTTING_DOWN"]).toContain(await sent.ended());
      expect(await opened.outcome("/id")).toBe("ok");
    }
    expect(opened.deaths).toEqual([]);
    expect(workshop.catastrophes).toEqual([]);
  });

  test("tells of an old isolate that dies, and serves with the fresh one", async () => {
    const opened = workshop.open({ source: SOURCE, limits: { memoryMb: 16, cpuMs: 20_000 } });
    const sent = await begin(opened, "/waits");
    const greedy = opened.send("/keep?bytes=200000000");
    await opened.generation.recycle();
    const fresh = await opened.text("/id");
    expect(await greedy.ended()).toBe("MEMORY_LIMIT");
    expect(await sent.ended()).toBe("ISOLATE_FAILED");
    expect(opened.deaths).toHaveLength(1);
    expect(opened.generation.isolates).toBe(1);
    expect(await opened.text("/id")).toBe(fresh);
  });

  test("goes on with the old isolate when the fresh one does not load", async () => {
    let refuse = false;
    const beforeLoad = (): void => {
      if (refuse) throw new Error("refused");
    };
    const opened = workshop.open({ source: SOURCE, beforeLoad });
    const old = await opened.text("/id");
    refuse = true;
    expect(await opened.generation.recycle()).toBe(false);
    expect(await opened.text("/id")).toBe(old);
    expect(opened.generation).toMatchObject({ recycles: 0, isolates: 1 });
  });

  test("has nothing left when it drains meanwhile", async () => {
    const opened = workshop.open({ source: SOURCE });
    const old = await begin(opened, "/waits");
    await opened.generation.recycle();
    const fresh = await begin(opened, "/waits");
    const again = opened.generation.recycle();
    opened.generation.drain();
    expect(await again).toBe(false);
    expect(opened.generation.isolates).toBe(2);
    for (const sent of [fresh, old]) {
      sent.exchange.upload(null);
      await sent.text();
    }
    await opened.gone;
    expect(opened.generation.isolates).toBe(0);
  });
});

describe("a reason to recycle", () => {
  test("is a heap that stays too full, and gone with the fresh isolate", async () => {
    const memoryMb = 32;
    const opened = workshop.open({ source: SOURCE, limits: { memoryMb, cpuMs: 5_000 } });
    const full = memoryMb * 1_048_576 * HEAP_SHARE_MAX;
    do await opened.text("/keep?bytes=1000000");
    while ((await heapOf(opened)) <= full);
    const reasons = Array.from({ length: HEAP_LOOKS }, () => opened.generation.reasonToRecycle());
    expect(reasons).toEqual([...Array.from({ length: HEAP_LOOKS - 1 }, () => null), "heap"]);
    await opened.generation.recycle();
    await opened.text("/id");
    expect(await heapOf(opened)).toBeLessThan(full / 4);
    expect(opened.generation.reasonToRecycle()).toBeNull();
  });

  test("is a habit of being cut", async () => {
    const opened = workshop.open({ source: SOURCE, limits: { cpuMs: 10 } });
    for (let cut = 0; cut < CUTS_MAX; cut++) {
      expect(opened.generation.reasonToRecycle()).toBeNull();
      expect(["CPU_LIMIT", "OVERLOADED"]).toContain(await opened.outcome("/spin"));
      await opened.text("/id");
    }
    expect(opened.generation.reasonToRecycle()).toBe("cuts");
    await opened.generation.recycle();
    expect(opened.generation.reasonToRecycle()).toBeNull();
  });

  test("is seen in an isolate that is never quiet when it is looked at", async () => {
    const opened = workshop.open({ source: SOURCE, limits: { cpuMs: 5_000 } });
    await opened.text("/id");
    let bytes = 0;
    while (bytes === 0) {
      const busy = opened.send("/busy");
      while (opened.loaded()?.quiet !== false) await new Promise(setImmediate);
      bytes = opened.generation.heapBytes();
      await busy.text();
    }
    expect(bytes).toBeGreaterThan(100_000);
  });
});

describe("a generation whose isolate is evicted", () => {
  test("loads it again for the next request", async () => {
    const opened = workshop.open({ source: SOURCE, start: "full" });
    const ids = new Set<string>();
    for (let i = 0; i < 5; i++) {
      ids.add(await opened.text("/id"));
      expect(opened.generation.look()).toMatchObject({ rests: true, isolates: 1 });
      opened.generation.evict();
      expect(opened.generation).toMatchObject({ isolates: 0, evictions: i + 1 });
      expect(opened.generation.heapBytes()).toBe(0);
    }
    expect(ids.size).toBe(5);
    expect(opened.deaths).toEqual([]);
  });

  test("keeps it while a request is open in it, or work that a reply left behind", async () => {
    const opened = workshop.open({ source: SOURCE });
    for (const url of ["/waits", "/stream", "/background"]) {
      const sent = await begin(opened, url);
      expect(opened.generation.look().rests).toBe(false);
      opened.generation.evict();
      sent.exchange.upload(null);
      await sent.text();
    }
    while (opened.generation.inFlight > 0) await opened.text("/id");
    expect(opened.generation).toMatchObject({ isolates: 1, evictions: 0 });
  });

  test("keeps it for a timer nobody waits for, as long as for background work", async () => {
    let aheadMs = 0;
    const opened = workshop.open({ source: SOURCE, aheadMs: () => aheadMs });
    await opened.text("/timer");
    const { lastUsedMs } = opened.generation.look();
    const now = performance.now();
    aheadMs = lastUsedMs + BACKGROUND_MS - now - 1_000;
    expect(opened.generation.look()).toMatchObject({ rests: false, lastUsedMs });
    aheadMs += 1_000;
    expect(opened.generation.look()).toMatchObject({ rests: true, lastUsedMs });
  });

  test("was last used at the look after its last request", async () => {
    let aheadMs = 0;
    const opened = workshop.open({ source: SOURCE, aheadMs: () => aheadMs });
    await opened.text("/id");
    const first = opened.generation.look().lastUsedMs;
    aheadMs = 10_000;
    expect(opened.generation.look().lastUsedMs).toBe(first);
    await opened.text("/id");
    expect(opened.generation.look().lastUsedMs).toBeGreaterThanOrEqual(first + 10_000);
  });
});
