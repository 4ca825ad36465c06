import { describe } from "vitest";
import { openRedisKv } from "../../services/kv/redis.ts";
import { describeKvContract } from "../contracts/kv.ts";
import { hasProgram } from "../servers/install.ts";
import { startRedis, startTlsRedis } from "../servers/redis.ts";
import { redisConfig } from "./redis-config.ts";

const OPEN = AbortSignal.timeout(60_000);

describe.runIf(hasProgram("redis-server"))("on Redis", () => {
  describeKvContract("KV in Redis", async () => {
    const server = await startRedis({ password: "a secret" });
    const { port } = server;
    const backend = await openRedisKv(
      redisConfig({ port, password: "a secret", database: 3 }),
      OPEN,
    );
    return {
      backend,
      async close() {
        await backend.close();
        await server.stop();
      },
    };
  });
});

describe.runIf(hasProgram("redis-server") && hasProgram("openssl"))("over TLS", () => {
  describeKvContract("KV in Redis over TLS", async () => {
    const { server, ca } = await startTlsRedis();
    const config = redisConfig({ port: server.port, use_tls: true, tls_ca: ca });
    const backend = await openRedisKv(config, OPEN);
    return {
      backend,
      async close() {
        await backend.close();
        await server.stop();
      },
    };
  });
});
