// Events in a real isolate: a handler's `queue` method gets its batch, and its outcome comes back.

import { afterAll, beforeAll, expect, test } from "vitest";
import { openWorkshop, type Sent, type Workshop } from "./instances.ts";

let workshop: Workshop;

beforeAll(async () => {
  workshop = await openWorkshop();
});

afterAll(() => workshop.close());

const METRICS = { backlogCount: 3, backlogBytes: 30, oldestMs: 1_700_000_000_000 };
const AT = 1_700_000_000_500;

function batch(...bodies: readonly (readonly [type: string, body: string])[]): {
  name: string;
  text: string;
} {
  const messages = bodies.map(([type, body], index) => [`id-${index}`, AT, index + 1, type, body]);
  return { name: "queue", text: JSON.stringify({ queue: "jobs", metrics: METRICS, messages }) };
}

function consumer(body: string): string {
  return `export default {
    async fetch() { return new Response("ok"); },
    async queue(batch, env, ctx) { ${body} },
  };`;
}

async function run(source: string, event: { name: string; text: string }): Promise<Sent> {
  const sent = workshop.open({ source, env: '{"vars":{"NAME":"value"}}' }).send({}, event);
  await sent.ended();
  return sent;
}

function outcome(sent: Sent): unknown {
  return JSON.parse(sent.exchange.text);
}

test("a queue method gets queue, messages, metadata, env and ctx", async () => {
  const source = consumer(`
    const [message] = batch.messages;
    const { id, timestamp, attempts, body } = message;
    console.log(JSON.stringify([batch.queue, batch.metadata, id, timestamp, attempts, body,
      env.NAME, typeof ctx.waitUntil, timestamp instanceof Date, Object.isFrozen(batch.messages)]));`);
  const sent = await run(source, batch(["json", '{"a":[1]}']));
  const oldestMessageTimestamp = new Date(METRICS.oldestMs).toISOString();
  const metrics = { backlogCount: 3, backlogBytes: 30, oldestMessageTimestamp };
  const at = new Date(AT).toISOString();
  const expected = [
    "jobs",
    { metrics },
    "id-0",
    at,
    1,
    { a: [1] },
    "value",
    "function",
    true,
    true,
  ];
  expect(sent.logs).toEqual([`info ${JSON.stringify(expected)}`]);
  expect(sent.outcome).toBe("ok");
  expect(outcome(sent)).toEqual({ all: null, messages: [null] });
});

test("bodies arrive as their content type says, and a damaged one fails when it is looked at", async () => {
  const bytes = Buffer.from([0, 255, 10]).toString("base64url");
  const source = consumer(`
    const [text, raw, broken] = batch.messages;
    let failure = "";
    try { broken.body; } catch (error) { failure = error.name; }
    console.log(text.body + [...raw.body] + raw.body.constructor.name + failure);`);
  const sent = await run(source, batch(["text", "grün"], ["bytes", bytes], ["json", "{"]));
  expect(sent.logs).toEqual(["info grün0,255,10Uint8ArraySyntaxError"]);
});

test("verdicts on messages and on the batch come back, the first of each counts", async () => {
  const source = consumer(`
    const [a, b, c] = batch.messages;
    a.ack(); a.retry();
    b.retry({ delaySeconds: 30 }); b.ack();
    c.retry();
    batch.retryAll({ delaySeconds: 5 }); batch.ackAll();`);
  const sent = await run(source, batch(["text", ""], ["text", ""], ["text", ""], ["text", ""]));
  expect(outcome(sent)).toEqual({ all: 5, messages: [-1, 30, "", null] });
});

test("a queue method that throws keeps the verdicts it has given, and the error is logged", async () => {
  const source = consumer("batch.messages[0].ack(); throw new TypeError('no disk');");
  const sent = await run(source, batch(["text", ""], ["text", ""]));
  expect(sent.exchange.status).toBe(500);
  expect(outcome(sent)).toEqual({ all: null, messages: [-1, null] });
  expect(sent.logs.join()).toContain("TypeError: no disk");
});

test("a delay that no queue takes is refused", async () => {
  const source = consumer(`
    for (const delaySeconds of [-1, 43201, NaN, "x"]) {
      try { batch.messages[0].retry({ delaySeconds }); } catch (error) { console.log(error.name); }
    }
    batch.messages[0].retry({ delaySeconds: 43200 });`);
  const sent = await run(source, batch(["text", ""]));
  expect(sent.logs).toEqual(Array(4).fill("info TypeError"));
  expect(outcome(sent)).toEqual({ all: null, messages: [43_200] });
});

test("a handler without the event's method fails it, and one without fetch fails requests", async () => {
  const fetchOnly = workshop.open({
    source: "export default { fetch: () => new Response('hi') };",
  });
  const event = fetchOnly.send({}, batch(["text", ""]));
  expect(await event.ended()).toBe("HANDLER_EXCEPTION");
  expect(event.logs.join()).toContain("The handler has no queue function");
  expect(await fetchOnly.text("/")).toBe("hi");
  const queueOnly = workshop.open({ source: "export default { queue() {} };" });
  const request = queueOnly.send("/");
  expect(await request.ended()).toBe("HANDLER_EXCEPTION");
  expect(request.logs.join()).toContain("The handler has no fetch function");
});

test("an event is cut like a request, and those beside it are not", async () => {
  const limits = { cpuMs: 100 };
  const burning = consumer("if (batch.messages[0].body === 'burn') for (;;);");
  const opened = workshop.open({ source: burning, limits });
  const cut = opened.send({}, batch(["text", "burn"]));
  const fine = opened.send({}, batch(["text", "rest"]));
  expect(["CPU_LIMIT", "OVERLOADED"]).toContain(await cut.ended());
  expect(await fine.ended()).toBe("ok");
  const hanging = workshop.open({ source: consumer("await new Promise(() => {});"), limits });
  expect(await hanging.send({}, batch(["text", ""])).ended()).toBe("NO_RESPONSE");
});

test("an author who has patched prototypes spoils their own events only", async () => {
  const source = `
    Array.prototype.push = Array.prototype.map = JSON.stringify = () => { throw new Error("patched"); };
    Object.prototype.toJSON = () => ({ all: -1 });
    ${consumer("batch.messages[0].retry({ delaySeconds: 7 });")}`;
  const sent = await run(source, batch(["text", ""]));
  expect(outcome(sent)).toEqual({ all: null, messages: [7] });
});
