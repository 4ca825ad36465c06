// Kept replies as clients of two workers get them. The gateways' clock is set by the test.

import {
  createServer,
  request,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { PURGES_MAX } from "../../runtime/gateway/policies/stored/purges.ts";
import { temporary, type Temporary } from "../temporary.ts";
import { until } from "../waiting.ts";
import { openFront, type Front } from "./front.ts";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

let peer: Server;
let folder: Temporary;
let fronts: readonly [Front, Front];
let seen: IncomingMessage[] = [];
let answer: Answer;
let page = 0;

const says =
  (headers: Record<string, string | string[]>, status = 200): Answer =>
  (_request, response) => {
    response.writeHead(status, headers);
    response.end(`reply ${seen.length}`);
  };

beforeAll(async () => {
  folder = temporary();
  peer = createServer((request, response) => {
    seen.push(request);
    answer(request, response);
  });
  peer.listen(0, "127.0.0.1");
  await once(peer, "listening");
  const { port } = peer.address() as AddressInfo;
  const text = `
upstreams: { peer: { servers: ["http://127.0.0.1:${port}"], retry: false, breaker: false } }
routes:
  - { match: { path: "/c/*" }, target: { upstream: peer }, policies: [ cache: { maxSize: 1KiB } ] }
  - { name: shop, match: { path: "/shop/*" }, target: { upstream: peer }, policies: [ cache: {} ] }
  - { match: { path: "/t/*" }, target: { upstream: peer }, policies: [ cache: { ttl: 60s, headers: [x-tenant], staleWhileRevalidate: 60s, staleIfError: 1h } ] }
  - { match: { path: "/who/*" }, target: { upstream: peer }, policies: [ forwardAuth: { url: "http://127.0.0.1:${port}/asked", responseHeaders: [x-user] }, cache: { ttl: 60s } ] }
`;
  const options = { replies: folder.path };
  fronts = [await openFront(text, options), await openFront(text, { ...options, kind: "node" })];
});

afterAll(async () => {
  for (const front of fronts) await front[Symbol.asyncDispose]();
  peer.closeAllConnections();
  peer.close();
  folder[Symbol.dispose]();
});

beforeEach(() => {
  seen = [];
  page++;
});

interface Got {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  /** As the cache says it, without what it is called. */
  readonly how: string;
}

type Fields = Readonly<Record<string, string>>;

/** Not by fetch, which adds to requests with conditions that it wants nothing from a cache. */
async function ask(front: Front, path: string, headers: Fields, method = "GET"): Promise<Got> {
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    request(`${front.url}${path}/${page}`, { method, headers }, resolve).on("error", reject).end();
  });
  const body = Buffer.concat(await Array.fromAsync(incoming));
  const fields = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) fields.set(name, String(value));
  const how = fields.get("cache-status")?.replace("islet; ", "") ?? "";
  return { status: incoming.statusCode ?? 0, text: body.toString(), headers: fields, how };
}

function get(headers: Fields = {}, at: 0 | 1 = 0, method = "GET"): Promise<Got> {
  return ask(fronts[at], "/c", headers, method);
}

function tget(headers: Fields = {}): Promise<Got> {
  return ask(fronts[0], "/t", headers);
}

let aheadMs = 0;

const advance = (ms: number): void => {
  aheadMs += ms;
  for (const front of fronts) front.advance(ms);
};

/** Until what was sent last is kept. */
const kept = (headers: Fields = {}): Promise<void> =>
  until(
    "it is kept",
    async () => (await get({ ...headers, "cache-control": "only-if-cached" })).status !== 504,
  );

