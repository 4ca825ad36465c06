// Handlers with KV, a cache, the Cache API and a rate limit, in a node as it is shipped, with two workers.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasProgram } from "../servers/install.ts";
import { startRedis } from "../servers/redis.ts";
import { startNode, type TestNode } from "../node.ts";

const HANDLER = `
const asText = (bytes) => new TextDecoder().decode(bytes);
const fails = async (work) => { try { await work(); return "no error"; } catch (error) { return [error.name, error.code, error.message]; } };
const cases = {
  async kvTypes({ KV }) {
    await KV.put("t", "\\ufefftext \\u{1f600}");
    await KV.put("j", JSON.stringify({ a: [1] }));
    await KV.put("b", new Uint8Array([1, 2, 255]).subarray(1), { metadata: { n: 1 }, expirationTtl: 60 });
    await KV.put("s", new Response("streamed").body);
    await KV.put("a", new Uint8Array([65]).buffer);
    return [
      await KV.get("t"), await KV.get("j", "json"), [...new Uint8Array(await KV.get("b", "arrayBuffer"))],
      await new Response(await KV.get("s", { type: "stream" })).text(), await KV.get("a", { type: "text", cacheTtl: 60 }),
      await KV.get("none"), (await KV.getWithMetadata("b", "arrayBuffer")).metadata,
      await KV.getWithMetadata("none"), [...await KV.get(["t", "none", "j"])],
      [...(await KV.getWithMetadata(["j", "b"], "text"))].map(([key, { metadata }]) => [key, metadata]),
      (await KV.get(["j"], "json")).get("j"),
    ];
  },
  async kvList({ KV }) {
    const expiration = Math.floor(Date.now() / 1000) + 3600;
    for (const key of ["l/1", "l/2", "l/3"]) await KV.put(key, key, key === "l/2" ? { expiration, metadata: "m" } : {});
    const first = await KV.list({ prefix: "l/", limit: 2 });
    const second = await KV.list({ prefix: "l/", cursor: first.cursor });
    await KV.delete("l/1");
    await KV.delete(["l/2", "l/3"]);
    return [first.keys.map((key) => ({ ...key, expiration: key.expiration === expiration ? "same" : key.expiration })),
      first.list_complete, second, (await KV.list({ prefix: "l/" })).keys];
  },
  async kvErrors({ KV }) {
    return Promise.all([
      fails(() => KV.get("")), fails(() => KV.get(".")), fails(() => KV.get("k".repeat(513))),
      fails(() => KV.put("k", 1)), fails(() => KV.put("k", "v", { expirationTtl: 0 })),
      fails(() => KV.put("k", "v", { expiration: 1 })), fails(() => KV.put("k", "v", { metadata: "m".repeat(1025) })),
      fails(() => KV.put("k", new Uint8Array(25 * 1024 * 1024 + 1))), fails(() => KV.get("k", "blob")),
      fails(() => KV.get(["k"], "stream")), fails(() => KV.get(Array.from({ length: 101 }, (_, at) => "k" + at))),
      fails(() => KV.list({ limit: 1001 })), fails(() => KV.list({ cursor: "?" })),
    ]).then((all) => all.map((each) => each.slice(0, 2)));
  },
  async kvLarge({ KV }) {
    const bytes = new Uint8Array(5_000_000).fill(7);
    await KV.put("large", bytes);
    const found = new Uint8Array(await KV.get("large", "arrayBuffer"));
    return [found.length, found.every((byte) => byte === 7)];
  },
  async cacheVerbs(env, ctx, name) {
    const cache = ctx.services.cache(name);
    const done = [await cache.set("a", "1", 60), await cache.get("a"), await cache.exists("a"), await cache.exists("x"), await cache.get("x"),
      await cache.setJson("j", { b: 2 }), await cache.getJson("j"), await cache.mget(["a", "x", "j"]), await cache.incr("n"), await cache.incr("n", 5),
      await cache.decr("n", 7), await cache.expire("n", 100), await cache.ttl("n"), await cache.ttl("x"),
      await cache.setNx("nx", "1"), await cache.setNx("nx", "2"), await cache.delete(["nx", "x"])];
    const token = await cache.lock("l", 10);
    done.push(typeof token, await cache.lock("l", 10), await cache.unlock("l", "other"), await cache.unlock("l", token), await cache.unlock("l", token));
    done.push([...new Uint8Array(await (await cache.set("bytes", new Uint8Array([1, 255])), cache.getBytes("bytes")))]);
    done.push((await fails(() => cache.set("a", {}))).slice(0, 1), (await fails(() => cache.set("a", "1", 0))).slice(0, 2), (await fails(() => cache.incr("j"))).slice(0, 2));
    return done;
  },
  async parallel(env, ctx) {
    const cache = ctx.services.cache("CACHE");
    await Promise.all(Array.from({ length: 100 }, (_, at) => cache.set("p" + at, at)));
    const found = await Promise.all(Array.from({ length: 100 }, (_, at) => cache.get("p" + at)));
    return found.every((value, at) => value === String(at));
  },
  async limit({ RL }) { return RL.limit({ key: "k" }); },
  async limitErrors({ RL }) {
    return [await fails(() => RL.limit()), await fails(() => RL.limit({ key: 1 })), (await fails(() => RL.limit({ key: "k".repeat(1025) })))[1]];
  },
  async pagePut() {
    const headers = { "cache-control": "max-age=60", etag: '"v1"', "content-type": "text/plain" };
    await caches.default.put("https://x.test/page#frag", new Response("0123456789", { headers, status: 200 }));
    await (await caches.open("other")).put("https://x.test/page", new Response("other"));
    return "done";
  },
  async pageMatch() {
    const match = async (init, cache = caches.default) => {
      const found = await cache.match(new Request("https://x.test/page", init));
      return found === undefined ? null : [found.status, found.statusText, await found.text(), found.headers.get("content-range"), found.headers.get("etag"), found.headers.get("cf-cache-status")];
    };
    const other = await caches.open("other");
    return [await match(), await match({ headers: { range: "bytes=2-3" } }), await match({ headers: { range: "bytes=20-" } }),
      await match({ headers: { "if-none-match": '"v1"' } }), await match({ method: "HEAD" }), await match({ method: "POST" }),
      (await match({}, other))[2], await match({}, await caches.open("none")),
      (await caches.default.match(new Request("https://x.test/page", { method: "HEAD" }), { ignoreMethod: true })).status,
      await caches.default.match("https://x.test/page?q=1") === undefined];
  },
  async pageDelete() {
    return [await caches.default.delete("https://x.test/page"), await caches.default.delete("https://x.test/page"), await caches.default.match("https://x.test/page") === undefined];
  },
  async pageVary() {
    const put = (language, text) => caches.default.put(new Request("https://x.test/vary", { headers: { "accept-language": language } }), new Response(text, { headers: { vary: "Accept-Language" } }));
    const match = async (language) => (await caches.default.match(new Request("https://x.test/vary", { headers: { "accept-language": language, cookie: "other" } })))?.text() ?? null;
    await put("de", "Hallo"); await put("en", "Hello");
    const found = [await match("de"), await match("en"), await match("fr")];
    await caches.default.delete("https://x.test/vary");
    return [...found, await match("de"), await match("en")];
  },
  async pageRefused() {
    const put = async (headers) => {
      const url = "https://x.test/" + crypto.randomUUID();
      await caches.default.put(url, new Response("x", { headers }));
      return (await caches.default.match(url)) !== undefined;
    };
    const response = () => new Response("x");
    const used = response(); await used.text();
    return [await put({ "cache-control": "no-store" }), await put({ "cache-control": "private" }), await put({ "set-cookie": "a=1" }),
      await put({ "cache-control": "max-age=0" }), await put({ "cache-control": "s-maxage=5, max-age=0" }), await put({}),
      (await fails(() => caches.default.put(new Request("https://x.test/", { method: "POST" }), response())))[0],
      (await fails(() => caches.default.put("https://x.test/", new Response("x", { status: 206 }))))[0],
      (await fails(() => caches.default.put("https://x.test/", new Response("x", { headers: { vary: "accept, *" } }))))[0],
      (await fails(() => caches.default.put("https://x.test/", used)))[0], (await fails(() => caches.default.put("data:,x", response())))[0],
      (await fails(() => new Cache()))[0], (await fails(() => new CacheStorage()))[0]];
  },
  async pageLarge() {
    const piece = new Uint8Array(100_000).fill(9);
    let left = 30;
    const body = new ReadableStream({ pull(controller) { if (left-- > 0) controller.enqueue(piece.slice()); else controller.close(); } });
    await caches.default.put("https://x.test/large", new Response(body));
    const found = await caches.default.match("https://x.test/large");
    const bytes = new Uint8Array(await found.arrayBuffer());
    const part = await caches.default.match(new Request("https://x.test/large", { headers: { range: "bytes=-1000000" } }));
    const read = (await caches.default.match("https://x.test/large")).body.getReader();
    await read.read(); await read.cancel();
    return [bytes.length, bytes.every((byte) => byte === 9), found.headers.get("content-length"), (await part.arrayBuffer()).byteLength, part.headers.get("content-range")];
  },
};
export default { async fetch(request, env, ctx) {
  const url = new URL(request.url);
  return Response.json((await cases[url.pathname.split("/").at(-1)](env, ctx, url.searchParams.get("name"))) ?? null);
} };`;

