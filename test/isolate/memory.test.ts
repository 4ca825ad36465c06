// What the process holds for an isolate counts against its memory, and what only passes through does not.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Call } from "../../runtime/isolate/call.ts";
import { openWorkshop, type Opened, type Sent, type Workshop } from "./instances.ts";

const MB = 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
/** Through an isolate of 32 MB; more than any buffer on the way. */
const STREAM_BYTES: number = 200 * MB;
/** What 200 MB on their way may leave behind before V8 collects it: two thirds of it are this process's own copies. */
const STREAM_RSS_MAX: number = 150 * MB;

const SOURCE = `
const MB = 1024 * 1024;
const handlers = {
  ok: () => new Response("ok"),
  bytes: () => new Response(new Uint8Array(10 * MB)),
  text: () => new Response("x".repeat(10 * MB)),
  chunk: () => new Response(new ReadableStream({ start(c) { c.enqueue(new Uint8Array(10 * MB)); c.close(); } })),
  down: () => {
    let left = ${STREAM_BYTES / CHUNK_BYTES};
    return new Response(new ReadableStream({ pull(c) { if (left-- === 0) c.close(); else c.enqueue(new Uint8Array(${CHUNK_BYTES}).fill(left)); } }));
  },
  up: async (request) => { let n = 0; for await (const chunk of request.body) n += chunk.byteLength; return new Response(String(n)); },
  echo: (request) => new Response(request.body),
  body: async (request) => new Response(String((await request.text()).length)),
  calls: async () => {
    const bytes = new Uint8Array(10 * MB);
    const outcomes = [];
    const all = [1, 2, 3, 4].map(() => crypto.subtle.digest("SHA-1", bytes).then(() => outcomes.push("ok"), (error) => outcomes.push(String(error.message ?? error))));
    await Promise.race(all);
    return Response.json(outcomes);
  },
};
export default { fetch: (request) => handlers[new URL(request.url).pathname.slice(1)](request) };`;

let workshop: Workshop;
beforeAll(async () => {
  workshop = await openWorkshop();
});
afterAll(() => workshop.close());

function open(): Opened {
  return workshop.open({ source: SOURCE, limits: { memoryMb: 32, cpuMs: 20_000, wallMs: 60_000 } });
}

/** A request whose client does not read. */
async function unread(opened: Opened, url: string): Promise<Sent> {
  const sent = opened.send(url);
  sent.exchange.socketBytes = 1;
  while (sent.exchange.state === "open") await new Promise((resolve) => setImmediate(resolve));
  return sent;
}

describe("what the process holds for an isolate", () => {
  test.each(["bytes", "text", "chunk"])(
    "as replies that nobody reads (%s) is bounded by its memory",
    async (kind) => {
      const opened = open();
      const held: Sent[] = [];
      for (let i = 0; i < 3; i++) held.push(await unread(opened, `/${kind}`));
      expect(opened.generation.heapBytes()).toBeGreaterThanOrEqual(30 * MB);
      const refused = await unread(opened, `/${kind}`);
      while (refused.failures.length === 0) await new Promise((resolve) => setImmediate(resolve));
      expect(refused.failures).toEqual(["MEMORY_LIMIT"]);
      expect(refused.logs.join()).toContain("needed more than 32 MB (limit memoryMb)");
      expect(await opened.outcome("/ok")).toBe("ok");
      held[0]?.exchange.drain(100 * MB);
      held[1]?.exchange.disconnect();
      for (let i = 0; i < 2; i++) expect((await unread(opened, `/${kind}`)).failures).toEqual([]);
      expect(opened.deaths).toEqual([]);
    },
  );

  test("as a body that is read whole ends the request that brings too much", async () => {
    const opened = open();
    const [large, small] = [33, 20].map((mb) => {
      const sent = opened.send({ url: "/body", method: "POST", streamed: true });
      return { sent, mb };
    });
    for (const { sent, mb } of [large, small].filter((one) => one !== undefined)) {
      while (!sent.exchange.bodyRead) await new Promise((resolve) => setImmediate(resolve));
      for (let i = 0; i < mb; i++) sent.exchange.upload(new Uint8Array(MB).fill(120));
      sent.exchange.upload(null);
      await sent.ended();
    }
    expect([large?.sent.outcome, small?.sent.outcome]).toEqual(["MEMORY_LIMIT", "ok"]);
    expect(opened.deaths).toEqual([]);
  });

  test("as calls that wait is bounded by its memory", async () => {
    const waiting: Call[] = [];
    const opened = workshop.open({
      source: SOURCE,
      limits: { memoryMb: 32 },
      services: () => [
        {
          call: (_name, call) => waiting.push(call) > 0,
          cancel: () => undefined,
          ownerDone: () => undefined,
          close: () => undefined,
        },
      ],
    });
    expect(await opened.text("/calls")).toContain("limit memoryMb");
    expect(waiting.length).toBe(3);
  });
});

describe("200 MB through an isolate of 32 MB", () => {
  test.each(["down", "up", "echo"])("flow at a bounded memory (%s)", async (kind) => {
    const opened = open();
    await opened.text("/ok");
    const before = process.memoryUsage.rss();
    let peak = before;
    const look = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 5);
    const uploads = kind !== "down";
    const sent = opened.send({
      url: `/${kind}`,
      method: uploads ? "POST" : "GET",
      streamed: uploads,
    });
    const { exchange } = sent;
    exchange.keeps = false;
    if (uploads) await upload(sent);
    const outcome = await sent.ended();
    clearInterval(look);
    expect(`${String(outcome)} ${sent.logs.join()}`).toBe("ok ");
    if (kind === "up") expect(exchange.bytesOut).toBe(`${STREAM_BYTES}`.length);
    else expect(exchange.bytesOut).toBe(STREAM_BYTES);
    expect(peak - before).toBeLessThan(STREAM_RSS_MAX);
    expect(opened.deaths).toEqual([]);
  });
});

async function upload({ exchange }: Sent): Promise<void> {
  for (let sent = 0; sent < STREAM_BYTES; sent += CHUNK_BYTES) {
    while (!exchange.bodyRead || exchange.bodyPaused) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    exchange.upload(new Uint8Array(CHUNK_BYTES).fill(sent));
  }
  exchange.upload(null);
}
