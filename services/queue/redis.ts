// Queues in Redis Streams, shared by all nodes that name the same server. What a call does is one script there
// (redis-scripts.ts). How durable a push is, is the server's setting (appendonly, appendfsync).
//
// Dead letters go to a queue whose keys may lie on another node of a cluster: they are pushed there first and then
// acknowledged here, so that a crash between both leaves one more, with the same id, and never one less.

import { randomBytes } from "node:crypto";
import { EdgeError } from "../../sdk/errors.ts";
import type { RedisConfig } from "../../sdk/services/config.ts";
import {
  QUEUE_BACKLOG_BYTES_MAX,
  QUEUE_BACKLOG_MAX,
  QUEUE_BATCH_BYTES_MAX,
  QUEUE_PEEK_BYTES_MAX,
  type QueueBackend,
  type QueueContentType,
  type QueueMessage,
  type QueueMessageState,
  type QueuePeeked,
} from "../../sdk/services/queue.ts";
import { createScript, openRedis, type RedisClient, type Reply } from "../redis.ts";
import {
  CENSUS,
  DEPTH,
  PEEK,
  PURGE,
  PUSH,
  QUEUE_KEYS,
  READ,
  SETTLE,
  TAKE,
} from "./redis-scripts.ts";

const SCRIPTS = {
  push: createScript(PUSH),
  take: createScript(TAKE),
  settle: createScript(SETTLE),
  read: createScript(READ),
  depth: createScript(DEPTH),
  census: createScript(CENSUS),
  peek: createScript(PEEK),
  purge: createScript(PURGE),
} as const;

const ID_BYTES = 16;
const LEASE_BYTES = 12;
/** Of one message in the answers of TAKE and READ. */
const TAKEN_FIELDS = 6;
const READ_FIELDS = 5;
const PEEK_FIELDS = 6;

export interface RedisQueueOptions {
  readonly signal: AbortSignal;
  readonly backlogMax?: number;
  readonly backlogBytesMax?: number;
}

export async function openRedisQueue(
  config: RedisConfig,
  options: RedisQueueOptions,
): Promise<QueueBackend> {
  return createQueues(await openRedis(config, options.signal), options);
}

type Arguments = readonly (string | Buffer | number)[];
type Run = (
  name: keyof typeof SCRIPTS,
  queue: string,
  args: Arguments,
  signal: AbortSignal,
) => Promise<Reply>;

function createRun(redis: RedisClient): Run {
  return async (name, queue, args, signal) => {
    signal.throwIfAborted();
    const keys = QUEUE_KEYS.map((key) => `islet:queue:{${queue}}:${key}`);
    return redis.run(SCRIPTS[name], keys, args, signal);
  };
}

function createQueues(
  redis: RedisClient,
  { backlogMax = QUEUE_BACKLOG_MAX, backlogBytesMax = QUEUE_BACKLOG_BYTES_MAX }: RedisQueueOptions,
): QueueBackend {
  const run = createRun(redis);
  return {
    async push(queue, messages, signal) {
      const args: (string | Buffer | number)[] = [backlogMax, backlogBytesMax];
      for (const { body, contentType, delayMs } of messages) {
        const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
        args.push(randomBytes(ID_BYTES).toString("hex"), "", contentType, delayMs, bytes);
      }
      if ((await run("push", queue, args, signal)) === 1) return;
      throw new EdgeError("SERVICE_OVERLOADED", `The queue ${queue} is full.`);
    },
    async take(queue, { max, waitMs, visibilityMs, concurrency }, signal) {
      const lease = randomBytes(LEASE_BYTES).toString("hex");
      const args = [max, QUEUE_BATCH_BYTES_MAX, waitMs, visibilityMs, concurrency, lease];
      const taken = listOf(await run("take", queue, args, signal));
      const messages: QueueMessage[] = [];
      for (let at = 0; at < taken.length; at += TAKEN_FIELDS) {
        messages.push(messageOf(taken.slice(at, at + TAKEN_FIELDS)));
      }
      return messages.length === 0 ? null : { lease, messages };
    },
    async settle(queue, { lease, acked, retried, dead, deadLetterQueue }, signal) {
      if (deadLetterQueue !== null && dead.length > 0) {
        const found = listOf(await run("read", queue, dead, signal));
        if (found.length > 0) await run("push", deadLetterQueue, burialOf(found), signal);
      }
      const args: string[] = [lease];
      for (const receipt of [...acked, ...dead]) args.push("ack", receipt);
      for (const { receipt, delayMs, delivered } of retried) {
        args.push(`${delivered ? "" : "-"}${delayMs}`, receipt);
      }
      await run("settle", queue, args, signal);
    },
    async depth(queue, signal) {
      const [messages, bytes, oldest] = listOf(await run("depth", queue, [], signal));
      const text = String(oldest);
      const oldestMs = text === "" ? null : Number(text);
      return { messages: Number(messages), bytes: Number(bytes), oldestMs };
    },
    async census(queue, signal) {
      const [delayed, taken] = listOf(await run("census", queue, [], signal));
      return { delayed: Number(delayed), taken: Number(taken) };
    },
    async peek(queue, max, signal) {
      const found = listOf(await run("peek", queue, [max, QUEUE_PEEK_BYTES_MAX], signal));
      const messages: QueuePeeked[] = [];
      for (let at = 0; at < found.length; at += PEEK_FIELDS) {
        const [state, ...fields] = found.slice(at, at + PEEK_FIELDS);
        const { receipt: _, ...message } = messageOf([null, ...fields]);
        messages.push({ ...message, state: String(state) as QueueMessageState });
      }
      return messages;
    },
    async purge(queue, signal) {
      await run("purge", queue, [], signal);
    },
    probe: async (signal) => ({ version: await redis.version(signal) }),
    close: () => redis.close(),
  };
}

/** Of what READ has found: the arguments of a PUSH with ids and times as they were. */
function burialOf(found: readonly Reply[]): Arguments {
  // Also into a queue that is full: the messages were taken once already.
  const unlimited = Number.MAX_SAFE_INTEGER;
  const args: (string | Buffer | number)[] = [unlimited, unlimited];
  for (let at = 0; at < found.length; at += READ_FIELDS) {
    const [, id, timestamp, type, body] = found.slice(at, at + READ_FIELDS) as Buffer[];
    args.push(String(id), String(timestamp), String(type), 0, body ?? "");
  }
  return args;
}

function listOf(reply: Reply): readonly Reply[] {
  return Array.isArray(reply) ? (reply as readonly Reply[]) : [];
}

function messageOf(fields: readonly Reply[]): QueueMessage {
  const [receipt, id, timestamp, type, attempts, body] = fields;
  return {
    receipt: String(receipt),
    id: String(id),
    timestampMs: Number(String(timestamp)),
    contentType: String(type) as QueueContentType,
    attempts: Number(String(attempts)),
    body: body instanceof Uint8Array ? body : new Uint8Array(),
  };
}
