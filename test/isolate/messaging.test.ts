// MessageChannel, scheduler and navigator, in real instances: the first two need the host's timers.

import { afterAll, beforeAll, expect, test } from "vitest";
import { openWorkshop, type Workshop } from "./instances.ts";

let workshop: Workshop;
beforeAll(async () => {
  workshop = await openWorkshop();
});
afterAll(() => workshop.close());

async function run(code: string): Promise<unknown> {
  const source = `export default { async fetch() {
    const { port1, port2 } = new MessageChannel();
    const name = (run) => { try { run(); return "passed"; } catch (error) { return error.name; } };
    const result = await (async () => { ${code} })();
    return Response.json(result === undefined ? null : result);
  } };`;
  return JSON.parse(await workshop.open({ source }).text());
}

test("messages arrive as copies, in order, after the code that posts them", async () => {
  const result = await run(
    `const seen = [], sent = { list: [1] };
     const all = new Promise((resolve) => {
       port2.onmessage = ({ data, target }) => {
         seen.push(data);
         if (data === "last") resolve(target === port2);
       };
     });
     port1.postMessage(sent); sent.list.push(2);
     port1.postMessage(new Map([["a", 1n]]) instanceof Map);
     port1.postMessage("last");
     seen.push("posted");
     return [await all, seen];`,
  );
  expect(result).toEqual([true, ["posted", { list: [1] }, true, "last"]]);
});

test("promise jobs of one message come before the next message", async () => {
  const result = await run(
    `const seen = [];
     port2.onmessage = ({ data }) => { seen.push(data); queueMicrotask(() => seen.push("job " + data)); };
     port1.postMessage(1); port1.postMessage(2);
     await scheduler.wait(20);
     return seen;`,
  );
  expect(result).toEqual([1, "job 1", 2, "job 2"]);
});

test("a port with listeners begins when it is started", async () => {
  const result = await run(
    `let seen = 0;
     port2.addEventListener("message", () => seen++);
     port1.postMessage(1);
     await scheduler.wait(5);
     const before = seen;
     port2.start();
     await scheduler.wait(5);
     return [before, seen];`,
  );
  expect(result).toEqual([0, 1]);
});

test("buffers are transferred, ports left out and what cannot be cloned are refused", async () => {
  const result = await run(
    `const first = new ArrayBuffer(3), second = new ArrayBuffer(4);
     const arrived = [];
     port2.onmessage = ({ data }) => arrived.push(data.byteLength);
     port1.postMessage(first, [first]);
     port1.postMessage(second, { transfer: [second] });
     await scheduler.wait(5);
     return [arrived, first.byteLength, second.byteLength, name(() => port1.postMessage(port2)),
       name(() => port1.postMessage(1, [port1])), name(() => port1.postMessage(() => {})),
       name(() => port1.postMessage()), name(() => new MessagePort())];`,
  );
  const refused = ["DataCloneError", "DataCloneError", "DataCloneError", "TypeError", "TypeError"];
  expect(result).toEqual([[3, 4], 0, 0, ...refused]);
});

test("a port that is transferred goes on as another, with the messages that have waited", async () => {
  const result = await run(
    `const other = new MessageChannel();
     port1.postMessage("waited");
     const first = new Promise((resolve) => { other.port2.onmessage = resolve; });
     other.port1.postMessage({ port: port2 }, [port2]);
     const { data, ports } = await first;
     const seen = [];
     const both = new Promise((resolve) => {
       data.port.onmessage = (event) => { if (seen.push(event.data) === 2) resolve(); };
     });
     port1.postMessage("after");
     port2.postMessage("nowhere");
     await both;
     return [seen, ports[0] === data.port, Object.isFrozen(ports), data.port === port2,
       name(() => structuredClone(1, { transfer: [port2] })),
       name(() => new MessageEvent("x", { ports: [{}] }))];`,
  );
  const rest = [true, true, false, "DataCloneError", "TypeError"];
  expect(result).toEqual([["waited", "after"], ...rest]);
});

test("streams are transferred, unless somebody reads or writes them", async () => {
  const result = await run(
    `const stream = new ReadableStream({ start(c) { c.enqueue({ a: 1 }); c.close(); } });
     const moved = structuredClone(stream, { transfer: [stream] });
     const written = [];
     const sink = new WritableStream({ write(chunk) { written.push(chunk); } });
     const writer = structuredClone(sink, { transfer: [sink] }).getWriter();
     const again = [stream, sink].map((each) => [each.locked, name(() => structuredClone(each, { transfer: [each] }))]);
     await writer.write({ b: 2 });
     await writer.close();
     const chunks = [];
     for await (const chunk of moved) chunks.push(chunk);
     return [chunks, written, ...again];`,
  );
  const refused = [true, "DataCloneError"];
  expect(result).toEqual([[{ a: 1 }], [{ b: 2 }], refused, refused]);
});

test("a closed port sends and takes nothing more, what came before still arrives", async () => {
  const result = await run(
    `const seen = [];
     port2.onmessage = ({ data }) => seen.push(data);
     port1.onmessage = ({ data }) => seen.push(data);
     port1.postMessage("before"); port1.close(); port1.postMessage("after"); port2.postMessage("back");
     await scheduler.wait(5);
     return seen;`,
  );
  expect(result).toEqual(["before"]);
});

test("two ports that answer each other are bounded by the request, not by the thread", async () => {
  const source = `export default { fetch(request) {
    if (request.url.endsWith("/ok")) return new Response("ok");
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => port1.postMessage(1);
    port2.onmessage = () => port2.postMessage(1);
    port1.postMessage(1);
    return new Promise(() => {});
  } };`;
  const wallMs = 60_000;
  const opened = workshop.open({ source, limits: { wallMs } });
  const sent = opened.send("/");
  expect(await opened.text("/ok")).toBe("ok");
  opened.generation.expire(sent.startedMs + wallMs);
  expect(await sent.ended()).toBe("HANDLER_TIMEOUT");
});

test("scheduler.wait resolves later, and rejects with the signal's reason", async () => {
  const result = await run(
    `const before = Date.now();
     const value = await scheduler.wait(10);
     const later = Date.now() - before >= 9;
     const controller = new AbortController();
     const waiting = scheduler.wait(60_000, { signal: controller.signal }).catch((error) => error.message);
     controller.abort(new Error("why"));
     const gone = scheduler.wait(1, { signal: AbortSignal.abort("early") }).catch((reason) => reason);
     const bad = scheduler.wait(-1).catch((error) => error.name);
     return [value === undefined, later, await waiting, await gone, await bad];`,
  );
  expect(result).toEqual([true, true, "why", "early", "TypeError"]);
});

test("what libraries for Workers look at is there", async () => {
  const code = `const headers = new Headers([["set-cookie", "a=1"], ["set-cookie", "b=2"]]);
    return [navigator.language, navigator.languages, navigator.hardwareConcurrency, Cloudflare,
      headers.getAll("Set-Cookie"), name(() => headers.getAll("vary"))];`;
  const cookies = ["a=1", "b=2"];
  expect(await run(code)).toEqual([
    "en",
    ["en"],
    1,
    { compatibilityFlags: {} },
    cookies,
    "TypeError",
  ]);
});

test("navigator tells the runtime's name", async () => {
  expect(await run(`return [navigator.userAgent, name(() => new Navigator())];`)).toEqual([
    "Islet",
    "TypeError",
  ]);
});
