// Slices that are cut off: exactly the request that held the slice fails, those behind it are answered, those
// that wait live on, and another instance in the same process answers meanwhile.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Outcome } from "../../sdk/outcome.ts";
import {
  earnInline,
  openWorkshop,
  verdictOnLoop,
  type Opened,
  type Sent,
  type Workshop,
} from "../isolate/instances.ts";

/** Of the wall clock, which a busy machine stretches. */
const SLICE_MS = 200;

const SOURCE = `
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const spin = () => { for (;;); };
const bomb = "a".repeat(40) + "!";
const handlers = {
  ok: () => new Response("ok"),
  later: async () => { await wait(1); return new Response("later"); },
  waits: async (request) => { await request.text(); return new Response("waited"); },
  sync: spin,
  await: async () => { await null; spin(); },
  awaits: async () => { for (let i = 0; i < 10; i++) await null; spin(); },
  then: () => Promise.resolve().then(spin),
  microtask: () => new Promise(() => queueMicrotask(spin)),
  timer: async () => { await wait(1); spin(); },
  timerCallback: () => new Promise(() => setTimeout(spin, 1)),
  stream: () => new Response(new ReadableStream({ pull: spin })),
  streamLater: () => {
    let n = 0;
    return new Response(new ReadableStream({
      async pull(controller) {
        if (n++ > 0) { await wait(1); spin(); }
        controller.enqueue(new TextEncoder().encode("first"));
      },
    }, { highWaterMark: 0 }));
  },
  regex: () => new Response(String(/^(a+)+$/.test(bomb))),
  fill: () => { for (;;) new Array(1000).fill(1); },
  json: () => { for (;;) JSON.parse(JSON.stringify([1])); },
  getter: () => new Response("x", { get headers() { spin(); } }),
  toString: () => new Response({ toString: spin }),
  finally: () => { try { spin(); } finally { spin(); } },
  catches: () => { for (;;) { try { spin(); } catch {} } },
  manyTurns: async () => { for (let i = 0; i < 1000; i++) await null; spin(); },
  callback: async () => { await crypto.subtle.digest("SHA-256", new Uint8Array(1)); spin(); },
};
export default { fetch: (request) => handlers[new URL(request.url).pathname.slice(1)](request) };
`;

let workshop: Workshop;
let neighbour: Opened;
beforeAll(async () => {
  workshop = await openWorkshop();
  neighbour = workshop.open({
    source: 'export default { fetch: () => new Response("neighbour") };',
  });
  await neighbour.text();
});
afterAll(() => workshop.close());

async function open(trust: "own" | "untrusted", limits = {}): Promise<Opened> {
  const opened = workshop.open({ source: SOURCE, trust, limits: { cpuMs: SLICE_MS, ...limits } });
  if (trust === "own") await earnInline(opened);
  else await opened.text("/ok");
  return opened;
}

/** Two before, the culprit, two after: all in one turn of the event loop, so in one batch. */
function batch(opened: Opened, culprit: string): Sent[] {
  return ["/ok", "/later", culprit, "/ok", "/later"].map((url) => opened.send(url));
}

function verdictOf(sent: Sent | undefined): Outcome | undefined {
  return sent && verdictOnLoop(sent, SLICE_MS);
}

/** Each in one lane; in both of them loops run against a node (test/hostile/attacks/loops.ts). */
const ENDLESS = {
  own: ["/sync", "/awaits", "/microtask", "/timer", "/regex", "/fill", "/toString", "/catches"],
  untrusted: ["/await", "/then", "/timerCallback", "/json", "/getter", "/finally", "/callback"],
};