describe("cache", () => {
  test("a reply is given again, by either worker, with its age, until its time is over", async () => {
    answer = says({ "cache-control": "max-age=60", "x-own": "1", age: "10" });
    expect(await get()).toMatchObject({ text: "reply 1", how: "fwd=miss" });
    await kept();
    for (const at of [0, 1] as const) {
      const again = await get({}, at);
      expect([again.text, again.headers.get("x-own"), again.how.startsWith("hit; ttl=")]).toEqual([
        "reply 1",
        "1",
        true,
      ]);
      expect(Number(again.headers.get("age"))).toBeGreaterThanOrEqual(10);
    }
    const head = await get({}, 0, "HEAD");
    expect([head.text, head.headers.get("content-length")]).toEqual(["", "7"]);
    advance(51_000);
    expect(await get()).toMatchObject({ text: "reply 2", how: "fwd=stale" });
    expect(seen).toHaveLength(2);
  });

  test.each([
    ["says nothing", {}, {}],
    ["no-store", { "cache-control": "no-store, max-age=60" }, {}],
    ["private", { "cache-control": "private, max-age=60" }, {}],
    ["a cookie", { "cache-control": "max-age=60", "set-cookie": "a=1" }, {}],
    ["Vary: *", { "cache-control": "max-age=60", vary: "*" }, {}],
    ["credentials", { "cache-control": "max-age=60" }, { authorization: "Basic YTpi" }],
    ["a request with no-store", { "cache-control": "max-age=60" }, { "cache-control": "no-store" }],
    ["a request for a part", { "cache-control": "max-age=60" }, { range: "bytes=0-1" }],
  ])("is not kept: %s", async (_what, reply, request) => {
    answer = says(reply);
    await get(request);
    expect((await get(request)).text).toBe("reply 2");
  });

  test("what a client gets whom forwardAuth knows is no other's", async () => {
    answer = ({ url, headers }, response) => {
      if (url === "/asked") response.setHeader("x-user", headers.cookie ?? "");
      response.end(`for ${String(headers["x-user"])}`);
    };
    const who = async (cookie: string): Promise<string> =>
      (await ask(fronts[0], "/who", { cookie })).text;
    expect(await who("a=ann")).toBe("for a=ann");
    expect(await who("a=ann")).toBe("for a=ann");
    expect(await who("a=bob")).toBe("for a=bob");
    expect(seen).toHaveLength(6);
  });

  test("credentials do not matter to what is public", async () => {
    answer = says({ "cache-control": "public, max-age=60" });
    await get({ authorization: "Basic YTpi" });
    await kept();
    expect((await get({ authorization: "Basic Yzpk" })).text).toBe("reply 1");
  });

  test("size: up to the limit, and above", async () => {
    answer = (_request, response) => {
      response.writeHead(200, { "cache-control": "max-age=60" });
      response.end("x".repeat(seen.length < 3 ? 1_025 : 1_024));
    };
    await get();
    await get();
    await get();
    await kept();
    await get();
    expect(seen).toHaveLength(3);
  });

  test("a reply that varies is kept for each value", async () => {
    answer = (request, response) => {
      response.writeHead(200, { "cache-control": "max-age=60", vary: "Accept-Language" });
      response.end(`${request.headers["accept-language"]} ${seen.length}`);
    };
    for (const language of ["de", "fr"]) {
      await get({ "accept-language": language });
      await kept({ "accept-language": language });
    }
    expect((await get({ "accept-language": "de" })).text).toBe("de 1");
    expect((await get({ "accept-language": "fr" })).text).toBe("fr 2");
    expect((await get({ "accept-language": "it" })).text).toBe("it 3");
  });

  test("conditions of clients are answered, and old replies asked for under their tag", async () => {
    answer = (request, response) => {
      const isSame = request.headers["if-none-match"] === '"v1"';
      response.writeHead(isSame ? 304 : 200, {
        "cache-control": "max-age=60",
        etag: '"v1"',
        "x-count": seen.length,
      });
      response.end(isSame ? undefined : "version 1");
    };
    await get();
    await kept();
    expect(await get({ "if-none-match": 'W/"v1", "v0"' })).toMatchObject({ status: 304, text: "" });
    expect(await get({ "if-none-match": '"v0"' })).toMatchObject({
      status: 200,
      text: "version 1",
    });
    expect(seen).toHaveLength(1);
    advance(61_000);
    const renewed = await get({ "if-none-match": '"v0"' });
    expect([renewed.status, renewed.text, renewed.headers.get("x-count")]).toEqual([
      200,
      "version 1",
      "2",
    ]);
    await until("it is fresh again", async () => (await get({}, 1)).how.startsWith("hit"));
    expect(await get({ "cache-control": "no-cache", "if-none-match": '"v1"' })).toMatchObject({
      status: 304,
    });
  });

  test("of requests that miss at once one goes to the target", async () => {
    let release: () => void = () => undefined;
    answer = (request, response) => {
      release = () => says({ "cache-control": "max-age=60" })(request, response);
    };
    const all = Array.from({ length: 20 }, () => get());
    await until("one is there", () => seen.length > 0);
    release();
    expect(new Set((await Promise.all(all)).map(({ text }) => text))).toEqual(new Set(["reply 1"]));
    expect(seen).toHaveLength(1);
  });

  test("those that waited for what is not kept, or broke off, go themselves", async () => {
    let release: () => void = () => undefined;
    answer = (request, response) => {
      if (seen.length === 1) release = () => response.destroy();
      else says({})(request, response);
    };
    const all = Array.from({ length: 3 }, () => get());
    await until("one is there", () => seen.length > 0);
    release();
    expect((await Promise.all(all)).map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      200, 200, 502,
    ]);
  });

  test("a change that goes well forgets the address, with all that varies", async () => {
    answer = says({ "cache-control": "max-age=60", vary: "x-a" });
    await get();
    await kept();
    answer = says({}, 500);
    await get({}, 0, "PUT");
    expect((await get()).text).toBe("reply 1");
    answer = says({ "cache-control": "max-age=60", vary: "x-a" });
    await get({}, 1, "DELETE");
    await until("it is forgotten", async () => (await get()).text !== "reply 1");
  });

  test("only-if-cached asks nobody", async () => {
    expect((await get({ "cache-control": "only-if-cached" })).status).toBe(504);
    expect(seen).toHaveLength(0);
  });

  test("ttl speaks for a reply that says nothing, and headers make another address", async () => {
    answer = says({});
    await tget({ "x-tenant": "a" });
    await until(
      "it is kept",
      async () =>
        (await tget({ "x-tenant": "a", "cache-control": "only-if-cached" })).status === 200,
    );
    expect((await tget({ "x-tenant": "a" })).text).toBe("reply 1");
    expect((await tget({ "x-tenant": "b" })).text).toBe("reply 2");
  });

  test("an old reply is given at once while one request refreshes it", async () => {
    answer = says({});
    await tget();
    await until(
      "it is kept",
      async () => (await tget({ "cache-control": "only-if-cached" })).status === 200,
    );
    advance(61_000);
    const stale = await tget();
    expect(stale.text).toBe("reply 1");
    expect(stale.how).toMatch(/^hit; ttl=-/);
    await until("it is refreshed", async () => (await tget()).text === "reply 2");
    expect(seen).toHaveLength(2);
  });

  test("an old reply is given when the target fails, for as long as may be", async () => {
    answer = says({});
    await tget();
    await until(
      "it is kept",
      async () => (await tget({ "cache-control": "only-if-cached" })).status === 200,
    );
    answer = (_request, response) => response.destroy();
    advance(180_000);
    expect(await tget()).toMatchObject({ status: 200, text: "reply 1" });
    answer = says({ "cache-control": "max-age=1" }, 503);
    expect(await tget()).toMatchObject({ status: 200, text: "reply 1" });
    advance(3_600_000);
    expect((await tget()).status).toBe(503);
  });
});

