// What every backend of caches does: the cases run on each.

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { CacheBackend, CacheSet } from "../../sdk/services/cache.ts";
import { waitFor } from "../servers/process.ts";

const FOREVER = new AbortController().signal;
/** As every harness configures it. */
export const DEFAULT_TTL_SECONDS = 100;

export interface CacheHarness {
  readonly backend: CacheBackend;
  close(): Promise<void>;
}

export function describeCacheContract(
  name: string,
  open: () => Promise<CacheHarness>,
  {
    largest = 2_000_000,
    shortMs = 60,
  }: { readonly largest?: number; readonly shortMs?: number } = {},
): void {
  describe(name, () => {
    let harness: CacheHarness;
    let cache: CacheBackend;
    let scope = "";
    beforeAll(async () => {
      harness = await open();
      cache = harness.backend;
    });
    beforeEach(() => {
      scope = randomUUID();
    });
    afterAll(() => harness.close());

    const set = (key: string, value: string | Uint8Array, more: Partial<CacheSet> = {}) =>
      cache.set(
        scope,
        { key, value: Buffer.from(value), ttlMs: null, onlyIfAbsent: false, ...more },
        FOREVER,
      );
    /** By both ways: what is answered at once is what is answered later. */
    const get = async (key: string) => {
      const found = await cache.get(scope, [key], FOREVER);
      const atOnce = cache.getNow?.(scope, [key], false) ?? null;
      // An entry may end between the two.
      if (atOnce !== null)
        expect([found, await cache.get(scope, [key], FOREVER)]).toContainEqual(atOnce);
      return found[0] ?? null;
    };
    const text = async (key: string) => {
      const value = await get(key);
      return value === null ? null : Buffer.from(value).toString();
    };
    const add = (key: string, amount: number) => cache.add(scope, { key, amount }, FOREVER);
    const ttl = (key: string) => cache.ttlMs(scope, key, FOREVER);

    test("a value is read as it was set, whatever its bytes", async () => {
      for (const value of ["", "text \u{1f600}\r\n", "12", "-3", "VALUE x 0 3\r\nEND\r\n"]) {
        expect(await set("a", value)).toBe(true);
        expect(await text("a")).toBe(value);
      }
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, at) => at));
      await set("a", bytes);
      expect(Buffer.from((await get("a")) ?? [])).toEqual(bytes);
    });

    test("keys of any characters are one entry each, and scopes do not see each other", async () => {
      const keys = ["a b", "a\nb", "é", "k".repeat(1_000), "a:b", "a%3Ab", "{a}", "\u0000"];
      await Promise.all(keys.map((key) => set(key, key)));
      const found = await cache.get(scope, keys, FOREVER);
      expect(found.map((value) => value && Buffer.from(value).toString())).toEqual(keys);
      await cache.set(
        `${scope}:a`,
        { key: "b", value: Buffer.from("other"), ttlMs: null, onlyIfAbsent: false },
        FOREVER,
      );
      expect(await text("a:b")).toBe("a:b");
    });

    test("several are read in their order, null for those that are not there", async () => {
      await Promise.all([set("a", "1"), set("b", "2")]);
      const found = await cache.get(scope, ["b", "x", "a", "b"], FOREVER);
      expect(found.map((value) => value && Buffer.from(value).toString())).toEqual([
        "2",
        null,
        "1",
        "2",
      ]);
    });

    test("a large value comes back whole", async () => {
      const large = Buffer.alloc(largest, "abcdefg");
      await set("large", large);
      expect(large.equals((await get("large")) ?? Buffer.alloc(0))).toBe(true);
      await set("large", "small");
      expect(await text("large")).toBe("small");
    });

    test("delete says how many were there", async () => {
      await Promise.all([set("a", "1"), set("b", "2")]);
      expect(await cache.delete(scope, ["a", "x", "b"], FOREVER)).toBe(2);
      expect(await cache.delete(scope, ["a"], FOREVER)).toBe(0);
      expect(await get("a")).toBe(null);
    });

    test("what has no end of its own has the default one", async () => {
      await set("a", "1");
      await set("b", "1", { ttlMs: 7_000 });
      await add("n", 1);
      for (const [key, seconds] of [
        ["a", DEFAULT_TTL_SECONDS],
        ["b", 7],
        ["n", DEFAULT_TTL_SECONDS],
      ] as const) {
        const left = (await ttl(key)) ?? 0;
        expect(left).toBeGreaterThan(1_000 * (seconds - 5));
        expect(left).toBeLessThanOrEqual(1_000 * (seconds + 1));
      }
      expect(await ttl("x")).toBe(null);
    });

    test("what has expired is not there, and may be set as absent", async () => {
      await set("a", "1", { ttlMs: shortMs });
      await waitFor(async () => (await get("a")) === null);
      expect(await ttl("a")).toBe(null);
      expect(await cache.delete(scope, ["a"], FOREVER)).toBe(0);
      expect(await set("a", "2", { onlyIfAbsent: true })).toBe(true);
    });

    test("expire gives another end, and says whether there was an entry", async () => {
      await set("a", "1");
      expect(await cache.expire(scope, { key: "a", ttlMs: 900_000 }, FOREVER)).toBe(true);
      expect((await ttl("a")) ?? 0).toBeGreaterThan(800_000);
      expect(await text("a")).toBe("1");
      expect(await cache.expire(scope, { key: "x", ttlMs: 900_000 }, FOREVER)).toBe(false);
      expect(await cache.expire(scope, { key: "a", ttlMs: shortMs }, FOREVER)).toBe(true);
      await waitFor(async () => (await get("a")) === null);
    });

    test("of many that set what is absent one does", async () => {
      const done = await Promise.all(
        Array.from({ length: 20 }, (_, at) => set("lock", `${at}`, { onlyIfAbsent: true })),
      );
      expect(done.filter(Boolean)).toHaveLength(1);
      expect(await text("lock")).toBe(String(done.indexOf(true)));
    });

    test("an entry is deleted only if it has the value", async () => {
      await set("lock", "mine");
      const deleteIf = (key: string, value: string) =>
        cache.deleteIf(scope, { key, value: Buffer.from(value) }, FOREVER);
      expect(await deleteIf("lock", "other")).toBe(false);
      expect(await deleteIf("x", "mine")).toBe(false);
      expect(await Promise.all([deleteIf("lock", "mine"), deleteIf("lock", "mine")])).toContain(
        true,
      );
      expect(await get("lock")).toBe(null);
    });

    test("counters go up and down past zero, lose no step, and keep their end", async () => {
      expect(await add("n", 5)).toBe(5);
      expect(await add("n", -8)).toBe(-3);
      expect(await text("n")).toBe("-3");
      expect(await add("n", 3)).toBe(0);
      await cache.expire(scope, { key: "n", ttlMs: 900_000 }, FOREVER);
      const sums = await Promise.all(Array.from({ length: 50 }, () => add("n", 1)));
      expect(new Set(sums).size).toBe(50);
      expect(await text("n")).toBe("50");
      expect((await ttl("n")) ?? 0).toBeGreaterThan(800_000);
      await set("n", "41");
      expect(await add("n", 1)).toBe(42);
      expect(await add("big", Number.MAX_SAFE_INTEGER - 1)).toBe(Number.MAX_SAFE_INTEGER - 1);
      expect(await add("big", 1)).toBe(Number.MAX_SAFE_INTEGER);
      await expect(add("big", 1)).rejects.toMatchObject({ code: "SERVICE_INPUT" });
      expect(await text("big")).toBe(String(Number.MAX_SAFE_INTEGER));
    });

    test.each(["ten", "1.5", "", " 1"])(
      "adding to %j is refused and changes nothing",
      async (value) => {
        await set("a", value);
        await expect(add("a", 1)).rejects.toMatchObject({ code: "SERVICE_INPUT" });
        expect(await text("a")).toBe(value);
      },
    );

    test("the probe says what answers", async () => {
      expect((await cache.probe(FOREVER)).version).not.toBe("");
    });
  });
}
