// What a request is called and asks for on its way, and who else gets a copy of it.

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HELD_BYTES_MAX } from "../../runtime/gateway/policies/traffic/mirror.ts";
import { REQUEST_ID_CHARS_MAX } from "../../runtime/gateway/policies/traffic/request-id.ts";
import { until } from "../waiting.ts";
import { openFront, type Front } from "./front.ts";
import { openPeer, type Peer } from "./peer.ts";

let peer: Peer;
let shadow: Peer;
let front: Front;
/** Of the random share. */
let luck = 0;

beforeAll(async () => {
  peer = await openPeer();
  shadow = await openPeer("shadow");
  const route = (name: string, policy: string, target = "upstream: a"): string =>
    `  - { name: ${name}, match: { path: "/${name}/*" }, target: { ${target}, stripPrefix: /${name} }, policies: [ ${policy} ] }\n`;
  front = await openFront(
    `
upstreams:
  a: { servers: ["${peer.url}"] }
  b: { servers: ["${shadow.url}"], breaker: false, retry: false }
routes:
` +
      route("all", "requestId: { accept: all }") +
      route("trusted", "requestId: {}") +
      route("named", "requestId: { accept: all, header: X-Correlation }") +
      route("app", "requestId: { accept: all }", "endpoint: hello") +
      route(
        "query",
        "query: { set: { v: '2', who: '{request.ip}' }, add: { tag: 'a b&c' }, remove: [debug] }",
      ) +
      route("drop", "query: { remove: [a] }") +
      route("mirror", "mirror: { upstream: b, maxBody: 100B, maxOpen: 2 }") +
      route("some", "mirror: { upstream: b, share: 0.25 }"),
    { random: () => luck },
  );
});

afterAll(async () => {
  await front[Symbol.asyncDispose]();
  await peer[Symbol.asyncDispose]();
  await shadow[Symbol.asyncDispose]();
});

function mirrored(route: string, result: string): number {
  return (
    front.gateway.counts.get(`edge_mirror_requests_total\nroute="${route}",result="${result}"`) ?? 0
  );
}

describe("requestId", () => {
  const ask = async (path: string, headers: Record<string, string>): Promise<string[]> => {
    const response = await front.get(path, { headers });
    await response.arrayBuffer();
    const sent = peer.seen.at(-1)?.headers["x-request-id"];
    const id = response.headers.get("x-request-id") ?? "";
    await until("it is logged", () => front.access.some(({ requestId }) => requestId === id));
    return [id, String(sent)];
  };

  test("a client's goes to the server, into the reply and the log", async () => {
    expect(await ask("/all/echo", { "x-request-id": "theirs-1" })).toEqual([
      "theirs-1",
      "theirs-1",
    ]);
    expect(await ask("/named/echo", { "x-correlation": "c:2", "x-request-id": "no" })).toEqual([
      "c:2",
      "c:2",
    ]);
  });

  test("is the node's own from a client that is no trusted proxy, and the same for all", async () => {
    const ids = await ask("/trusted/echo", { "x-request-id": "theirs-1" });
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).toMatch(/^[0-9a-z]{22}$/);
  });

  test.each([
    ["a".repeat(REQUEST_ID_CHARS_MAX - 1), true],
    ["a".repeat(REQUEST_ID_CHARS_MAX), true],
    ["a".repeat(REQUEST_ID_CHARS_MAX + 1), false],
    ['a","outcome":"x', false],
    ["a b", false],
  ])("%j is taken over: %s", async (id, taken) => {
    expect((await ask("/all/echo", { "x-request-id": id }))[0] === id).toBe(taken);
  });

  test("of a trusted proxy, on the other listener too", async () => {
    await using node = await openFront(
      `trustedProxies: [127.0.0.1]\npolicies: [ requestId: {} ]\n` +
        `routes: [ { match: { path: /a }, target: { respond: { body: ok } } } ]\n`,
      { kind: "node" },
    );
    const response = await node.get("/a", { headers: { "x-request-id": "proxy.7" } });
    expect(response.headers.get("x-request-id")).toBe("proxy.7");
  });
});

describe("query", () => {
  const asked = async (path: string): Promise<string> => {
    await (await front.get(path)).arrayBuffer();
    return peer.seen.at(-1)?.path ?? "";
  };

  test("parameters are removed, set and added; others go on as they were written", async () => {
    expect(await asked("/query/echo?x=%7e&debug=1&v=1&v=0&y&%64ebug=2")).toBe(
      "/echo?x=%7e&y&v=2&who=127.0.0.1&tag=a%20b%26c",
    );
    expect(await asked("/query/echo")).toBe("/echo?v=2&who=127.0.0.1&tag=a%20b%26c");
  });

  test("without any left there is no question mark, and what cannot be decoded is kept", async () => {
    expect(await asked("/drop/echo?a=1&a=2")).toBe("/echo");
    expect(await asked("/drop/echo?%zz=1&a=%ff")).toBe("/echo?%zz=1");
  });
});

