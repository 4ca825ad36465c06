// What every backend of queues does: the cases run on each. Times are short and real, since a server has its own clock.

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  QUEUE_BATCH_BYTES_MAX,
  QUEUE_MESSAGE_BYTES_MAX,
  QUEUE_PEEK_BYTES_MAX,
  type QueueBackend,
  type QueueBatch,
  type QueuePush,
  type QueueTake,
} from "../../sdk/services/queue.ts";
import { waitFor } from "../servers/process.ts";

const FOREVER = new AbortController().signal;
/** Longer than any test. */
const LONG_MS = 600_000;
/** Over soon, but not while a test takes and settles in between, also where that takes long. */
const SHORT_MS = 600;
const NOW: QueueTake = { max: 100, waitMs: 0, visibilityMs: LONG_MS, concurrency: 100 };

export function message(text: string, more: Partial<QueuePush> = {}): QueuePush {
  return { body: Buffer.from(text), contentType: "text", delayMs: 0, ...more };
}

export function describeQueueContract(
  name: string,
  open: () => Promise<{ backend: QueueBackend; close: () => Promise<void> }>,
): void {
  describe(name, () => {
    let queues: QueueBackend;
    let close: () => Promise<void>;
    let queue: string;

    beforeAll(async () => {
      ({ backend: queues, close } = await open());
    });
    beforeEach(() => {
      queue = `shop/${randomUUID()}`;
    });
    afterAll(() => close());

    const push = (...texts: string[]): Promise<void> =>
      queues.push(
        queue,
        texts.map((text) => message(text)),
        FOREVER,
      );
    const take = (more: Partial<QueueTake> = {}, from = queue): Promise<QueueBatch | null> =>
      queues.take(from, { ...NOW, ...more }, FOREVER);
    const texts = (batch: QueueBatch | null): string[] =>
      (batch?.messages ?? []).map(({ body }) => Buffer.from(body).toString());

    async function taken(more: Partial<QueueTake> = {}, from = queue): Promise<QueueBatch> {
      let batch: QueueBatch | null = null;
      await waitFor(async () => (batch = await take(more, from)) !== null);
      return batch as unknown as QueueBatch;
    }

    interface Settling {
      readonly acked?: readonly number[];
      readonly retried?: Readonly<Record<number, number>>;
      readonly returned?: readonly number[];
      readonly dead?: readonly number[];
      readonly into?: string;
    }

    /** By the place of messages in the batch. */
    function settle(batch: QueueBatch, what: Settling): Promise<void> {
      const { acked = [], retried = {}, returned = [], dead = [], into = null } = what;
      const receipt = (at: number): string => batch.messages[at]?.receipt ?? "";
      const settlement = {
        lease: batch.lease,
        acked: acked.map(receipt),
        retried: [
          ...Object.entries(retried).map(([at, delayMs]) => ({
            receipt: receipt(Number(at)),
            delayMs,
            delivered: true,
          })),
          ...returned.map((at) => ({ receipt: receipt(at), delayMs: 0, delivered: false })),
        ],
        dead: dead.map(receipt),
        deadLetterQueue: into,
      };
      return queues.settle(queue, settlement, FOREVER);
    }

    test("messages come in the order of pushing, with what they were pushed with", async () => {
      const before = Date.now();
      const bytes = Buffer.from([0, 255, 10, 13]);
      await queues.push(
        queue,
        [message("a"), message("", { body: bytes, contentType: "bytes" })],
        FOREVER,
      );
      await push("b");
      const batch = await taken();
      expect(batch.messages.map(({ body }) => Buffer.from(body))).toEqual([
        Buffer.from("a"),
        bytes,
        Buffer.from("b"),
      ]);
      expect(batch.messages.map(({ contentType }) => contentType)).toEqual([
        "text",
        "bytes",
        "text",
      ]);
      expect(batch.messages.map(({ attempts }) => attempts)).toEqual([1, 1, 1]);
      expect(new Set(batch.messages.map(({ id }) => id)).size).toBe(3);
      for (const { timestampMs } of batch.messages) {
        expect(timestampMs).toBeGreaterThanOrEqual(before - 1);
        expect(timestampMs).toBeLessThanOrEqual(Date.now() + 1);
      }
    });

    test("an empty queue and one that is not there give nothing", async () => {
      expect(await take()).toBeNull();
      await push("a");
      expect(await take({}, `${queue}-other`)).toBeNull();
      await settle(await taken(), { acked: [0] });
      expect(await take()).toBeNull();
    });

    test("what is taken is nobody else's, until its time is over", async () => {
      await push("a", "b");
      const first = await taken({ max: 1, visibilityMs: SHORT_MS });
      expect(texts(first)).toEqual(["a"]);
      expect(texts(await take())).toEqual(["b"]);
      expect(await take()).toBeNull();
      const again = await taken();
      expect(texts(again)).toEqual(["a"]);
      expect(again.messages[0]).toMatchObject({ id: first.messages[0]?.id, attempts: 2 });
    });

    test("who settles too late settles nothing", async () => {
      await push("a");
      const late = await taken({ visibilityMs: 1 });
      const current = await taken();
      await settle(late, { acked: [0] });
      await settle(late, { retried: { 0: 0 } });
      await settle(late, { dead: [0] });
      expect(await take()).toBeNull();
      expect((await queues.depth(queue, FOREVER)).messages).toBe(1);
      await settle(current, { retried: { 0: 0 } });
      expect((await taken()).messages[0]?.attempts).toBe(3);
    });

    test("acknowledged messages are gone, those tried again come after their delay", async () => {
      await push("a", "b", "c");
      const batch = await taken();
      await settle(batch, { acked: [0], retried: { 1: LONG_MS, 2: 0 } });
      const again = await taken();
      expect(texts(again)).toEqual(["c"]);
      expect(again.messages[0]?.attempts).toBe(2);
      await settle(again, { retried: { 0: SHORT_MS } });
      expect(await take()).toBeNull();
      expect(texts(await taken())).toEqual(["c"]);
      expect((await queues.depth(queue, FOREVER)).messages).toBe(2);
    });

    test("a message that nobody has looked at does not count as tried", async () => {
      await push("a");
      for (let time = 0; time < 3; time++) {
        const batch = await taken();
        expect(batch.messages[0]?.attempts).toBe(1);
        await settle(batch, { returned: [0] });
      }
      await settle(await taken(), { retried: { 0: 0 } });
      expect((await taken()).messages[0]?.attempts).toBe(2);
    });

    test("a delayed message comes when its time has come", async () => {
      await queues.push(
        queue,
        [message("late", { delayMs: LONG_MS }), message("soon", { delayMs: SHORT_MS })],
        FOREVER,
      );
      expect(await take()).toBeNull();
      expect(texts(await taken())).toEqual(["soon"]);
      expect(await take()).toBeNull();
    });

    test("a batch waits until it is full or its first message has waited long enough", async () => {
      await push("a");
      expect(await take({ max: 2, waitMs: LONG_MS })).toBeNull();
      await push("b");
      const full = await taken({ max: 2, waitMs: LONG_MS });
      expect(texts(full)).toEqual(["a", "b"]);
      await push("c");
      expect(texts(await taken({ max: 2, waitMs: 20 }))).toEqual(["c"]);
    });

    test("a batch has at most as many bytes as are allowed, and is full with them", async () => {
      const large = "x".repeat(QUEUE_MESSAGE_BYTES_MAX);
      expect(2 * large.length).toBe(QUEUE_BATCH_BYTES_MAX);
      await push(large, large);
      await push("y");
      const batch = await taken({ waitMs: LONG_MS });
      expect(batch.messages).toHaveLength(2);
      expect(texts(await taken())).toEqual(["y"]);
    });

    test("no more batches are out than may be, until one is settled or lost", async () => {
      await push("a", "b", "c", "d");
      const one = { max: 1, concurrency: 2 };
      const first = await taken({ ...one, visibilityMs: SHORT_MS });
      await taken(one);
      expect(await take(one)).toBeNull();
      await settle(first, { acked: [0] });
      expect(texts(await take({ ...one, visibilityMs: SHORT_MS }))).toEqual(["c"]);
      expect(await take(one)).toBeNull();
      // Its time is over: both c and d may come.
      expect(texts(await taken(one))).toHaveLength(1);
    });

    test("dead messages move to their queue with id and time, or are dropped without one", async () => {
      await push("a", "b");
      const graves = `${queue}-dead`;
      const batch = await taken();
      await settle(batch, { dead: [0], into: graves });
      expect((await queues.depth(queue, FOREVER)).messages).toBe(1);
      const dead = await taken({}, graves);
      expect(texts(dead)).toEqual(["a"]);
      const { id, timestampMs, contentType } = batch.messages[0] ?? {};
      expect(dead.messages[0]).toMatchObject({ id, timestampMs, contentType, attempts: 1 });
      await settle(batch, { dead: [1] });
      expect((await queues.depth(queue, FOREVER)).messages).toBe(0);
      expect(await take()).toBeNull();
    });

    test("the depth counts what is ready, delayed and taken, and knows the oldest", async () => {
      expect(await queues.depth(queue, FOREVER)).toEqual({ messages: 0, bytes: 0, oldestMs: null });
      const before = Date.now();
      await push("ab");
      await queues.push(queue, [message("cde", { delayMs: LONG_MS })], FOREVER);
      const batch = await taken();
      const depth = await queues.depth(queue, FOREVER);
      expect(depth).toMatchObject({ messages: 2, bytes: 5 });
      expect(depth.oldestMs).toBe(batch.messages[0]?.timestampMs);
      expect(depth.oldestMs).toBeGreaterThanOrEqual(before - 1);
      await settle(batch, { acked: [0] });
      expect(await queues.depth(queue, FOREVER)).toMatchObject({ messages: 1, bytes: 3 });
    });

    test("a census tells what is delayed and taken from what is ready", async () => {
      const census = (): Promise<unknown> => queues.census(queue, FOREVER);
      expect(await census()).toEqual({ delayed: 0, taken: 0 });
      await push("a", "b", "c");
      await queues.push(queue, [message("late", { delayMs: LONG_MS })], FOREVER);
      expect(await census()).toEqual({ delayed: 1, taken: 0 });
      const batch = await taken({ max: 2 });
      expect(await census()).toEqual({ delayed: 1, taken: 2 });
      await settle(batch, { acked: [0], retried: { 1: LONG_MS } });
      expect(await census()).toEqual({ delayed: 2, taken: 0 });
      await taken({ visibilityMs: 1 });
      await waitFor(async () => JSON.stringify(await census()).includes('"taken":0'));
      expect(await census()).toEqual({ delayed: 2, taken: 0 });
    });

    test("messages that are looked at stay as they are", async () => {
      const peek = async (max = 100): Promise<unknown[]> =>
        (await queues.peek(queue, max, FOREVER)).map(({ body, state, attempts }) => [
          Buffer.from(body).toString(),
          state,
          attempts,
        ]);
      expect(await peek()).toEqual([]);
      await push("a", "b");
      await queues.push(queue, [message("late", { delayMs: LONG_MS })], FOREVER);
      const batch = await taken({ max: 1 });
      const all = await peek();
      expect(all).toHaveLength(3);
      for (const one of [
        ["a", "taken", 1],
        ["b", "ready", 0],
        ["late", "delayed", 0],
      ]) {
        expect(all).toContainEqual(one);
      }
      expect(await peek(1)).toHaveLength(1);
      await settle(batch, { retried: { 0: LONG_MS } });
      expect(await peek()).toContainEqual(["a", "delayed", 1]);
      const [first] = await queues.peek(queue, 1, FOREVER);
      const { id, timestampMs, contentType } = (await taken()).messages[0] ?? {};
      expect(first).toMatchObject({ id, timestampMs, contentType });
    });

    test("a look is of as many bodies as are allowed together", async () => {
      const large = "x".repeat(QUEUE_MESSAGE_BYTES_MAX);
      const count = QUEUE_PEEK_BYTES_MAX / QUEUE_MESSAGE_BYTES_MAX;
      for (let sent = 0; sent < count; sent++) await push(large);
      await push("y");
      expect(await queues.peek(queue, 100, FOREVER)).toHaveLength(count);
      await queues.purge(queue, FOREVER);
    });

    test("purging leaves nothing, and other queues alone", async () => {
      await push("a", "b", "c");
      await queues.push(queue, [message("late", { delayMs: LONG_MS })], FOREVER);
      const batch = await taken({ max: 1 });
      const other = `${queue}-other`;
      await queues.push(other, [message("x")], FOREVER);
      await queues.purge(queue, FOREVER);
      expect(await take()).toBeNull();
      expect(await queues.depth(queue, FOREVER)).toEqual({ messages: 0, bytes: 0, oldestMs: null });
      await settle(batch, { retried: { 0: 0 } });
      expect(await take()).toBeNull();
      expect(texts(await taken({}, other))).toEqual(["x"]);
      await push("again");
      expect(texts(await taken())).toEqual(["again"]);
    });

    test("many takers at once: every message goes to one of them", async () => {
      const all = Array.from({ length: 300 }, (_, at) => `${at}`);
      for (let at = 0; at < all.length; at += 100) await push(...all.slice(at, at + 100));
      const found: string[] = [];
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          for (let batch = await take({ max: 7 }); batch !== null; batch = await take({ max: 7 })) {
            found.push(...texts(batch));
            await settle(batch, { acked: batch.messages.map((_, at) => at) });
          }
        }),
      );
      expect(found.length).toBe(all.length);
      expect(new Set(found)).toEqual(new Set(all));
      expect((await queues.depth(queue, FOREVER)).messages).toBe(0);
    });

    test("nothing happens for a call that is wanted no more", async () => {
      const reason = new Error("wanted no more");
      const gone = AbortSignal.abort(reason);
      await expect(queues.push(queue, [message("a")], gone)).rejects.toBe(reason);
      expect((await queues.depth(queue, FOREVER)).messages).toBe(0);
    });

    test("tells what it is when it is asked", async () => {
      expect((await queues.probe(FOREVER)).version).toMatch(/\w/);
    });
  });
}