const BINDINGS = [
  { kind: "kv", name: "KV" },
  { kind: "cache", name: "CACHE" },
  { kind: "ratelimit", name: "RL", limit: 5, periodSeconds: 600 },
] as const;

/** Values of 25 MiB take a busy machine longer than handlers usually have. */
const LIMITS = { cpuMs: 5_000 };

let node: TestNode;
beforeAll(async () => {
  node = await startNode({ workers: 2 });
  await node.publish("one", HANDLER, { bindings: BINDINGS, limits: LIMITS });
  await node.publish("two", HANDLER, { bindings: BINDINGS, limits: LIMITS });
});
afterAll(() => node.stop());

async function ask(path: string): Promise<unknown> {
  const { status, text } = await node.get(path);
  expect(status, text).toBe(200);
  return JSON.parse(text);
}

describe("KV of a handler", () => {
  test("gives values as every type, with metadata, one and several", async () => {
    expect(await ask("/one/kvTypes")).toEqual([
      "\ufefftext \u{1f600}",
      { a: [1] },
      [2, 255],
      "streamed",
      "A",
      null,
      { n: 1 },
      { value: null, metadata: null, cacheStatus: null },
      [
        ["t", "\ufefftext \u{1f600}"],
        ["none", null],
        ["j", '{"a":[1]}'],
      ],
      [
        ["j", null],
        ["b", { n: 1 }],
      ],
      { a: [1] },
    ]);
  });

  test("lists, goes on with the cursor, and deletes", async () => {
    expect(await ask("/one/kvList")).toEqual([
      [{ name: "l/1" }, { name: "l/2", expiration: "same", metadata: "m" }],
      false,
      { keys: [{ name: "l/3" }], list_complete: true, cacheStatus: null },
      [],
    ]);
  });

  test("refuses what does not fit, with a code", async () => {
    const input = ["ServiceError", "SERVICE_INPUT"];
    const size = ["ServiceError", "SERVICE_TOO_LARGE"];
    const type = ["TypeError", null];
    const all = [type, type, size, type, input, input, size, size, type, type, input, input, input];
    expect(await ask("/one/kvErrors")).toEqual(all);
  });

  test("takes large values", async () => {
    expect(await ask("/one/kvLarge")).toEqual([5_000_000, true]);
  });
});