describe("mirror", () => {
  const copies = (path: string): Promise<void> =>
    until(`${path} was mirrored`, () => shadow.count(path) > 0);

  test("the other upstream gets the same request, with a mark", async () => {
    const body = "x".repeat(100);
    const response = await front.get("/mirror/echo?first", { method: "POST", body });
    expect(((await response.json()) as { name: string }).name).toBe("peer");
    await copies("/echo?first");
    const copy = shadow.seen.at(-1);
    expect([copy?.method, copy?.headers["content-length"]]).toEqual(["POST", "100"]);
    expect(copy?.headers["x-edge-mirror"]).toBe("1");
    expect(copy?.headers["x-request-id"]).toBe(response.headers.get("x-request-id"));
    expect(copy?.headers["x-forwarded-for"]).toBe("127.0.0.1");
    expect(peer.seen.at(-1)?.headers["x-edge-mirror"]).toBeUndefined();
  });

  test.each([
    [99, true],
    [100, true],
    [101, false],
  ])("of bodies of 100 bytes, one of %d is mirrored: %s", async (bytes, isCopied) => {
    const before = mirrored("mirror", "skipped");
    const path = `/mirror/echo?length=${bytes}`;
    await (await front.get(path, { method: "POST", body: "x".repeat(bytes) })).arrayBuffer();
    if (isCopied) await copies(`/echo?length=${bytes}`);
    else {
      await until("it is skipped", () => mirrored("mirror", "skipped") > before);
      expect(shadow.count(`/echo?length=${bytes}`)).toBe(0);
    }
  });

  test("a share of requests is mirrored", async () => {
    for (const value of [0.24, 0.25]) {
      luck = value;
      await (await front.get(`/some/echo?luck=${value}`)).arrayBuffer();
    }
    luck = 0;
    await copies("/echo?luck=0.24");
    await (await front.get("/some/echo?last")).arrayBuffer();
    await copies("/echo?last");
    expect(shadow.count("/echo?luck=0.25")).toBe(0);
  });

  test("a copy ends after its time, whatever the upstream's", async () => {
    await using own = await openFront(`
upstreams: { b: { servers: ["${shadow.url}"], breaker: false, retry: false } }
routes: [ { match: { path: "/*" }, target: { respond: { body: ok } }, policies: [ mirror: { upstream: b, timeout: 10m } ] } ]
`);
    shadow.mood = "hang";
    await (await own.get("/echo?slow")).arrayBuffer();
    await copies("/echo?slow");
    own.advance(601_000);
    const { closed } = shadow.seen.at(-1) ?? {};
    await closed;
    shadow.mood = null;
  });

  test("a copy whose reply never ends is cut", async () => {
    shadow.mood = "flood";
    shadow.flooded = 0;
    await (await front.get("/mirror/echo?flood")).arrayBuffer();
    await copies("/echo?flood");
    await shadow.seen.at(-1)?.closed;
    expect(shadow.flooded).toBeLessThan(HELD_BYTES_MAX);
    shadow.mood = null;
  });

  test("without its upstream requests are answered all the same", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    server.close();
    await using alone = await openFront(`
upstreams: { b: { servers: ["http://127.0.0.1:${port}"] } }
routes: [ { name: r, match: { path: /a }, target: { respond: { body: ok } }, policies: [ mirror: { upstream: b } ] } ]
`);
    expect(await (await alone.get("/a")).text()).toBe("ok");
    const key = `edge_mirror_requests_total\nroute="r",result="failed"`;
    await until("it has failed", () => alone.gateway.counts.has(key));
  });

  test("a copy that hangs holds nobody back; of more than two at once none is made", async () => {
    shadow.mood = "hang";
    const before = mirrored("mirror", "skipped");
    for (let i = 0; i < 3; i++) {
      const response = await front.get(`/mirror/echo?hang=${i}`);
      expect(response.status).toBe(200);
      await response.arrayBuffer();
    }
    expect(mirrored("mirror", "skipped") - before).toBe(1);
    await until("both are there", () => shadow.count("/echo?hang=") === 2);
    shadow.mood = null;
    front.advance(31_000);
    await until("they have ended", () => mirrored("mirror", "failed") >= 2);
  });
});
