// Processes that write one queue are killed (SIGKILL) at any moment, over and over. What a queue promises: a message
// whose push was acknowledged is handled at least once, and one that always fails ends among the dead letters.

import { fileURLToPath } from "node:url";
import type { QueueBackend } from "../../sdk/services/queue.ts";
import { openLmdbQueue } from "../../services/queue/lmdb.ts";
import { until } from "../waiting.ts";
import { runAndKill } from "./run-and-kill.ts";

export const QUEUE = "jobs";
export const DEAD = "jobs-dead";
export const POISON = "poison";
export const MAX_RETRIES = 2;
/** After which the messages of a killed worker come again. */
export const VISIBILITY_MS = 500;
const FOREVER = new AbortController().signal;
const PROCESS = fileURLToPath(new URL("./queue-process.ts", import.meta.url));

export interface KillReport {
  readonly kills: number;
  readonly acknowledged: number;
  readonly handled: number;
  /** Handled more than once. */
  readonly repeated: number;
  /** Acknowledged, and neither handled nor dead. */
  readonly lost: readonly string[];
  readonly dead: number;
  /** What the queue says it still holds when nothing is left to take. */
  readonly left: number;
}

/** Half of the kills are of producers, half of consumers; two of each run at any time. */
export async function killOverAndOver(folder: string, kills: number): Promise<KillReport> {
  const pushed: string[] = [];
  const handled: string[] = [];
  let left = kills;
  let started = 0;
  const lane = async (role: "push" | "work", lines: string[]): Promise<void> => {
    while (left-- > 0) await runAndKill([PROCESS, role, folder, `${++started}`], lines);
  };
  await Promise.all([
    lane("push", pushed),
    lane("work", handled),
    lane("push", pushed),
    lane("work", handled),
  ]);
  const queues = await openLmdbQueue({ places: { folder } });
  const rest = await drain(queues);
  const done = new Set([...handled, ...rest]);
  const buried = await readAll(queues, DEAD);
  const dead = new Set(buried);
  const depth = await queues.depth(QUEUE, FOREVER);
  await queues.close();
  return {
    kills,
    acknowledged: pushed.length,
    handled: done.size,
    repeated: handled.length + rest.length - done.size,
    lost: pushed.filter((text) => !done.has(text) && !dead.has(text)),
    dead: dead.size,
    left: depth.messages,
  };
}

/** Handles what is left, as the last consumer. */
async function drain(queues: QueueBackend): Promise<string[]> {
  const found: string[] = [];
  const take = { max: 100, waitMs: 0, visibilityMs: 60_000, concurrency: 100 };
  await until(
    "the queue is empty",
    async () => {
      const batch = await queues.take(QUEUE, take, FOREVER);
      if (batch === null) return (await queues.depth(QUEUE, FOREVER)).messages === 0;
      const texts = batch.messages.map(({ body }) => Buffer.from(body).toString());
      const receipts = batch.messages.map(({ receipt }) => receipt);
      const isGood = (_: unknown, at: number): boolean => texts[at]?.startsWith(POISON) === false;
      found.push(...texts.filter(isGood));
      await queues.settle(
        QUEUE,
        {
          lease: batch.lease,
          acked: receipts.filter(isGood),
          retried: [],
          dead: receipts.filter((receipt, at) => !isGood(receipt, at)),
          deadLetterQueue: DEAD,
        },
        FOREVER,
      );
      return false;
    },
    120_000,
  );
  return found;
}

async function readAll(queues: QueueBackend, queue: string): Promise<string[]> {
  const take = { max: 100, waitMs: 0, visibilityMs: 60_000, concurrency: 1_000 };
  const texts: string[] = [];
  for (;;) {
    const batch = await queues.take(queue, take, FOREVER);
    if (batch === null) return texts;
    texts.push(...batch.messages.map(({ body }) => Buffer.from(body).toString()));
  }
}