describe("a purge", () => {
  const purge = (prefix: string, host = "", at: 0 | 1 = 0): Promise<void> => {
    const atMs = Date.now() + aheadMs;
    return fronts[at].gateway.purge({ route: "shop", host, prefix, atMs });
  };
  const how = async (path: string, at: 0 | 1 = 0): Promise<string> =>
    (await ask(fronts[at], path, {})).how.replace(/;.*/, "");
  const fill = async (...paths: string[]): Promise<void> => {
    answer = says({ "cache-control": "max-age=600" });
    for (const path of paths) {
      await how(path);
      await until(`${path} is kept`, async () => (await how(path)) === "hit");
    }
    // What is asked for at the very time of a purge is of before it.
    advance(10);
  };

  test("ends what was kept below a prefix, in every worker, and nothing else", async () => {
    await fill("/shop/a/1", "/shop/a/2", "/shop/b/1");
    await purge("/shop/a/", "", 1);
    expect([await how("/shop/a/1"), await how("/shop/a/2", 1)]).toEqual(["fwd=miss", "fwd=miss"]);
    expect(await how("/shop/b/1")).toBe("hit");
    await until("it is kept anew", async () => (await how("/shop/a/1")) === "hit");
  });

  test("of another host ends nothing, of the route everything", async () => {
    await fill("/shop/c", "/shop/d");
    await purge("/shop/c", "other.example");
    expect(await how("/shop/c")).toBe("hit");
    await purge("/shop/c", "127.0.0.1");
    expect([await how("/shop/c"), await how("/shop/d")]).toEqual(["fwd=miss", "hit"]);
    await purge("/");
    expect(await how("/shop/d")).toBe("fwd=miss");
  });

  test("a reply that was asked for before it is not kept", async () => {
    let reply: () => void = () => {};
    answer = (_request, response) => {
      response.writeHead(200, { "cache-control": "max-age=600" });
      reply = () => response.end("old");
    };
    const first = ask(fronts[0], "/shop/e", {});
    await until("it is asked", () => seen.length === 1);
    await purge("/shop/e");
    advance(10);
    reply();
    expect((await first).text).toBe("old");
    answer = says({ "cache-control": "max-age=600" });
    expect((await ask(fronts[0], "/shop/e", {})).text).toBe("reply 2");
  });

  test("of as many prefixes as are told apart the others stay, of one more the route begins anew", async () => {
    await purge("/");
    advance(10);
    await fill("/shop/kept");
    for (let at = 1; at < PURGES_MAX; at++) await purge(`/shop/none/${at}`);
    expect(await how("/shop/kept")).toBe("hit");
    await purge("/shop/none/more");
    expect(await how("/shop/kept")).toBe("fwd=miss");
  });
});
