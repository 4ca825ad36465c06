import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CACHE_SCOPE_BYTES_MAX } from "../../sdk/services/cache.ts";
import { INLINE_BYTES_MAX, openLmdbCache } from "../../services/cache/lmdb.ts";
import { DEFAULT_TTL_SECONDS, describeCacheContract } from "../contracts/cache.ts";
import { waitFor } from "../servers/process.ts";
import { temporary } from "../temporary.ts";

const FOREVER = new AbortController().signal;

async function open(config: { entries?: number; bytes?: number } = {}) {
  const folder = temporary();
  const { entries = 10_000, bytes = CACHE_SCOPE_BYTES_MAX } = config;
  const backend = await openLmdbCache(
    { default_ttl_secs: DEFAULT_TTL_SECONDS, max_entries: entries },
    { places: { folder: folder.path }, bytesMax: bytes },
  );
  return {
    backend,
    values: join(folder.path, "cache/values"),
    set: (key: string, value: string | Uint8Array, scope = "s") =>
      backend.set(
        scope,
        { key, value: Buffer.from(value), ttlMs: null, onlyIfAbsent: false },
        FOREVER,
      ),
    async keys(keys: readonly string[], scope = "s") {
      const found = await backend.get(scope, keys, FOREVER);
      return keys.filter((_, at) => found[at] !== null);
    },
    async close() {
      await backend.close();
      folder[Symbol.dispose]();
    },
  };
}

describeCacheContract("cache in LMDB", open);

describe("a full cache in LMDB", () => {
  test("lets go of what was not read for longest, and of nothing before it is full", async () => {
    const cache = await open({ entries: 3 });
    for (const key of ["a", "b", "c"]) await cache.set(key, key);
    expect(await cache.keys(["a"])).toEqual(["a"]);
    await cache.set("d", "d");
    expect(await cache.keys(["a", "b", "c", "d"])).toEqual(["a", "c", "d"]);
    await cache.close();
  });

  test("remembers every reading since an entry got its place, also of one that was read before", async () => {
    const cache = await open({ entries: 3 });
    for (const key of ["a", "b", "c"]) await cache.set(key, key);
    expect(await cache.keys(["a"])).toEqual(["a"]);
    // It stays instead of "b", in another place.
    await cache.set("d", "d");
    expect(await cache.keys(["a"])).toEqual(["a"]);
    for (const key of ["e", "f", "g"]) await cache.set(key, key);
    expect(await cache.keys(["a", "e"])).toEqual(["a"]);
    await cache.close();
  });

  test("is full for its own scope only, and counts what is replaced once", async () => {
    const cache = await open({ entries: 2 });
    for (let at = 0; at < 5; at++) await cache.set("a", `${at}`);
    await cache.set("b", "b");
    await cache.set("x", "x", "other");
    expect(await cache.keys(["a", "b"])).toEqual(["a", "b"]);
    expect(await cache.keys(["x"], "other")).toEqual(["x"]);
    await cache.close();
  });

  test("is full by bytes too, files among them", async () => {
    const cache = await open({ bytes: 3 * INLINE_BYTES_MAX });
    const large = Buffer.alloc(INLINE_BYTES_MAX + 1);
    await cache.set("a", large);
    await cache.set("b", large);
    await cache.set("c", large);
    expect(await cache.keys(["a", "b", "c"])).toEqual(["b", "c"]);
    await waitFor(async () => readdirSync(cache.values).length === 2);
    await cache.backend.delete("s", ["b", "c"], FOREVER);
    await waitFor(async () => readdirSync(cache.values).length === 0);
    await cache.close();
  });
});

describe("a stored body", () => {
  const store = (
    cache: Awaited<ReturnType<typeof open>>,
    sizes: readonly number[],
    bytesMax = 1e9,
  ) =>
    cache.backend.streams?.store(
      "s",
      { key: "k", head: Buffer.from("head"), ttlMs: 9_000 },
      (async function* () {
        for (const size of sizes) yield Buffer.alloc(size, size % 251);
      })(),
      { bytesMax, signal: FOREVER },
    );

  test.each([[[]], [[10, 20]], [[INLINE_BYTES_MAX]], [[INLINE_BYTES_MAX, 1, 70_000]]])(
    "of pieces %j is read whole and in part, also when it is deleted meanwhile",
    async (sizes) => {
      const cache = await open();
      await store(cache, sizes);
      const stream = await cache.backend.streams?.open("s", "k");
      await cache.backend.delete("s", ["k"], FOREVER);
      const whole = Buffer.concat(sizes.map((size) => Buffer.alloc(size, size % 251)));
      expect(stream?.size).toBe(whole.byteLength);
      expect(String(stream?.head)).toBe("head");
      const read = async (from: number, to: number) =>
        Buffer.concat(await Array.fromAsync(stream?.read(from, to) ?? []));
      expect(whole.equals(await read(0, whole.byteLength))).toBe(true);
      const to = Math.min(whole.byteLength, 15);
      expect(whole.subarray(5, to).equals(await read(Math.min(5, to), to))).toBe(true);
      await stream?.close();
      await cache.close();
    },
  );

  test("that is too large is not stored, nor any file of it", async () => {
    const cache = await open();
    const size = 3 * INLINE_BYTES_MAX;
    await store(cache, [INLINE_BYTES_MAX, INLINE_BYTES_MAX, INLINE_BYTES_MAX], size);
    await expect(store(cache, [size, 1], size)).rejects.toMatchObject({
      code: "SERVICE_TOO_LARGE",
    });
    expect(readdirSync(cache.values)).toHaveLength(1);
    await cache.close();
  });
});
