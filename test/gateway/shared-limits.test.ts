// Limits that several nodes count in one Redis: the script against the algorithms that it repeats, two gateways as two
// nodes have them, and what clients see while the store is away.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CELL, createLimiter } from "../../runtime/gateway/policies/limits/limiters.ts";
import { ALGORITHMS } from "../../sdk/gateway/policies.ts";
import { takeInRedis } from "../../services/ratelimit/redis.ts";
import { createRedis } from "../../services/redis.ts";
import { hasProgram } from "../servers/install.ts";
import type { TestServer } from "../servers/process.ts";
import { startProxy } from "../servers/proxy.ts";
import { startRedis } from "../servers/redis.ts";
import { redisConfig } from "../services/redis-config.ts";
import { until } from "../waiting.ts";
import { openFront, type Front } from "./front.ts";

const OPEN = AbortSignal.timeout(600_000);
const PASSWORD = "a secret/";

interface Stored {
  readonly port: number;
  readonly onFailure?: string;
  /** Long enough for any machine, but where a test waits for it. */
  readonly timeout?: string;
  readonly limit?: string;
}

function fileWith({ port, onFailure = "closed", timeout = "10s", limit }: Stored): string {
  return `
stores:
  shared: { url: "\${REDIS}", timeout: ${timeout}, onFailure: ${onFailure} }
routes:
  - name: all
    match: { path: "/*" }
    target: { respond: { body: "port ${port}" } }
    policies: [ rateLimit: { ${limit ?? "capacity: 3, refillPerSec: 0.001"}, key: header:x-key, store: shared } ]
`;
}

function openNode(stored: Stored): Promise<Front> {
  const url = `redis://:${encodeURIComponent(PASSWORD)}@127.0.0.1:${stored.port}/2`;
  return openFront(fileWith(stored), { variables: { REDIS: url } });
}

async function ask(front: Front, key: string): Promise<number> {
  return (await front.get("/", { headers: { "x-key": key } })).status;
}

describe.runIf(hasProgram("redis-server"))("a rate limit in Redis", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startRedis({ password: PASSWORD });
  });
  afterAll(() => server.stop());

  test.each(ALGORITHMS)(
    "%s decides as the node's own does, to the last digit",
    async (algorithm) => {
      const redis = createRedis(redisConfig({ port: server.port, password: PASSWORD }));
      let runs = 0;
      const pause = fc.oneof(
        fc.constant(0),
        fc.double({ min: 0, max: 5_000, noNaN: true }),
        fc.integer({ min: 0, max: 50_000 }),
      );
      await fc.assert(
        fc.asyncProperty(
          fc.array(pause, { maxLength: 40 }),
          fc.integer({ min: 0, max: 8 }),
          fc.double({ min: 0.01, max: 20, noNaN: true }),
          async (pauses, capacity, refillPerSec) => {
            const options = { algorithm, capacity, refillPerSec, windowMs: 10_000 };
            const key = `${algorithm} ${runs++}`;
            const decide = createLimiter(options);
            const cell = new Float64Array(CELL);
            let fresh = true;
            let now = 1_764_000_000_000.125;
            for (const passed of pauses) {
              now += passed;
              const expected = decide(cell, 0, fresh, now);
              const decision = await takeInRedis(redis, { key, ...options, now }, OPEN);
              expect(decision).toEqual(expected);
              if (expected.allowed) fresh = false;
            }
          },
        ),
        { numRuns: 30 },
      );
      await redis.close();
    },
  );

  test("is one for all nodes, tells what is left, and forgets keys by itself", async () => {
    await using one = await openNode({ port: server.port });
    await using other = await openNode({ port: server.port });
    const first = await one.get("/", { headers: { "x-key": "both" } });
    expect(first.headers.get("ratelimit-remaining")).toBe("2");
    expect(await ask(other, "both")).toBe(200);
    expect(await ask(one, "both")).toBe(200);
    const refused = await other.get("/", { headers: { "x-key": "both" } });
    expect([refused.status, refused.headers.get("ratelimit-remaining")]).toEqual([429, "0"]);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(900);
    expect(await ask(one, "both")).toBe(429);
    expect(await ask(one, "another")).toBe(200);
    const redis = createRedis(redisConfig({ port: server.port, password: PASSWORD, database: 2 }));
    const keys = (await redis.send("KEYS", ["*"], OPEN)) as Buffer[];
    expect(keys.map(String).join()).not.toContain("both");
    for (const key of keys) expect(await redis.send("PTTL", [key], OPEN)).toBeGreaterThan(0);
    await redis.close();
  });

  test("lets through exactly what it may, whichever node is asked at once", async () => {
    const limit = "algorithm: fixed-window, capacity: 40, window: 24h";
    await using one = await openNode({ port: server.port, limit });
    await using other = await openNode({ port: server.port, limit });
    const asked = Array.from({ length: 100 }, (_, index) => ask(index % 2 ? one : other, "rush"));
    const statuses = await Promise.all(asked);
    expect(statuses.filter((status) => status === 200)).toHaveLength(40);
    expect(statuses.filter((status) => status === 429)).toHaveLength(60);
  });

  test.each([
    ["open", [200, 200, 200, 200, 200]],
    ["closed", [503, 503, 503, 503, 503]],
    ["local", [200, 200, 200, 429, 429]],
  ])("without its store is %s, and counts there again when it is back", async (onFailure, seen) => {
    await using proxy = await startProxy(server);
    await using front = await openNode({ port: proxy.port, onFailure });
    const key = `away ${onFailure}`;
    expect(await ask(front, key)).toBe(200);
    proxy.refuse();
    const statuses: number[] = [];
    for (const _ of seen) statuses.push(await ask(front, key));
    expect(statuses).toEqual(seen);
    expect(front.lines.filter((line) => line.startsWith("Store shared is away"))).toHaveLength(1);
    expect(front.lines.join()).not.toContain("secret");
    proxy.heal();
    await until("the store answers", async () => {
      await ask(front, `${key}, looking`);
      return front.lines.includes("Store shared answers again.");
    });
    expect([await ask(front, key), await ask(front, key), await ask(front, key)]).toEqual([
      200, 200, 429,
    ]);
  });

  test("waits for a silent store no longer than it may, and says so", async () => {
    await using proxy = await startProxy(server);
    proxy.blackhole();
    await using front = await openNode({ port: proxy.port, timeout: "30ms" });
    const refused = await front.get("/", { headers: { "x-key": "silent" } });
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await refused.json()).toMatchObject({ code: "LIMIT_UNAVAILABLE" });
    expect([...front.gateway.counts.keys()].join()).toContain('decision="unavailable"');
    expect(front.access[0]?.outcome).toBe("LIMIT_UNAVAILABLE");
  });

  test("goes to another store when the configuration names one", async () => {
    await using dead = await startProxy({ port: 1 });
    await using front = await openNode({ port: dead.port, onFailure: "open" });
    expect(await ask(front, "moved")).toBe(200);
    front.configure(
      fileWith({ port: server.port }).replace(
        "${REDIS}",
        `redis://:${encodeURIComponent(PASSWORD)}@127.0.0.1:${server.port}`,
      ),
    );
    const counted = await front.get("/", { headers: { "x-key": "moved" } });
    expect(counted.headers.get("ratelimit-remaining")).toBe("2");
  });
});
