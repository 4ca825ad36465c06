import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openLmdbQueue, type LmdbQueueOptions } from "../../services/queue/lmdb.ts";
import type { QueueBackend } from "../../sdk/services/queue.ts";
import { describeQueueContract, message } from "../contracts/queue.ts";

const FOREVER = new AbortController().signal;
const folders: string[] = [];
const opened: QueueBackend[] = [];

afterAll(async () => {
  for (const backend of opened) await backend.close();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "islet-queue-"));
  folders.push(folder);
  return folder;
}

async function openQueue(
  more: Partial<LmdbQueueOptions> = {},
  folder = newFolder(),
): Promise<QueueBackend> {
  const backend = await openLmdbQueue({ places: { folder }, ...more });
  opened.push(backend);
  return backend;
}

describeQueueContract("queues in LMDB", async () => {
  const backend = await openQueue();
  return { backend, close: async () => undefined };
});

test("a queue takes messages up to its limits, all of a call or none", async () => {
  const queues = await openQueue({ backlogMax: 3, backlogBytesMax: 10 });
  const push = (queue: string, ...texts: string[]): Promise<void> =>
    queues.push(
      queue,
      texts.map((text) => message(text)),
      FOREVER,
    );
  const full = { code: "SERVICE_OVERLOADED" };
  await push("count", "a");
  await expect(push("count", "b", "c", "d")).rejects.toMatchObject(full);
  await push("count", "b", "c");
  await expect(push("count", "d")).rejects.toMatchObject(full);
  await push("bytes", "123456789");
  await expect(push("bytes", "12")).rejects.toMatchObject(full);
  await push("bytes", "1");
  expect(await queues.depth("count", FOREVER)).toMatchObject({ messages: 3 });
  expect(await queues.depth("bytes", FOREVER)).toMatchObject({ messages: 2, bytes: 10 });
});

test("a queue is there again when its folder is opened anew", async () => {
  const folder = newFolder();
  const first = await openLmdbQueue({ places: { folder } });
  await first.push("q", [message("a"), message("b")], FOREVER);
  await first.close();
  const again = await openQueue({}, folder);
  const take = { max: 10, waitMs: 0, visibilityMs: 1_000, concurrency: 1 };
  const batch = await again.take("q", take, FOREVER);
  expect(batch?.messages.map(({ body }) => Buffer.from(body).toString())).toEqual(["a", "b"]);
});

test("a queue of too many messages is not counted one by one", async () => {
  const queues = await openQueue({ censusMax: 2 });
  const late = (): Promise<void> =>
    queues.push("long", [message("x", { delayMs: 600_000 })], FOREVER);
  await late();
  expect(await queues.census("long", FOREVER)).toEqual({ delayed: 1, taken: 0 });
  await late();
  expect(await queues.census("long", FOREVER)).toEqual({ delayed: 2, taken: 0 });
  await late();
  expect(await queues.census("long", FOREVER)).toEqual({ delayed: null, taken: 0 });
});
