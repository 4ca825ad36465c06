import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  QUEUE_BATCH_BYTES_MAX,
  QUEUE_BATCH_MAX,
  QUEUE_DELAY_SECONDS_MAX,
  QUEUE_MESSAGE_BYTES_MAX,
  QUEUE_REDRIVE_MAX,
  type QueueBackend,
} from "../../sdk/services/queue.ts";
import type { ServicePort } from "../../sdk/services/service.ts";
import type { Value } from "../../sdk/services/values.ts";
import { ACTOR_LIMITS, ServiceActor } from "../actor.ts";
import { openLmdbQueue } from "./lmdb.ts";
import { createQueueOperatorPort } from "./operator.ts";
import { createQueuePort } from "./port.ts";

const folder = mkdtempSync(join(tmpdir(), "islet-queue-port-"));
const actor = new ServiceActor<QueueBackend>("queue", {
  now: () => performance.now(),
  onHealth: () => undefined,
  onPanic: (error) => {
    throw error;
  },
});
let nowMs = 1_700_000_000_000;
let port: ServicePort;

beforeAll(() => {
  actor.start({
    limits: ACTOR_LIMITS,
    open: () => openLmdbQueue({ places: { folder }, now: () => nowMs }),
  });
  port = createQueuePort({ actor, queue: "jobs", delaySeconds: 60, caller: "endpoint" });
});

afterAll(async () => {
  await actor.stop();
  rmSync(folder, { recursive: true, force: true });
});

function call(method: string, args: readonly Value[]): Promise<unknown> {
  const { signal } = new AbortController();
  return port.call(method, args, { request: 1, signal, body: null, hold: () => true });
}

const send = (...messages: readonly Value[]): Promise<unknown> => call("send", [messages]);
const INPUT = { code: "SERVICE_INPUT" };
const TOO_LARGE = { code: "SERVICE_TOO_LARGE" };

async function due(): Promise<number> {
  const take = { max: 100, waitMs: 0, visibilityMs: 1_000_000, concurrency: 1_000 };
  const { signal } = new AbortController();
  const batch = await actor.run((queues, ends) => queues.take("jobs", take, ends), {
    caller: "test",
    signal,
  });
  return batch?.messages.length ?? 0;
}

test("a message waits for its own delay, or for that of the binding", async () => {
  await send(["text", 0, "now"], ["text", null, "usual"], ["text", 1.5, "later"]);
  expect(await due()).toBe(1);
  nowMs += 1_499;
  expect(await due()).toBe(0);
  nowMs += 1;
  expect(await due()).toBe(1);
  nowMs += 58_500;
  expect(await due()).toBe(1);
  expect(await call("metrics", [])).toEqual([3, 13, 1_700_000_000_000]);
});

test("a message, a batch and a delay have their limits", async () => {
  const body = (bytes: number): Uint8Array => new Uint8Array(bytes);
  const large = QUEUE_MESSAGE_BYTES_MAX;
  await send(["bytes", 0, body(large)]);
  await expect(send(["bytes", 0, body(large + 1)])).rejects.toMatchObject(TOO_LARGE);
  expect(2 * large).toBe(QUEUE_BATCH_BYTES_MAX);
  await send(["bytes", 0, body(large)], ["bytes", 0, body(large)]);
  const more = send(["bytes", 0, body(large)], ["bytes", 0, body(large)], ["text", 0, "x"]);
  await expect(more).rejects.toMatchObject(TOO_LARGE);
  const many = (count: number): Value[] => Array.from({ length: count }, () => ["text", 0, ""]);
  await send(...many(QUEUE_BATCH_MAX));
  await expect(send(...many(QUEUE_BATCH_MAX + 1))).rejects.toMatchObject(INPUT);
  await expect(send()).rejects.toMatchObject(INPUT);
  await send(["text", QUEUE_DELAY_SECONDS_MAX, "x"]);
  for (const delay of [QUEUE_DELAY_SECONDS_MAX + 1, -1, NaN, "1", true]) {
    await expect(send(["text", delay, "x"])).rejects.toMatchObject(INPUT);
  }
});

test.each<[string, readonly Value[]]>([
  ["no list", ["text"]],
  ["a message that is no list", [["text"]]],
  ["no body", [[["text", 0]]]],
  ["a body that is neither text nor bytes", [[["json", 0, { a: 1 }]]]],
  ["no content type", [[[null, 0, "a"]]]],
  ["another content type", [[["xml", 0, "a"]]]],
  ["a number for a content type", [[[1, 0, "a"]]]],
])("%s is refused", async (_what, args) => {
  await expect(call("send", args)).rejects.toMatchObject(INPUT);
});

test("handlers cannot take, settle or purge", async () => {
  for (const method of ["take", "settle", "purge", "depth", "push", "constructor"]) {
    await expect(call(method, [])).rejects.toMatchObject({ code: "CALL_INVALID" });
  }
});

test("what an operator may ask of a queue is no method of a handler's", async () => {
  for (const method of ["peek", "purge", "redrive", "standing"]) {
    await expect(call(method, ["other", 1])).rejects.toMatchObject({ code: "CALL_INVALID" });
  }
});

test("an operator moves as many messages as are asked for, and looks at no more than a hundred", async () => {
  const { signal } = new AbortController();
  const context = { request: 0, signal, body: null, hold: () => true };
  const open = (queue: string): ServicePort =>
    createQueueOperatorPort({ actor, queue, caller: "" });
  const ask = (queue: string, method: string, ...args: readonly Value[]): Promise<unknown> =>
    open(queue).call(method, args, context);
  const body = Buffer.from("x");
  for (let sent = 0; sent < 250; sent += 50) {
    const messages = Array.from({ length: 50 }, () => ({
      body,
      contentType: "text" as const,
      delayMs: 0,
    }));
    const run = { caller: "test", signal };
    await actor.run((queues, ends) => queues.push("dead", messages, ends), run);
  }
  expect(await ask("dead", "redrive", "alive", 150)).toBe(150);
  expect(await ask("alive", "standing")).toMatchObject([150, 150, nowMs, 0, 0]);
  expect(await ask("dead", "redrive", "alive", QUEUE_REDRIVE_MAX)).toBe(100);
  expect(await ask("dead", "redrive", "alive", 1)).toBe(0);
  expect(await ask("alive", "peek", 100)).toHaveLength(100);
  for (const wrong of [0, 101]) {
    await expect(ask("alive", "peek", wrong)).rejects.toMatchObject(INPUT);
  }
  for (const wrong of [0, QUEUE_REDRIVE_MAX + 1]) {
    await expect(ask("alive", "redrive", "dead", wrong)).rejects.toMatchObject(INPUT);
  }
  await expect(ask("alive", "redrive", "alive", 1)).rejects.toMatchObject(INPUT);
  await expect(ask("alive", "redrive", "x".repeat(257), 1)).rejects.toMatchObject(INPUT);
  expect(await ask("alive", "purge")).toBe(250);
});
