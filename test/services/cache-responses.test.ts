// Stored responses over the calls of the Cache API, on the embedded cache that two workers share.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CACHE_BODIES_MAX, CACHE_URL_BYTES_MAX } from "../../sdk/services/cache.ts";
import { STREAM, type Value } from "../../sdk/services/values.ts";
import type { OpenAnswer } from "../../runtime/guest/services/client.ts";
import { EAGER_BYTES_MAX } from "../../services/cache/responses.ts";
import {
  createCacheStage,
  forget,
  match,
  packed,
  store,
  type CacheStage,
  type Headers,
} from "./cache-stage.ts";
import { NaiveCache, randomResponse, randomOf } from "./naive-cache.ts";

let stage: CacheStage;
beforeAll(() => {
  stage = createCacheStage(2);
});
afterAll(() => stage[Symbol.asyncDispose]());

let address = 0;
const fresh = (): string => `https://x.test/${address++}`;

test("two workers answer as a naive cache does, whatever headers say and time passes", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = randomOf(seed);
    const naive = new NaiveCache();
    const clients = [0, 1].map((worker) => stage.client(worker, `naive-${seed}`));
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
    for (let step = 0; step < 80; step++) {
      const client = pick(clients);
      const url = pick(["https://a.test/", "https://a.test/?", "https://b.test/"]);
      const headers: Record<string, string> = {};
      if (random() < 0.7) headers["accept"] = pick(["x", "y"]);
      if (random() < 0.5) headers["accept-language"] = pick(["de", "en"]);
      if (random() < 0.1) headers["authorization"] = "Bearer x";
      const what = random();
      const place = `seed ${seed}, step ${step}`;
      if (what < 0.3) stage.clock.ms += Math.floor(random() * 40_000);
      else if (what < 0.55) {
        const response = randomResponse(random, stage.clock.ms, `${seed}/${step}`);
        const stored = await store(client, { url, headers }, response);
        expect(stored, place).toBe(naive.put({ url, headers }, response, stage.clock.ms));
      } else if (what < 0.6) {
        await forget(client, url);
        naive.delete(url);
      } else {
        const found = await match(client, { url, headers });
        expect(found?.body ?? null, place).toBe(naive.match({ url, headers }, stage.clock.ms));
      }
    }
  }
});

describe("a stored response", () => {
  test("is found by every worker, by no other cache and no other endpoint", async () => {
    const url = fresh();
    await store(stage.client(0), { url }, { body: "mine" });
    expect((await match(stage.client(1), { url }))?.body).toBe("mine");
    expect(await match(stage.client(1), { url }, ":default")).toBe(null);
    expect(await match(stage.client(1, "shop2"), { url })).toBe(null);
    expect(await forget(stage.client(0, "shop2"), url)).toBe(false);
    expect(await forget(stage.client(1), url)).toBe(true);
    expect(await match(stage.client(0), { url })).toBe(null);
  });

  test("has lost the headers that are for one client, and no others", async () => {
    const url = fresh();
    const control = 'private="set-cookie, x-user", max-age=9';
    const headers = { "cache-control": control, "set-cookie": "a=1", "x-user": "ann", "x-b": "b" };
    await store(stage.client(0), { url }, { headers });
    const found = await match(stage.client(0), { url });
    expect([...(found?.headers.keys() ?? [])]).toEqual([
      "cache-control",
      "x-b",
      "age",
      "cf-cache-status",
      "content-length",
    ]);
  });

  test("says its age, that of a cache before included", async () => {
    const url = fresh();
    const headers = { "cache-control": "max-age=100", age: "30" };
    await store(stage.client(0), { url }, { headers });
    stage.clock.ms += 12_345;
    expect((await match(stage.client(0), { url }))?.headers.get("age")).toBe("42");
    stage.clock.ms += 70_000 - 12_345;
    expect(await match(stage.client(0), { url })).toBe(null);
  });

  test.each<[string, number, Headers, number]>([
    ["one with that tag", 200, { "if-none-match": '"v1"' }, 304],
    ["one with another tag", 200, { "if-none-match": '"v2"' }, 200],
    ["a date that is late enough", 200, { "if-modified-since": dateOf(1) }, 304],
    ["an earlier date", 200, { "if-modified-since": dateOf(-1) }, 200],
    ["a part", 200, { range: "bytes=1-2" }, 206],
    ["a part of another version", 200, { range: "bytes=1-2", "if-range": '"v2"' }, 200],
    ["what lies behind the end", 200, { range: "bytes=10-" }, 416],
    ["a tag, of an error", 404, { "if-none-match": '"v1"' }, 404],
    ["a part of an error", 404, { range: "bytes=1-2" }, 404],
  ])("is asked for %s: %d, %j: %d", async (_, status, asked, answered) => {
    const url = fresh();
    const headers = { "cache-control": "max-age=9", etag: '"v1"', "last-modified": dateOf(0) };
    await store(stage.client(0), { url }, { status, headers, body: "0123456789" });
    const found = await match(stage.client(1), { url, headers: asked });
    const body = { 200: "0123456789", 404: "0123456789", 206: "12" }[answered] ?? "";
    expect([found?.status, found?.body, found?.headers.get("etag")]).toEqual([
      answered,
      body,
      '"v1"',
    ]);
    if (answered !== 304) expect(found?.headers.get("content-length")).toBe(String(body.length));
  });

  test("keeps its variants as long as each of them says", async () => {
    const url = fresh();
    const variant = (accept: string, seconds: number): Promise<boolean> =>
      store(
        stage.client(0),
        { url, headers: { accept } },
        { headers: { vary: "accept", "cache-control": `max-age=${seconds}` }, body: accept },
      );
    const found = async (accept: string): Promise<string | undefined> =>
      (await match(stage.client(1), { url, headers: { accept } }))?.body;
    await variant("long", 100);
    await variant("short", 1);
    stage.clock.ms += 2_000;
    expect([await found("long"), await found("short")]).toEqual(["long", undefined]);
  });

  test("has an address of at most so many bytes", async () => {
    const urlOf = (bytes: number): string => "https://x.test/".padEnd(bytes, "a");
    for (const bytes of [CACHE_URL_BYTES_MAX - 1, CACHE_URL_BYTES_MAX]) {
      expect(await store(stage.client(0), { url: urlOf(bytes) }, {})).toBe(true);
    }
    const long = store(stage.client(0), { url: urlOf(CACHE_URL_BYTES_MAX + 1) }, {});
    await expect(long).rejects.toMatchObject({ code: "SERVICE_TOO_LARGE" });
  });
});

