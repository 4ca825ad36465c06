// What happens to the network and to the servers of caches, and what handlers' calls see of it: a clear code in time,
// other callers untouched, recovery without a restart, nothing done twice, no connection left over.

import { afterEach, beforeAll, beforeEach, afterAll, describe, expect, test } from "vitest";
import type { CacheBackend } from "../../sdk/services/cache.ts";
import { ServiceActor, type Health } from "../../services/actor.ts";
import { openMemcached } from "../../services/cache/memcached-cache.ts";
import { openRedisCache } from "../../services/cache/redis.ts";
import { hasProgram } from "../servers/install.ts";
import { startMemcached } from "../servers/memcached.ts";
import { freePort, waitFor, type TestServer } from "../servers/process.ts";
import { startProxy, type TestProxy } from "../servers/proxy.ts";
import { startRedis } from "../servers/redis.ts";
import { redisConfig } from "../services/redis-config.ts";

/** A call's time where it is to run out, and where a busy machine must not let it. */
const SHORT_MS = 300;
const LONG_MS = 30_000;
const CONNECTIONS = 2;
const QUEUE = 4;
const AWAY = { code: expect.stringMatching(/^SERVICE_(UNAVAILABLE|TIMEOUT)$/) };

interface Kind {
  readonly name: string;
  readonly isThere: boolean;
  start(): Promise<TestServer>;
  open(port: number, timeoutMs: number, signal: AbortSignal): Promise<CacheBackend>;
}

const KINDS: readonly Kind[] = [
  {
    name: "Redis",
    isThere: hasProgram("redis-server"),
    start: () => startRedis(),
    open: (port, _timeoutMs, signal) =>
      openRedisCache(redisConfig({ port, pool_size: CONNECTIONS }), signal),
  },
  {
    name: "Memcached",
    isThere: hasProgram("memcached"),
    start: () => startMemcached(),
    open: (port, timeoutMs, signal) =>
      openMemcached(
        {
          servers: [`127.0.0.1:${port}`],
          pool_size: CONNECTIONS,
          timeout_ms: timeoutMs,
          default_ttl_secs: 100,
        },
        signal,
      ),
  },
];

class Service implements AsyncDisposable {
  readonly actor: ServiceActor<CacheBackend>;
  readonly health: Health[] = [];

  constructor(kind: Kind, port: number, timeoutMs = LONG_MS) {
    this.actor = new ServiceActor<CacheBackend>("main", {
      now: () => performance.now(),
      onHealth: (health) => this.health.push(health),
      onPanic: (error) => expect.fail(String(error)),
    });
    this.actor.start({
      limits: { concurrency: CONNECTIONS, queue: QUEUE, timeoutMs },
      open: (signal) => kind.open(port, timeoutMs, signal),
    });
  }

  incr(caller = "shop", signal = new AbortController().signal): Promise<number> {
    return this.actor.run((cache, each) => cache.add("s", { key: "n", amount: 1 }, each), {
      caller,
      signal,
    });
  }

  async get(key = "n"): Promise<string | null> {
    const [value] = await this.actor.run((cache, each) => cache.get("s", [key], each), {
      caller: "shop",
      signal: new AbortController().signal,
    });
    return value === null || value === undefined ? null : Buffer.from(value).toString();
  }

