// What a generation and its isolate do around requests: heap figures, drains, lost clients, full queues.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OPEN_MAX } from "../../sdk/bridge.ts";
import { LIMITS } from "../../sdk/limits.ts";
import { openWorkshop, verdictOnLoop, type Sent, type Workshop } from "./instances.ts";

const SOURCE = `
const numberOf = (request) => Number(new URL(request.url).searchParams.get("n"));
const handlers = {
  ok: () => new Response("ok"),
  spin: () => { for (;;); },
  bomb: () => { const a = []; for (;;) a.push(new Array(1000).fill(a.length)); },
  goesOn: () => { (async () => { for (;;) await null; })(); return new Response("goes on"); },
  late: () => new Promise((resolve) => setTimeout(resolve, 1e9)),
  waits: async (request) => { await request.text(); return new Response("waited"); },
  endless: () => new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(50_000)); } })),
  lateStream: async (request) => {
    await request.text();
    return new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(50_000)); } }));
  },
  timers: async (request) => {
    const n = Number(new URL(request.url).searchParams.get("n"));
    let fired = 0;
    await new Promise((resolve) => { for (let i = 0; i < n; i++) setTimeout(() => { if (++fired === n) resolve(); }, 1); });
    return new Response(String(fired));
  },
  logs: () => { for (let i = 0; i < 20_000; i++) console.log("x".repeat(100)); return new Response("logged"); },
  headers: () => { return new Response("h", { headers: { "x-big": "v".repeat(20_000_000) } }); },
  cf: (request) => Response.json(request.cf),
  log: (request) => { console.log("x".repeat(numberOf(request))); return new Response("logged"); },
  reply: (request) => {
    const n = numberOf(request), kind = new URL(request.url).searchParams.get("kind");
    if (kind === "text") return new Response("é".repeat(n >> 1) + "x".repeat(n & 1));
    if (kind === "bytes") return new Response(new Uint8Array(n));
    return new Response(new ReadableStream({ start(c) { c.enqueue(new Uint8Array(n - 1)); c.enqueue(new Uint8Array(1)); c.close(); } }));
  },
  drips: (request) => {
    let left = numberOf(request) || Infinity;
    return new Response(new ReadableStream({ async pull(c) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (left-- > 0) c.enqueue(new Uint8Array(1)); else c.close();
    } }));
  },
  expose: () => new Response("e", { headers: { "access-control-expose-headers": "x-request-id", "x-z": "1" } }),
};
export default { fetch: (request, env, ctx) => handlers[new URL(request.url).pathname.slice(1)](request, ctx) };
`;

let workshop: Workshop;
beforeAll(async () => {
  workshop = await openWorkshop();
});
afterAll(() => workshop.close());

/** Far from over in any test: what ends at its time is shown another one. */
const WALL_MS = 60_000;
const STREAM_MS = 100_000;

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Resolves when the handler reads the request's body. */
async function reads({ exchange }: Sent): Promise<void> {
  while (!exchange.bodyRead) await tick();
}

