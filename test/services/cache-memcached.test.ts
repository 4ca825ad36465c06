import { describe, expect, test } from "vitest";
import { openMemcached } from "../../services/cache/memcached-cache.ts";
import { DEFAULT_TTL_SECONDS, describeCacheContract } from "../contracts/cache.ts";
import { hasProgram } from "../servers/install.ts";
import { startMemcached } from "../servers/memcached.ts";

const FOREVER = new AbortController().signal;

async function openOn(count: number) {
  const servers = await Promise.all(Array.from({ length: count }, () => startMemcached()));
  const backend = await openMemcached(
    {
      servers: servers.map(({ address }) => address),
      pool_size: 2,
      timeout_ms: 5_000,
      default_ttl_secs: DEFAULT_TTL_SECONDS,
    },
    FOREVER,
  );
  return {
    backend,
    servers,
    async close() {
      await backend.close();
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

describe.runIf(hasProgram("memcached"))("on Memcached", () => {
  describeCacheContract("cache in Memcached", () => openOn(2), {
    largest: 700_000,
    shortMs: 1_000,
  });

  test("a value larger than an item is refused, and the connection goes on", async () => {
    const opened = await openOn(1);
    const { backend } = opened;
    const set = (size: number) =>
      backend.set(
        "s",
        { key: "k", value: Buffer.alloc(size, "a"), ttlMs: null, onlyIfAbsent: false },
        FOREVER,
      );
    expect(await set(1_000_000)).toBe(true);
    await expect(set(1_100_000)).rejects.toMatchObject({ code: "SERVICE_TOO_LARGE" });
    expect(await set(10)).toBe(true);
    await opened.close();
  });
});