  /** Resolves when a call succeeds again: nobody restarts anything. */
  async recovers(): Promise<void> {
    await waitFor(() =>
      this.get().then(
        () => true,
        () => false,
      ),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.actor.stop();
  }
}

/** Whose calls run out of time soon; there is a value, and it has a connection. */
async function impatient(kind: Kind, port: number): Promise<Service> {
  await using patient = new Service(kind, port);
  expect(await patient.incr()).toBe(1);
  const service = new Service(kind, port, SHORT_MS);
  await service.recovers();
  return service;
}

describe.each(KINDS)("a cache service on $name", (kind) => {
  if (!kind.isThere) return;
  let server: TestServer;
  let proxy: TestProxy;
  beforeAll(async () => {
    server = await kind.start();
  });
  beforeEach(async () => {
    await server.restart();
    proxy = await startProxy(server);
  });
  afterEach(() => proxy[Symbol.asyncDispose]());
  afterAll(() => server.stop());

  test("that is killed under load fails its calls at once, and works again when it is back", async () => {
    await using service = new Service(kind, server.port);
    expect(await service.incr()).toBe(1);
    const load = Promise.allSettled(Array.from({ length: QUEUE / 2 }, () => service.incr()));
    await server.kill();
    for (const each of await load) {
      if (each.status === "rejected") expect(each.reason).toMatchObject(AWAY);
    }
    await expect(service.incr()).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
    expect(service.health.at(-1)).toMatchObject({ ok: false, code: "SERVICE_UNAVAILABLE" });
    await server.start();
    await service.recovers();
    expect(service.health.at(-1)).toMatchObject({ ok: true });
  });

  test("that hangs times its calls out, and answers what comes when it goes on", async () => {
    await using service = await impatient(kind, server.port);
    server.pause();
    const calls = await Promise.allSettled(Array.from({ length: QUEUE }, () => service.get()));
    for (const each of calls) expect(each).toMatchObject({ status: "rejected", reason: AWAY });
    server.resume();
    await waitFor(async () => (await service.get().catch(() => null)) === "1");
  });

  test("that hangs keeps nothing of calls that are wanted no more", async () => {
    await using service = new Service(kind, server.port);
    await service.incr();
    server.pause();
    for (let round = 0; round < 3; round++) {
      const controller = new AbortController();
      const { signal } = controller;
      const calls = Array.from({ length: QUEUE / 2 }, () => service.incr("shop", signal));
      const settled = Promise.allSettled(calls);
      controller.abort();
      for (const each of await settled) {
        expect(each).toMatchObject({ reason: { code: "CANCELLED" } });
      }
      await waitFor(async () => service.actor.stats().running === 0);
    }
    server.resume();
    await service.recovers();
  });

  test("over a slow network answers everything, later", async () => {
    await using service = new Service(kind, proxy.port);
    proxy.slow(30);
    const sums = await Promise.all(Array.from({ length: QUEUE }, () => service.incr()));
    expect(sums.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4]);
  });

  test("behind a network that swallows everything times out, and recovers", async () => {
    await using service = await impatient(kind, proxy.port);
    proxy.blackhole();
    await expect(service.get()).rejects.toMatchObject(AWAY);
    proxy.heal();
    // Each connection of the pool learns for itself that it was lost.
    await waitFor(async () => (await service.get().catch(() => null)) === "1");
  });

  test("whose reply is cut at any byte never gives a wrong one", async () => {
    await using service = new Service(kind, proxy.port);
    await service.incr();
    for (let bytes = 0; bytes < 8; bytes++) {
      proxy.cutAfterReplyBytes(bytes);
      const before = await service.get().catch((error: unknown) => error);
      if (before !== "1") expect(before).toMatchObject({ code: "SERVICE_UNAVAILABLE" });
      proxy.heal();
      await service.recovers();
      expect(await service.get()).toBe("1");
    }
  });

  test("whose n-th call fails, for every n, fails that one and does nothing twice", async () => {
    for (let n = 1; n <= 4; n++) {
      await using service = new Service(kind, proxy.port);
      const start = Number((await service.get()) ?? 0);
      proxy.cutAtRequest(n);
      let done = 0;
      let failed = 0;
      for (let call = 0; call < 5; call++) {
        try {
          await service.incr();
          done++;
        } catch (error) {
          expect(error).toMatchObject({ code: "SERVICE_UNAVAILABLE" });
          failed++;
          await service.recovers();
        }
      }
      expect(failed).toBe(1);
      expect(Number(await service.get())).toBe(start + done);
    }
  });

  test("refuses what is beyond its queue, and lets others have their turn", async () => {
    await using service = new Service(kind, server.port);
    await service.incr();
    server.pause();
    const all = CONNECTIONS + QUEUE;
    const flood = Array.from({ length: 2 * all }, () => service.incr("flood"));
    const settled = Promise.allSettled(flood);
    const other = service.incr("other");
    server.resume();
    const results = await settled;
    const refused = results.filter((each) => each.status === "rejected");
    expect(refused).toHaveLength(2 * all - CONNECTIONS - QUEUE / 2);
    for (const each of refused) expect(each.reason).toMatchObject({ code: "SERVICE_OVERLOADED" });
    expect(await other).toBeGreaterThan(1);
  });

  test("leaves no connection when it stops, nor when it could not be opened", async () => {
    const service = new Service(kind, proxy.port);
    await Promise.all([service.incr(), service.incr()]);
    expect(proxy.connections).toBeGreaterThan(0);
    await service.actor.stop();
    await waitFor(async () => proxy.connections === 0);
    await using nowhere = new Service(kind, await freePort());
    await expect(nowhere.incr()).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
  });
});

describe.runIf(hasProgram("redis-server"))("Redis with a password", () => {
  test("that is wrong, or missing, is refused without saying it", async () => {
    await using server = await startRedis({ password: "right" });
    for (const password of [{ password: "wrong-one" }, {}]) {
      const opening = openRedisCache(
        redisConfig({ port: server.port, ...password }),
        AbortSignal.timeout(LONG_MS),
      );
      const error: unknown = await opening.catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: "SERVICE_REFUSED" });
      expect(String(error)).not.toContain("wrong-one");
    }
  });
});