describe("an instance", () => {
  test("tells its heap without waiting for what runs in it", async () => {
    const opened = workshop.open({ source: SOURCE, limits: { cpuMs: 1_000 } });
    await opened.text("/ok");
    const sent = opened.send("/spin");
    await tick();
    const started = performance.now();
    for (let i = 0; i < 10; i++) opened.generation.heapBytes();
    expect(performance.now() - started).toBeLessThan(500);
    expect(await sent.ended()).toBe(verdictOnLoop(sent, 1_000));
    await opened.text("/ok");
    expect(opened.generation.heapBytes()).toBeGreaterThan(100_000);
  });

  test("tells its heap without waiting for what goes on in it behind its replies", async () => {
    const opened = workshop.open({ source: SOURCE, limits: { cpuMs: 4_000 } });
    await opened.text("/goesOn");
    const started = performance.now();
    opened.generation.heapBytes();
    // It would wait until the code is cut off.
    expect(performance.now() - started).toBeLessThan(2_000);
    opened.generation.abandon();
  });

  test.each([2, OPEN_MAX])(
    "takes %i requests at once, lets others wait in order, and refuses the next",
    async (concurrency) => {
      const opened = workshop.open({ source: SOURCE, limits: { concurrency, queue: 2 } });
      await opened.text("/ok");
      const waits = (): Sent => opened.send({ url: "/waits", streamed: true });
      const open = Array.from({ length: concurrency }, waits);
      expect(opened.loaded()?.instance.inFlight).toBe(concurrency);
      const [third, fourth] = [waits(), waits()];
      expect(opened.generation.inFlight).toBe(concurrency + 2);
      const refused = opened.send("/ok");
      expect(await refused.ended()).toBe("OVERLOADED");
      expect(refused.logs.join()).toContain(
        `${concurrency} requests were open (limit concurrency) and 2 waited (limit queue)`,
      );
      open[0]?.exchange.upload(null);
      await open[0]?.text();
      await reads(third);
      expect(fourth.exchange.bodyRead).toBe(false);
      for (const one of [...open.slice(1), third, fourth]) one.exchange.upload(null);
      for (const one of [...open, third, fourth]) expect(await one.ended()).toBe("ok");
      expect(opened.generation.inFlight).toBe(0);
    },
  );

  test("gives the places of clients that went away while they waited to others", async () => {
    const opened = workshop.open({ source: SOURCE, limits: { concurrency: 1, queue: 1 } });
    const first = opened.send({ url: "/waits", streamed: true });
    await reads(first);
    const left = opened.send("/ok");
    left.exchange.disconnect();
    const stays = opened.send("/ok");
    first.exchange.upload(null);
    expect(await stays.text()).toBe("ok");
    expect(left.outcome).toBeNull();
    expect(opened.generation.inFlight).toBe(0);
  });

  test("without a queue refuses at once what is too much, but loads for as many as it may take", async () => {
    const opened = workshop.open({ source: SOURCE, limits: { concurrency: 2, queue: 0 } });
    const both = [opened.send("/ok"), opened.send("/ok")];
    expect(await opened.outcome("/ok")).toBe("OVERLOADED");
    for (const one of both) expect(await one.text()).toBe("ok");
  });

  test("that dies takes only what was open with it; what waited is served by the next", async () => {
    const opened = workshop.open({
      source: SOURCE,
      limits: { concurrency: 1, queue: 1, memoryMb: 16, cpuMs: 20_000 },
    });
    const bomb = opened.send("/bomb");
    const waited = opened.send("/ok");
    expect(await bomb.ended()).toBe("MEMORY_LIMIT");
    expect(await waited.text()).toBe("ok");
    expect(opened.loads()).toBe(2);
  });

  test("refuses a request that waited until its time was over", async () => {
    const opened = workshop.open({
      source: SOURCE,
      limits: { concurrency: 1, queue: 2, wallMs: WALL_MS, streamMs: STREAM_MS },
    });
    const first = opened.send("/drips");
    while (first.exchange.bytesOut === 0) await tick();
    const waited = opened.send("/ok");
    while (performance.now() < waited.startedMs + 2) await tick();
    const younger = opened.send("/ok");
    opened.generation.expire(waited.startedMs + WALL_MS + 1);
    expect(await waited.ended()).toBe("OVERLOADED");
    expect(younger.outcome).toBeNull();
    opened.generation.abandon();
  });

  test("ends a request that does not answer when its time is over, and no other", async () => {
    const opened = workshop.open({ source: SOURCE, limits: { wallMs: WALL_MS } });
    const sent = opened.send("/late");
    expect(await opened.outcome("/ok")).toBe("ok");
    const younger = opened.send("/late");
    opened.generation.expire(sent.startedMs + WALL_MS);
    expect(await sent.ended()).toBe("HANDLER_TIMEOUT");
    expect(younger.outcome).toBeNull();
    opened.generation.expire(younger.startedMs + WALL_MS);
    expect(await younger.ended()).toBe("HANDLER_TIMEOUT");
    expect(opened.generation.inFlight).toBe(0);
  });

  test.each([
    [10_000, 10_000],
    [99, 100],
    [100, 100],
  ])("fires %i timers of %i", async (n, timers) => {
    const opened = workshop.open({ source: SOURCE, limits: { cpuMs: 5_000, timers } });
    expect(await opened.text(`/timers?n=${n}`)).toBe(String(n));
    expect(opened.deaths).toEqual([]);
  });

  test("refuses one timer more than the most to the handler alone", async () => {
    const opened = workshop.open({ source: SOURCE, limits: { timers: 100 } });
    const sent = opened.send("/timers?n=101");
    expect(await sent.ended()).toBe("HANDLER_EXCEPTION");
    expect(sent.logs.join()).toContain("More than 100 timers at once");
    expect(await opened.outcome("/ok")).toBe("ok");
    expect(opened.deaths).toEqual([]);
  });

  test("tells a handler what the connection spoke", async () => {
    const opened = workshop.open({ source: SOURCE });
    const cf = { httpProtocol: "HTTP/2", tlsVersion: "TLSv1.3" };
    expect(JSON.parse(await opened.text({ url: "/cf", protocol: "HTTP/2 TLSv1.3" }))).toEqual(cf);
    const plain = { httpProtocol: "HTTP/1.1", tlsVersion: "" };
    expect(JSON.parse(await opened.text("/cf"))).toEqual(plain);
  });

  test("drops log lines beyond what one request may write", async () => {
    const opened = workshop.open({ source: SOURCE, limits: { cpuMs: 5_000 } });
    const sent = opened.send("/logs");
    expect(await sent.text()).toBe("logged");
    expect(sent.logs.join("").length).toBeLessThan(160 * 1024);
    expect(sent.logs.at(-1)).toContain("were dropped (limit logBytes: 131072).");
  });

  test.each([999, 1_000, 1_001])(
    "of 1000 bytes of log takes %i or says that it does not",
    async (bytes) => {
      const opened = workshop.open({ source: SOURCE, limits: { logBytes: 1_000 } });
      const sent = opened.send(`/log?n=${bytes}`);
      await sent.text();
      if (bytes <= 1_000) expect(sent.logs).toEqual([`info ${"x".repeat(bytes)}`]);
      else expect(sent.logs).toEqual([expect.stringContaining("(limit logBytes: 1000)")]);
    },
  );

  test.each(["text", "bytes", "stream"])(
    "sends a reply of %s up to responseBytes and no larger",
    async (kind) => {
      const opened = workshop.open({ source: SOURCE, limits: { responseBytes: 100_000 } });
      for (const n of [99_999, 100_000]) {
        const sent = opened.send(`/reply?kind=${kind}&n=${n}`);
        expect(await sent.ended()).toBe("ok");
        expect(sent.exchange.bytesOut).toBe(n);
      }
      const sent = opened.send(`/reply?kind=${kind}&n=100001`);
      await sent.ended();
      // A stream's head says ok; what follows is broken off.
      expect(sent.exchange.state).toBe(kind === "stream" ? "gone" : "done");
      expect(sent.failures).toEqual(["RESPONSE_TOO_LARGE"]);
      expect(sent.logs.join()).toContain(
        "The reply has more than 100000 bytes (limit responseBytes).",
      );
      expect(await opened.outcome("/ok")).toBe("ok");
    },
  );

  test("ends a stream that goes on for longer than streamMs, and no other", async () => {
    const limits = { wallMs: WALL_MS, streamMs: STREAM_MS };
    const opened = workshop.open({ source: SOURCE, limits });
    const sent = opened.send("/drips");
    const wellBehaved = opened.send("/drips?n=3");
    expect(await wellBehaved.ended()).toBe("ok");
    expect(wellBehaved.exchange.state).toBe("done");
    while (sent.exchange.bytesOut === 0) await tick();
    opened.generation.expire(sent.startedMs + STREAM_MS);
    expect(sent.exchange.state).toBe("streaming");
    opened.generation.expire(performance.now() + STREAM_MS);
    await sent.ended();
    expect(sent.exchange.state).toBe("gone");
    expect(sent.failures).toEqual(["HANDLER_TIMEOUT"]);
    expect(sent.logs.join()).toContain(`did not end within ${STREAM_MS} ms (limit streamMs).`);
    expect(opened.generation.inFlight).toBe(0);
  });

  test("answers or refuses a reply with enormous headers, and goes on", async () => {
    const opened = workshop.open({ source: SOURCE, limits: { cpuMs: 5_000 } });
    expect(await opened.outcome("/headers")).toBe("HANDLER_BAD_RESPONSE");
    expect(await opened.outcome("/ok")).toBe("ok");
    expect(opened.deaths).toEqual([]);
  });

  test("keeps a header whose value is the name of one that the host sets", async () => {
    const opened = workshop.open({ source: SOURCE });
    const sent = opened.send("/expose");
    await sent.text();
    expect(sent.exchange.replied).toContain(
      "access-control-expose-headers\nx-request-id\nx-z\n1\n",
    );
  });

  test("streams no further than the socket takes", async () => {
    const opened = workshop.open({ source: SOURCE, trust: "own" });
    const sent = opened.send("/endless");
    sent.exchange.socketBytes = 100_000;
    await opened.text("/ok");
    for (let i = 0; i < 50; i++) await opened.text("/ok");
    const bytes = sent.exchange.bytesOut;
    expect(bytes).toBeLessThan(512 * 1024);
    for (let i = 0; i < 50; i++) await opened.text("/ok");
    expect(sent.exchange.bytesOut).toBe(bytes);
    sent.exchange.drain(100_000);
    for (let i = 0; i < 50; i++) await opened.text("/ok");
    expect(sent.exchange.bytesOut).toBeGreaterThan(bytes);
    sent.exchange.disconnect();
    expect(opened.generation.inFlight).toBe(0);
  });

  test("lets go of a stream that a handler begins after its client went away", async () => {
    const opened = workshop.open({ source: SOURCE });
    await opened.text("/ok");
    const sent = opened.send({ url: "/lateStream", streamed: true });
    await opened.text("/ok");
    sent.exchange.upload(null);
    sent.exchange.disconnect();
    for (let i = 0; i < 10; i++) await opened.text("/ok");
    expect(opened.generation.inFlight).toBe(0);
  });
});

