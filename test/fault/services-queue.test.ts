// Queues in Redis when it goes away, hangs, breaks off or is restarted: what the caller is told, that what was
// acknowledged is there, and that it works again by itself. The embedded ones have no server: queue-kill.test.ts.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EdgeError } from "../../sdk/errors.ts";
import type { QueueBackend, QueueBatch } from "../../sdk/services/queue.ts";
import { ServiceActor, type ActorLimits } from "../../services/actor.ts";
import { openRedisQueue } from "../../services/queue/redis.ts";
import { message } from "../contracts/queue.ts";
import { hasProgram } from "../servers/install.ts";
import { waitFor, type TestServer } from "../servers/process.ts";
import { startProxy, type TestProxy } from "../servers/proxy.ts";
import { startRedis } from "../servers/redis.ts";
import { redisConfig } from "../services/redis-config.ts";

const TAKE = { max: 100, waitMs: 0, visibilityMs: 60_000, concurrency: 1_000 };
const REACHED = ["SERVICE_UNAVAILABLE", "SERVICE_FAILED", "SERVICE_TIMEOUT"];

interface Tested {
  readonly actor: ServiceActor<QueueBackend>;
  readonly push: (text: string) => Promise<void>;
  /** Again and again: it is there once at least. */
  readonly untilPushed: (text: string) => Promise<void>;
  /** Takes and acknowledges all there is. */
  readonly takeAll: () => Promise<string[]>;
}

describe.runIf(hasProgram("redis-server"))("queues in Redis", () => {
  let redis: TestServer;
  let proxy: TestProxy;
  let count = 0;

  beforeAll(async () => {
    redis = await startRedis({ settings: { appendonly: "yes", appendfsync: "always" } });
    proxy = await startProxy(redis);
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await redis.stop();
  });

  async function withQueue(
    limits: Partial<ActorLimits>,
    use: (tested: Tested) => Promise<void>,
  ): Promise<void> {
    const queue = `faults-${++count}`;
    const actor = new ServiceActor<QueueBackend>("redis", {
      now: () => performance.now(),
      onHealth: () => undefined,
      onPanic: (error) => {
        throw error;
      },
    });
    const config = redisConfig({ port: proxy.port, pool_size: 2 });
    actor.start({
      limits: { concurrency: 4, queue: 20, timeoutMs: 20_000, ...limits },
      open: (signal) => openRedisQueue(config, { signal }),
    });
    const ask = <T>(work: (queues: QueueBackend, signal: AbortSignal) => Promise<T>): Promise<T> =>
      actor.run(work, { caller: "endpoint", signal: new AbortController().signal });
    const takeAll = async (): Promise<string[]> => {
      const texts: string[] = [];
      for (;;) {
        const batch: QueueBatch | null = await ask((queues, signal) =>
          queues.take(queue, TAKE, signal),
        );
        if (batch === null) return texts;
        const { lease, messages } = batch;
        texts.push(...messages.map(({ body }) => Buffer.from(body).toString()));
        const acked = messages.map(({ receipt }) => receipt);
        const settlement = { lease, acked, retried: [], dead: [], deadLetterQueue: null };
        await ask((queues, signal) => queues.settle(queue, settlement, signal));
      }
    };
    const push = (text: string): Promise<void> =>
      ask((queues, signal) => queues.push(queue, [message(text)], signal));
    const untilPushed = (text: string): Promise<void> =>
      waitFor(() =>
        push(text).then(
          () => true,
          () => false,
        ),
      );
    try {
      await use({ actor, push, untilPushed, takeAll });
    } finally {
      proxy.heal();
      await actor.stop();
    }
    await waitFor(async () => proxy.connections === 0);
  }

  async function failure(work: Promise<unknown>): Promise<string> {
    const error = await work.then(
      () => null,
      (reason: unknown) => reason,
    );
    return error instanceof EdgeError ? error.code : `no EdgeError: ${String(error)}`;
  }

  test("a call whose connection is reset fails at once or was done; the next ones work", async () => {
    await withQueue({}, async ({ push, untilPushed, takeAll }) => {
      await push("first");
      const acknowledged = ["first"];
      const pushed = ["first"];
      for (let step = 1; step <= 6; step++) {
        if (step % 2 === 0) proxy.cutAtRequest(Math.ceil(step / 2));
        else proxy.cutAfterReplyBytes(step);
        for (let at = 0; at < 3; at++) {
          const text = `${step}-${at}`;
          pushed.push(text);
          const code = await push(text).then(
            () => null,
            (error: unknown) => (error as EdgeError).code,
          );
          if (code === null) acknowledged.push(text);
          else expect(REACHED).toContain(code);
        }
        proxy.heal();
        await untilPushed("probe");
      }
      const found = await takeAll();
      expect(found).toEqual(expect.arrayContaining(acknowledged));
      expect(new Set(pushed)).toEqual(
        new Set([...pushed, ...found.filter((text) => text !== "probe")]),
      );
    });
  });

  test("a server that is away is told at once; one that hangs by the time a call may take", async () => {
    await withQueue({ timeoutMs: 1_000 }, async ({ actor, push, untilPushed, takeAll }) => {
      // A busy machine may need longer for it than a call has.
      await untilPushed("before");
      proxy.refuse();
      expect(REACHED).toContain(await failure(push("away")));
      proxy.heal();
      await untilPushed("between");
      proxy.blackhole();
      expect(await failure(push("hangs"))).toBe("SERVICE_TIMEOUT");
      proxy.heal();
      await untilPushed("after");
      // Of the pool's connections each one may learn only now that it is cut.
      await untilPushed("again");
      await untilPushed("again");
      expect(await takeAll()).toEqual(expect.arrayContaining(["before", "between", "after"]));
      expect(actor.stats()).toMatchObject({ running: 0, waiting: 0, health: { ok: true } });
    });
  });

  test("a server killed and started again has every message that was acknowledged", async () => {
    await withQueue({}, async ({ push, takeAll }) => {
      const acknowledged: string[] = [];
      let isOver = false;
      const load = (async () => {
        for (let at = 0; !isOver; at++) {
          await push(`${at}`).then(
            () => acknowledged.push(`${at}`),
            () => new Promise((resolve) => setImmediate(resolve)),
          );
        }
      })();
      await waitFor(async () => acknowledged.length > 20);
      await redis.restart();
      const before = acknowledged.length;
      await waitFor(async () => acknowledged.length > before + 20);
      isOver = true;
      await load;
      const found = await takeAll();
      expect(acknowledged.filter((text) => !found.includes(text))).toEqual([]);
    });
  });

  test("more calls than may wait are refused, and those that wait are served", async () => {
    await withQueue({ concurrency: 2, queue: 4 }, async ({ push, takeAll }) => {
      await push("warm");
      proxy.slow(50);
      const ends = await Promise.allSettled(Array.from({ length: 10 }, (_, at) => push(`${at}`)));
      const refused = ends.filter(({ status }) => status === "rejected");
      expect(refused).toHaveLength(6);
      for (const end of refused)
        expect(end).toMatchObject({ reason: { code: "SERVICE_OVERLOADED" } });
      proxy.heal();
      expect(await takeAll()).toHaveLength(5);
    });
  });
});