const VERBS = [
  [null, "1", true, false, null, null, { b: 2 }, ["1", null, '{"b":2}']],
  [1, 6, -1, true, 100, null, true, false, 1],
  ["string", null, false, true, false, [1, 255]],
  [["TypeError"], ["ServiceError", "SERVICE_INPUT"], ["ServiceError", "SERVICE_INPUT"]],
].flat(1);

describe("a cache of a handler", () => {
  test("has all verbs, and endpoints do not see each other's", async () => {
    expect(await ask("/one/cacheVerbs?name=CACHE")).toEqual(VERBS);
    expect(await ask("/two/cacheVerbs?name=CACHE")).toEqual(VERBS);
  });

  test("answers a hundred gets at once", async () => {
    expect(await ask("/one/parallel")).toBe(true);
  });
});

describe("a rate limit of a handler", () => {
  test("is exact over all workers, and each endpoint's own", async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask("/one/limit")));
    const all = answers as { success: boolean; remaining: number; resetMs: number }[];
    const left = all.filter(({ success }) => success).map(({ remaining }) => remaining);
    expect(left.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4]);
    for (const { resetMs } of all) expect(resetMs > 0 && resetMs <= 637_500).toBe(true);
    expect(await ask("/two/limit")).toMatchObject({ success: true, remaining: 4 });
    expect(await ask("/one/limitErrors")).toEqual([
      ["TypeError", null, "limit takes an object with a key."],
      ["TypeError", null, "The key of a limit is a string."],
      "SERVICE_TOO_LARGE",
    ]);
  });
});