describe.each(["own", "untrusted"] as const)("in an isolate with trust %s", (trust) => {
  test.each(ENDLESS[trust])("%s: only the endless request of a batch fails", async (url) => {
    const opened = await open(trust);
    const waiting = opened.send({ url: "/waits", streamed: true });
    await opened.text("/ok");
    const sent = batch(opened, url);
    const near = neighbour.text();
    const outcomes = await Promise.all(sent.map((one) => one.ended()));
    expect({ outcomes, deaths: opened.deaths }).toEqual({
      outcomes: ["ok", "ok", verdictOf(sent[2]), "ok", "ok"],
      deaths: [],
    });
    expect(await near).toBe("neighbour");
    expect(waiting.exchange.state).toBe("open");
    waiting.exchange.upload(null);
    expect(await waiting.text()).toBe("waited");
    expect(await opened.text("/ok")).toBe("ok");
    expect(opened.loads()).toBe(1);
    expect(opened.generation.inFlight).toBe(0);
    opened.generation.abandon();
  });

  test("a reply stream that pulls for ever is broken off, the others are answered", async () => {
    const opened = await open(trust);
    const sent = batch(opened, "/stream");
    await Promise.all(sent.map((one) => one.exchange.done));
    // Its head may have left the isolate before the cut was noticed, or not.
    const culprit = sent[2];
    expect(culprit?.outcome === verdictOf(culprit) || culprit?.exchange.state === "gone").toBe(
      true,
    );
    for (const one of sent) if (one !== culprit) expect(one.outcome).toBe("ok");
    expect(await opened.text("/ok")).toBe("ok");
    expect(await neighbour.text()).toBe("neighbour");
    expect(opened.loads()).toBe(1);
  });

  test("a reply stream that pulls for ever after its head is broken off", async () => {
    const opened = await open(trust);
    const sent = batch(opened, "/streamLater");
    await Promise.all(sent.map((one) => one.exchange.done));
    expect(sent.map((one) => one.exchange.state)).toEqual(["done", "done", "gone", "done", "done"]);
    expect(sent[2]?.exchange.text).toBe("first");
    expect(await opened.text("/ok")).toBe("ok");
    expect(await neighbour.text()).toBe("neighbour");
    expect(opened.loads()).toBe(1);
  });

  test("a loop after hundreds of promise jobs fails, and the isolate goes on", async () => {
    const opened = await open(trust);
    const sent = batch(opened, "/manyTurns");
    const outcomes = await Promise.all(sent.map((one) => one.ended()));
    expect(outcomes[2]).toBe(verdictOf(sent[2]));
    expect(await opened.text("/ok")).toBe("ok");
    expect(await neighbour.text()).toBe("neighbour");
  });

  test("work below the limit is answered, work above it is not", async () => {
    const LIMIT_MS = 1_000;
    const source = `export default { fetch(request) {
      const steps = Number(new URL(request.url).searchParams.get("steps"));
      let x = 0;
      for (let i = 0; i < steps; i++) x += i % 7;
      return new Response(String(x));
    } };`;
    const opened = workshop.open({ source, trust, limits: { cpuMs: LIMIT_MS } });
    if (trust === "own") await earnInline(opened, "/?steps=1");
    // In pieces: until the compiler has had a processor, a step takes many times as long.
    for (let i = 0; i < 10; i++) await opened.text("/?steps=3e6");
    const before = process.cpuUsage();
    await opened.text("/?steps=3e7");
    const { user, system } = process.cpuUsage(before);
    const stepsPerMs = 3e7 / ((user + system) / 1_000);
    const steps = (ms: number): string => `/?steps=${Math.round(ms * stepsPerMs)}`;
    expect(await opened.outcome(steps(LIMIT_MS / 8))).toBe("ok");
    const above = opened.send(steps(LIMIT_MS * 4));
    expect(await above.ended()).toBe(verdictOnLoop(above, LIMIT_MS));
    expect(await opened.outcome(steps(1))).toBe("ok");
    expect(opened.loads()).toBe(1);
  });

  test("promise jobs that never end cost the isolate at most, and the next request is answered", async () => {
    const source = `
      const endless = async () => { for (;;) await null; };
      export default { fetch(request) {
        const path = new URL(request.url).pathname;
        if (path === "/endless") return endless();
        if (path === "/waits") return request.text().then(() => new Response("waited"));
        return new Response("ok");
      } };`;
    const opened = workshop.open({ source, trust, limits: { cpuMs: SLICE_MS } });
    if (trust === "own") await earnInline(opened);
    const waiting = opened.send({ url: "/waits", streamed: true });
    await opened.text("/ok");
    const sent = opened.send("/endless");
    const near = neighbour.text();
    expect(await sent.ended()).toBe(verdictOf(sent));
    expect(await near).toBe("neighbour");
    expect(await opened.text("/ok")).toBe("ok");
    // V8 drops promise jobs when it cuts inside one; where that ended the loop, the isolate goes on.
    waiting.exchange.upload(null);
    const outcome = await waiting.ended();
    if (opened.loads() === 1) expect(outcome).toBe("ok");
    else expect(outcome).toBe("ISOLATE_FAILED");
  });

  test("work for ever behind the reply costs the isolate at most", async () => {
    const source = `
      export default { fetch(request) {
        if (new URL(request.url).pathname === "/behind") (async () => { for (;;) await null; })();
        return new Response("ok");
      } };`;
    const opened = workshop.open({ source, trust, limits: { cpuMs: SLICE_MS } });
    if (trust === "own") await earnInline(opened);
    expect(await opened.outcome("/behind")).toBe("ok");
    for (let i = 0; i < 5; i++) {
      expect(["ok", "ISOLATE_FAILED", "CPU_LIMIT"]).toContain(await opened.outcome("/ok"));
      expect(await neighbour.text()).toBe("neighbour");
    }
  });
});

test("code that has earned the accepting thread cannot hold it until its worker counts as dead", async () => {
  const source = `export default { fetch(request) {
    if (request.url.endsWith("/loop")) for (;;);
    return new Response("ok");
  } };`;
  const opened = workshop.open({ source, trust: "own", limits: { cpuMs: 30_000, wallMs: 30_000 } });
  await earnInline(opened);
  expect(await opened.outcome("/loop")).toBe("OVERLOADED");
  expect(await opened.text("/ok")).toBe("ok");
  expect(opened.loads()).toBe(1);
});