function dateOf(seconds: number): string {
  return new Date(Date.parse("2025-06-01T00:00:00Z") + 1_000 * seconds).toUTCString();
}

function inTwo(body: Uint8Array): () => Promise<Uint8Array | null> {
  const half = Math.floor(body.byteLength / 2);
  const pieces = [body.subarray(0, half), body.subarray(half)];
  return async () => pieces.shift() ?? null;
}

describe("a body in pieces", () => {
  const large = Buffer.alloc(EAGER_BYTES_MAX + 1, "abc");

  test("comes back whole at every size around that of one answer", async () => {
    for (const size of [EAGER_BYTES_MAX - 1, EAGER_BYTES_MAX, EAGER_BYTES_MAX + 1, 300_000]) {
      const url = fresh();
      const body = Buffer.alloc(size, "abcdefg");
      await store(stage.client(0), { url }, { body });
      expect((await match(stage.client(1), { url }))?.body).toBe(body.toString());
      const headers = { range: `bytes=5-${size - 2}` };
      const part = await match(stage.client(1), { url, headers });
      expect(part?.body).toBe(body.subarray(5, size - 1).toString());
    }
  });

  test("has at most so many bytes, whole or in pieces", async () => {
    const client = stage.client(0, "shop", 100_000);
    for (const size of [99_999, 100_000, 100_001]) {
      const body = Buffer.alloc(size, "a");
      const args = (of: Value): readonly Value[] => ["default", [fresh(), ""], [200, "", ""], of];
      const asked = [
        client.call("store", args(body)),
        client.open("store", args(STREAM), inTwo(body)),
      ];
      for (const each of asked) {
        if (size <= 100_000) await each;
        else await expect(each).rejects.toMatchObject({ code: "SERVICE_TOO_LARGE" });
      }
    }
  });

  test("shares these bytes with others of its isolate that are on their way", async () => {
    const client = stage.client(0, "shop", 100_000);
    const { promise, resolve } = Promise.withResolvers<void>();
    const put = (url: string, body: () => Promise<Uint8Array | null>): Promise<OpenAnswer> =>
      client.open("store", ["default", [url, ""], [200, "", ""], STREAM], body);
    const pieces = inTwo(Buffer.alloc(80_000));
    let asked = 0;
    const begun = Promise.withResolvers<void>();
    const first = put(fresh(), async () => {
      // The third time it has been asked, two pieces have been taken.
      if (++asked < 3) return pieces();
      begun.resolve();
      await promise;
      return null;
    });
    await begun.promise;
    await put(fresh(), inTwo(Buffer.alloc(20_000)));
    const more = put(fresh(), inTwo(Buffer.alloc(20_001)));
    await expect(more).rejects.toMatchObject({ code: "SERVICE_OVERLOADED" });
    resolve();
    await first;
    await put(fresh(), inTwo(Buffer.alloc(100_000)));
  });

  test("is stored only when it came to its end, and leaves no file otherwise", async () => {
    const url = fresh();
    const files = (): number => readdirSync(join(stage.folder, "cache/values")).length;
    await store(stage.client(0), { url: fresh() }, { body: large });
    const before = files();
    let pieces = 0;
    const breaking = async (): Promise<Uint8Array> => {
      if (pieces++ === 3) throw new Error("broke off");
      return Buffer.alloc(50_000);
    };
    const client = stage.client(0);
    const args = ["default", [url, ""], [200, "", packed({})], STREAM] as const;
    await expect(client.open("store", args, breaking)).rejects.toMatchObject({ code: "CANCELLED" });
    expect([await match(client, { url }), files()]).toEqual([null, before]);
  });

  test("that nobody reads on keeps nobody from the cache, and so many are one isolate's at once", async () => {
    const url = fresh();
    await store(stage.client(0), { url }, { body: large });
    const greedy = stage.client(0);
    const open: OpenAnswer[] = [];
    const begin = async (): Promise<void> => {
      open.push(await greedy.open("match", ["default", [url, ""]]));
    };
    for (let at = 0; at < CACHE_BODIES_MAX; at++) await begin();
    await expect(begin()).rejects.toMatchObject({ code: "SERVICE_OVERLOADED" });
    expect((await match(stage.client(0), { url }))?.body).toBe(large.toString());
    expect(stage.actors[0]?.stats().running).toBe(0);
    open[0]?.cancel();
    await begin();
    for (const each of open) each.cancel();
    expect((await match(greedy, { url }))?.body).toBe(large.toString());
  });
});