const LARGE = [3_000_000, true, "3000000", 1_000_000, "bytes 2000000-2999999/3000000"];

describe("the Cache API", () => {
  test("stores a response that every worker finds, in parts and by its version", async () => {
    expect(await ask("/one/pagePut")).toBe("done");
    const page = [200, "", "0123456789", null, '"v1"', "HIT"];
    for (let time = 0; time < 4; time++) {
      expect(await ask("/one/pageMatch")).toEqual([
        page,
        [206, "Partial Content", "23", "bytes 2-3/10", '"v1"', "HIT"],
        [416, "Range Not Satisfiable", "", "bytes */10", '"v1"', "HIT"],
        [304, "Not Modified", "", null, '"v1"', "HIT"],
        null,
        null,
        "other",
        null,
        200,
        true,
      ]);
    }
    expect(await ask("/two/pageDelete")).toEqual([false, false, true]);
    expect(await ask("/one/pageDelete")).toEqual([true, false, true]);
  });

  test("keeps variants apart by the headers that Vary names", async () => {
    expect(await ask("/one/pageVary")).toEqual(["Hallo", "Hello", null, null, null]);
  });

  test("stores nothing that says it must not be, and refuses what it cannot store", async () => {
    const all = (await ask("/one/pageRefused")) as unknown[];
    expect(all.map(String)).toEqual(
      [false, false, false, false, true, true]
        .map(String)
        .concat(Array.from({ length: 7 }, () => "TypeError")),
    );
  });

  test("streams large bodies both ways", async () => {
    expect(await ask("/one/pageLarge")).toEqual(LARGE);
  });
});

describe.runIf(hasProgram("redis-server"))("the same handler on Redis", () => {
  test("finds all verbs and types", async () => {
    await using redis = await startRedis();
    const service = {
      name: "redis",
      service_type: "redis",
      config: { host: redis.host, port: redis.port },
    };
    const created = await node.api("POST", "/api/services", service);
    expect(created.error ?? null).toBe(null);
    const id = String(Reflect.get(Object(created.data), "id"));
    expect((await node.api("POST", `/api/services/${id}/activate`)).ok).toBe(true);
    const bindings = BINDINGS.map((each) =>
      each.kind === "ratelimit" ? each : { ...each, service: "redis" },
    );
    await node.publish("on-redis", HANDLER, { bindings, limits: LIMITS });
    expect(await ask("/on-redis/cacheVerbs?name=CACHE")).toEqual(VERBS);
    expect(await ask("/on-redis/kvLarge")).toEqual([5_000_000, true]);
    expect(await ask("/on-redis/kvErrors")).toEqual(await ask("/one/kvErrors"));
    expect(await ask("/on-redis/parallel")).toBe(true);
  });
});
