// Open requests that several nodes count in one Redis: two gateways as two nodes have them, a node that dies, and what
// becomes of requests while the store is away.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RedisPlaces } from "../../services/ratelimit/redis-open.ts";
import { createRedis, type RedisClient, type Reply } from "../../services/redis.ts";
import { hasProgram } from "../servers/install.ts";
import type { TestServer } from "../servers/process.ts";
import { startRedis } from "../servers/redis.ts";
import { redisConfig } from "../services/redis-config.ts";
import { until } from "../waiting.ts";
import { openFront, type Front } from "./front.ts";
import { freePort, openPeer, type Peer } from "./peer.ts";

const PASSWORD = "a secret/";
const OPEN = AbortSignal.timeout(600_000);

function openNode(peer: Peer, port: number, onFailure: string): Promise<Front> {
  const url = `redis://:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/0`;
  return openFront(
    `
stores: { shared: { url: "\${REDIS}", timeout: 10s, onFailure: ${onFailure} } }
upstreams: { a: { servers: ["${peer.url}"], retry: false, breaker: false } }
routes:
  - { name: all, match: { path: "/*" }, target: { upstream: a }, policies: [ concurrency: { max: 2, store: shared } ] }
`,
    { variables: { REDIS: url } },
  );
}

async function ask(front: Front): Promise<number> {
  return (await front.get("/status/200")).status;
}

describe.runIf(hasProgram("redis-server"))("concurrency in Redis", () => {
  let server: TestServer;
  let redis: RedisClient;
  beforeAll(async () => {
    server = await startRedis({ password: PASSWORD });
    redis = createRedis(redisConfig({ port: server.port, password: PASSWORD }));
  });
  afterAll(async () => {
    await redis?.close();
    await server?.stop();
  });

  test("is one for all nodes, and places that clients leave come back", async () => {
    await using peer = await openPeer();
    await using one = await openNode(peer, server.port, "closed");
    await using two = await openNode(peer, server.port, "closed");
    const held = [one, two].map((front) => {
      const abort = new AbortController();
      front.get("/hang", { signal: abort.signal }).catch(() => "gone");
      return abort;
    });
    await until("two are open", () => peer.seen.length === 2);
    const refused = await one.get("/status/200");
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
    expect(await ask(two)).toBe(429);
    held[0]?.abort();
    await until("a place is free", async () => (await ask(two)) === 200);
    held[1]?.abort();
    await until("nothing is held", async () => (await count()) === 0);
  });

  const keys = async (): Promise<readonly Reply[]> => {
    const reply = await redis.send("KEYS", ["edge:open:*"], OPEN);
    return reply instanceof Array ? reply : [];
  };

  const count = async (): Promise<number> => (await keys()).length;

  /** By the server's clock. */
  const leaseEndMs = async (): Promise<number> => {
    const [key] = await keys();
    if (!(key instanceof Buffer)) return 0;
    return Number(await redis.send("PEXPIRETIME", [key], OPEN));
  };

  test("what a node that died held is free after its lease, what a living one holds is not", async () => {
    const options = { timeoutMs: 10_000, leaseMs: 2_000 };
    const dead = new RedisPlaces(redis, options);
    const alive = new RedisPlaces(redis, options);
    expect(await dead.hold("k", 1)).not.toBeNull();
    expect(await alive.hold("k", 1)).toBeNull();
    dead.close();
    let place: (() => void) | null = null;
    await until("the lease is over", async () => {
      place = await alive.hold("k", 1);
      return place !== null;
    });
    const first = await leaseEndMs();
    await until("it is renewed", async () => (await leaseEndMs()) > first);
    expect(await new RedisPlaces(redis, options).hold("k", 1)).toBeNull();
    (place as (() => void) | null)?.();
    await until("it is free", async () => (await count()) === 0);
    alive.close();
  });

  test.each([
    ["open", [200, 200]],
    ["local", [200, 200]],
    ["closed", [503, 503]],
  ])("a store that is away is %s", async (onFailure, expected) => {
    await using peer = await openPeer();
    await using front = await openNode(peer, await freePort(), onFailure);
    expect([await ask(front), await ask(front)]).toEqual(expected);
    const held = new AbortController();
    for (let i = 0; i < 2; i++) front.get("/hang", { signal: held.signal }).catch(() => "gone");
    if (onFailure !== "closed") {
      await until("two are open", () => peer.seen.length === 4);
      expect(await ask(front)).toBe(onFailure === "open" ? 200 : 429);
    }
    held.abort();
  });
});
