import { describe } from "vitest";
import { openRedisCache } from "../../services/cache/redis.ts";
import { DEFAULT_TTL_SECONDS, describeCacheContract } from "../contracts/cache.ts";
import { hasProgram } from "../servers/install.ts";
import { startRedis } from "../servers/redis.ts";
import { redisConfig } from "./redis-config.ts";

describe.runIf(hasProgram("redis-server"))("on Redis", () => {
  describeCacheContract("cache in Redis", async () => {
    const server = await startRedis();
    const config = redisConfig({ port: server.port, default_ttl_secs: DEFAULT_TTL_SECONDS });
    const backend = await openRedisCache(config, AbortSignal.timeout(60_000));
    return {
      backend,
      async close() {
        await backend.close();
        await server.stop();
      },
    };
  });
});
