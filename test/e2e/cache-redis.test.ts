// The examples with a cache, on Redis as they run on the embedded one.

import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkCacheAside, checkRateLimiter, checkSessions } from "../docs/cache-examples.ts";
import { startNode } from "../node.ts";
import { temporary } from "../temporary.ts";
import { hasProgram } from "../servers/install.ts";
import { startRedis } from "../servers/redis.ts";

const EXAMPLES: string = join(import.meta.dirname, "../../examples");
const CHECKS = {
  "cache-aside": checkCacheAside,
  sessions: checkSessions,
  "redis-rate-limiter": checkRateLimiter,
};

test.runIf(hasProgram("redis-server"))("the examples with a cache work on Redis", async () => {
  await using redis = await startRedis({ password: "secret" });
  await using node = await startNode({ workers: 2 });
  const { host, port } = redis;
  const config = { host, port, password: "secret" };
  const made = await node.api("POST", "/api/services", {
    name: "shared",
    service_type: "redis",
    config,
  });
  expect(made.ok).toBe(true);
  expect((await node.api("POST", "/api/services/shared/activate")).ok).toBe(true);
  expect((await node.api("POST", "/api/services/shared/test")).data).toMatchObject({
    connected: true,
    info: expect.stringMatching(/^Redis \d+/),
  });
  for (const [name, check] of Object.entries(CHECKS)) {
    using folder = temporary();
    cpSync(join(EXAMPLES, name), folder.path, { recursive: true });
    const manifest = join(folder.path, "edge.jsonc");
    const bound = '"kind": "cache", "service": "shared"';
    writeFileSync(manifest, readFileSync(manifest, "utf8").replace('"kind": "cache"', bound));
    const { code, stderr } = await node.edge("publish", folder.path);
    expect(`${code} ${stderr}`).toMatch(/^0 /);
    await check(node);
  }
});