describe("a generation", () => {
  test("that drains finishes what is open, then lets go of its isolate", async () => {
    const opened = workshop.open({ source: SOURCE });
    const sent = opened.send({ url: "/waits", streamed: true });
    await opened.text("/ok");
    opened.generation.drain();
    sent.exchange.upload(null);
    expect(await sent.text()).toBe("waited");
    await opened.gone;
  });

  test("whose last request is cut while it drains is gone, and another goes on", async () => {
    for (const trust of ["own", "untrusted"] as const) {
      const opened = workshop.open({ source: SOURCE, trust });
      await opened.text("/ok");
      const sent = opened.send("/spin");
      opened.generation.drain();
      expect(await sent.ended()).toBe(verdictOnLoop(sent, LIMITS.cpuMs.default));
      await opened.gone;
    }
  });

  test("whose drain takes too long ends what is open", async () => {
    const opened = workshop.open({ source: SOURCE, drainTimeoutMs: 50 });
    const sent = opened.send("/late");
    await opened.text("/ok");
    opened.generation.drain();
    expect(await sent.ended()).toBe("SHUTTING_DOWN");
    await opened.gone;
  });

  test("that is gone refuses requests instead of loading again", async () => {
    const opened = workshop.open({ source: SOURCE });
    await opened.text("/ok");
    opened.generation.drain();
    await opened.gone;
    expect(await opened.outcome("/ok")).toBe("SHUTTING_DOWN");
    expect(opened.loads()).toBe(1);
  });

  test("that is abandoned ends what is open", async () => {
    const opened = workshop.open({ source: SOURCE });
    const sent = opened.send("/late");
    await opened.text("/ok");
    opened.generation.abandon();
    expect(await sent.ended()).toBe("SHUTTING_DOWN");
  });
});
