// What one request may use of CPU time, summed over all its slices, and handlers that can never answer.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openWorkshop, verdictOnLoop, type Opened, type Workshop } from "./instances.ts";

const SOURCE = `
const spin = (ms) => { const end = clock() + ms; while (clock() < end) for (let i = 0; i < 1000; i++) sink += i; };
let sink = 0;
let turns = 0;
/** Time stands still within a slice, so work is measured in turns: how many take a millisecond is told by the test. */
const clock = () => (turns += 1) / perMs;
let perMs = 1;
const pause = () => new Promise((resolve) => setTimeout(resolve, 0));
let waiting = null;
const handlers = {
  ok: () => new Response("ok"),
  calibrate: (url) => { perMs = Number(url.searchParams.get("perMs")); return new Response("ok"); },
  turns: (url) => { const n = Number(url.searchParams.get("n")); for (let t = 0; t < n; t++) for (let i = 0; i < 1000; i++) sink += i; return new Response("done"); },
  spin: (url) => { spin(Number(url.searchParams.get("ms"))); return new Response("done"); },
  forever: function burnsHere() { for (;;) sink++; },
  pieces: async (url) => { for (let i = 0; i < 40; i++) { spin(Number(url.searchParams.get("ms"))); await pause(); } return new Response("done"); },
  careful: async (url, request, ctx) => {
    const before = ctx.remaining();
    let pieces = 0;
    while (!ctx.signal.aborted && pieces < 40) { spin(10); pieces++; await pause(); }
    const { name } = ctx.signal.reason ?? {};
    return Response.json({ pieces, name, before, after: ctx.remaining() });
  },
  hung: () => new Promise(() => {}),
  rendezvous: () => new Promise((resolve) => { waiting = resolve; }),
  opener: async () => { await pause(); const open = waiting; open?.(new Response("met")); return new Response("opened"); },
  body: async (url, request) => new Response(await request.text()),
  background: (url, request, ctx) => { ctx.waitUntil(new Promise(() => {})); return new Response("ok"); },
  wasm: async () => { await WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])); return new Response("compiled"); },
};
export default { fetch(request, env, ctx) { const url = new URL(request.url); return handlers[url.pathname.slice(1)](url, request, ctx); } };
`;

let workshop: Workshop;
/** Turns of the inner loop in a millisecond of CPU time here. */
let perMs = 0;

beforeAll(async () => {
  workshop = await openWorkshop();
  const opened = workshop.open({ source: SOURCE, trust: "own", limits: { cpuMs: 30_000 } });
  // The first run compiles.
  for (const n of [20_000, 20_000]) {
    const sent = opened.send(`/turns?n=${n}`);
    const before = process.cpuUsage();
    await sent.text();
    const { user, system } = process.cpuUsage(before);
    perMs = n / ((user + system) / 1_000);
  }
});
afterAll(() => workshop.close());

async function open(trust: "own" | "untrusted", limits = {}): Promise<Opened> {
  const opened = workshop.open({ source: SOURCE, trust, limits });
  await opened.text(`/calibrate?perMs=${perMs}`);
  // Enough to earn the inline lane where that is possible.
  for (let i = 0; i < 30; i++) await opened.text("/ok");
  return opened;
}

describe.each(["own", "untrusted"] as const)("the CPU time of a request, %s", (trust) => {
  test("may be used up to its limit, in one run or in many", async () => {
    const opened = await open(trust, { cpuMs: 600 });
    expect(await opened.outcome("/spin?ms=150")).toBe("ok");
    expect(await opened.outcome("/pieces?ms=4")).toBe("ok");
    expect(opened.deaths).toEqual([]);
  });

  test("ends it when it has used more, in many runs", async () => {
    const opened = await open(trust, { cpuMs: 100 });
    const sent = opened.send("/pieces?ms=10");
    expect(await sent.ended()).toBe(verdictOnLoop(sent, 100));
    expect(sent.usage?.cpuUs).toBeGreaterThanOrEqual(50_000);
    expect(await opened.outcome("/ok")).toBe("ok");
    expect(opened.deaths).toEqual([]);
  });

  test("ends a loop, tells where it was, and leaves the others alone", async () => {
    const opened = await open(trust);
    const waiting = opened.send({ url: "/body", streamed: true });
    const sent = opened.send("/forever");
    const others = [opened.send("/ok"), opened.send("/ok")];
    expect(await sent.ended()).toBe(verdictOnLoop(sent, 200));
    expect(sent.usage?.burned).toContain("burnsHere");
    for (const other of others) expect(await other.ended()).toBe("ok");
    waiting.exchange.upload("still here");
    waiting.exchange.upload(null);
    expect(await waiting.text()).toBe("still here");
    expect(opened.deaths).toEqual([]);
  });

  test("that runs out is told to a handler, which may still answer", async () => {
    const opened = await open(trust, { cpuMs: 2_000, cpuSoftMs: 50, wallMs: 20_000 });
    const sent = opened.send("/careful");
    const told = JSON.parse(await sent.text()) as {
      pieces: number;
      name: string;
      before: { cpuMs: number; wallMs: number };
      after: { cpuMs: number };
    };
    expect(told.name).toBe("TimeoutError");
    expect(told.pieces).toBeLessThan(40);
    // A look at the clock may lie between the request's opening and the handler.
    expect(told.before.cpuMs).toBeGreaterThan(1_990);
    expect(told.before.wallMs).toBe(20_000);
    expect(told.after.cpuMs).toBeLessThanOrEqual(1_950);
    expect(sent.usage?.cpuUs).toBeGreaterThanOrEqual(50_000);
  });
});

describe.each(["own", "untrusted"] as const)("a handler that can never answer, %s", (trust) => {
  test("is found at once", async () => {
    const opened = await open(trust, { wallMs: 60_000 });
    expect(await opened.outcome("/hung")).toBe("NO_RESPONSE");
    expect(await opened.outcome("/ok")).toBe("ok");
  });

  test("is not one whose promise another request will settle", async () => {
    const opened = await open(trust);
    const first = opened.send("/rendezvous");
    const second = opened.send("/opener");
    expect(await second.text()).toBe("opened");
    expect(await first.text()).toBe("met");
  });

  test("is not one that waits for its client or for the compiler", async () => {
    const opened = await open(trust);
    const sent = opened.send({ url: "/body", streamed: true });
    for (let i = 0; i < 20; i++) await opened.text("/ok");
    expect(sent.outcome).toBeNull();
    sent.exchange.upload("late");
    sent.exchange.upload(null);
    expect(await sent.text()).toBe("late");
    expect(await opened.text("/wasm")).toBe("compiled");
  });

  test("is not one that has answered and works on behind it", async () => {
    const opened = await open(trust);
    expect(await opened.text("/background")).toBe("ok");
    expect(opened.generation.inFlight).toBe(1);
  });
});

describe("on a busy machine", () => {
  const burners: ChildProcess[] = [];
  beforeAll(async () => {
    for (let i = 0; i < 6; i++) {
      const child = spawn(process.execPath, ["-e", "process.send('up'); for (;;);"], {
        stdio: ["ignore", "ignore", "ignore", "ipc"],
      });
      burners.push(child);
      await once(child, "message");
    }
  });
  afterAll(() => {
    for (const child of burners) child.kill("SIGKILL");
  });

  test("a pool slice is not charged for the time that others took", async () => {
    const opened = await open("untrusted", { cpuMs: 400, wallMs: 60_000 });
    for (let i = 0; i < 5; i++) expect(await opened.outcome("/spin?ms=80")).toBe("ok");
  });
});
