// Redis as a cluster, and behind sentinels that replace a lost primary: the same backends find their way.

import { describe, expect, test } from "vitest";
import { openRedisCache } from "../../services/cache/redis.ts";
import { openRedisKv } from "../../services/kv/redis.ts";
import { describeKvContract, kvPut } from "../contracts/kv.ts";
import { describeCacheContract, DEFAULT_TTL_SECONDS } from "../contracts/cache.ts";
import { hasProgram } from "../servers/install.ts";
import { waitFor } from "../servers/process.ts";
import { startRedisCluster, startRedisSentinels, type RedisGroup } from "../servers/redis.ts";
import { redisConfig } from "../services/redis-config.ts";

const FOREVER = new AbortController().signal;

function clusterConfig({ servers }: RedisGroup) {
  const cluster = servers.slice(0, 2).map(({ address }) => address);
  return redisConfig({ cluster, default_ttl_secs: DEFAULT_TTL_SECONDS });
}

async function inCluster<T extends { close(): Promise<void> }>(
  open: (config: ReturnType<typeof redisConfig>, signal: AbortSignal) => Promise<T>,
) {
  const group = await startRedisCluster();
  const backend = await open(clusterConfig(group), FOREVER);
  return {
    backend,
    async close() {
      await backend.close();
      await group[Symbol.asyncDispose]();
    },
  };
}

describe.runIf(hasProgram("redis-server"))("Redis Cluster", () => {
  describeKvContract("KV in a cluster", () => inCluster(openRedisKv));
  describeCacheContract("cache in a cluster", () => inCluster(openRedisCache));
});

describe.runIf(hasProgram("redis-server"))("Redis behind sentinels", () => {
  test("goes on with the replica when the primary is lost, without a restart", async () => {
    await using group = await startRedisSentinels();
    const { primary, replica, sentinels, master } = group;
    const config = redisConfig({
      sentinels: sentinels.map(({ address }) => address),
      sentinel_master: master,
    });
    const kv = await openRedisKv(config, FOREVER);
    await kv.put("n", kvPut("a", "before"), FOREVER);
    // Replication is not waited for by Redis itself.
    const copy = await openRedisKv(redisConfig({ port: replica.port }), FOREVER);
    const isThere = async () => (await copy.get("n", ["a"], FOREVER))[0] !== null;
    await waitFor(isThere);
    await copy.close();
    await primary.kill();
    await expect(kv.get("n", ["a"], FOREVER)).rejects.toMatchObject({
      code: "SERVICE_UNAVAILABLE",
    });
    await waitFor(() =>
      kv.put("n", kvPut("b", "after"), FOREVER).then(
        () => true,
        () => false,
      ),
    );
    const found = await kv.get("n", ["a", "b"], FOREVER);
    expect(found.map((entry) => entry && String(entry.value))).toEqual(["before", "after"]);
    await kv.close();
  });
});
