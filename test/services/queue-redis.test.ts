import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openRedisQueue } from "../../services/queue/redis.ts";
import { describeQueueContract, message } from "../contracts/queue.ts";
import { hasProgram } from "../servers/install.ts";
import type { TestServer } from "../servers/process.ts";
import { startRedis, startRedisCluster, type RedisGroup } from "../servers/redis.ts";
import { redisConfig } from "./redis-config.ts";

const FOREVER = new AbortController().signal;

describe.runIf(hasProgram("redis-server"))("Redis", () => {
  let redis: TestServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  describeQueueContract("queues in Redis Streams", async () => {
    const backend = await openRedisQueue(redisConfig({ port: redis.port }), { signal: FOREVER });
    return { backend, close: () => backend.close() };
  });

  describe("a cluster", () => {
    let cluster: RedisGroup;
    afterAll(() => cluster[Symbol.asyncDispose]());

    describeQueueContract("queues in Redis Streams", async () => {
      cluster = await startRedisCluster();
      const addresses = cluster.servers.map(({ address }) => address);
      const config = redisConfig({ cluster: addresses });
      const backend = await openRedisQueue(config, { signal: FOREVER });
      return { backend, close: () => backend.close() };
    });
  });

  test("a queue takes messages up to its limits, all of a call or none", async () => {
    const limits = { backlogMax: 3, backlogBytesMax: 10 };
    const queues = await openRedisQueue(redisConfig({ port: redis.port }), {
      signal: FOREVER,
      ...limits,
    });
    const full = { code: "SERVICE_OVERLOADED" };
    const push = (queue: string, ...texts: string[]): Promise<void> =>
      queues.push(
        queue,
        texts.map((text) => message(text)),
        FOREVER,
      );
    await push("count", "a");
    await expect(push("count", "b", "c", "d")).rejects.toMatchObject(full);
    await push("count", "b", "c");
    await expect(push("count", "d")).rejects.toMatchObject(full);
    await push("bytes", "123456789");
    await expect(push("bytes", "12")).rejects.toMatchObject(full);
    await push("bytes", "1");
    expect(await queues.depth("bytes", FOREVER)).toMatchObject({ messages: 2, bytes: 10 });
    await queues.close();
  });
});
