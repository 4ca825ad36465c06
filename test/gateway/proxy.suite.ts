// What a client and a server of an upstream see of each other through the gateway, the same over both listeners.

import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ListenerKind } from "../../sdk/serve.ts";
import { RawClient } from "../http/raw-client.ts";
import { createCertificate } from "../servers/certificate.ts";
import { temporary } from "../temporary.ts";
import { until } from "../waiting.ts";
import { openFront, type Front } from "./front.ts";
import { freePort, openPeer, type Peer } from "./peer.ts";

interface Echo {
  readonly name: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly bytes: number;
}

/** Whatever has a limit of ten minutes has reached it. */
const TIMEOUT_MS = 601_000;

const configuration = (peer: string, other: string, dead: number): string => `
upstreams:
  one:
    servers: ["${peer}"]
    retry: false
    breaker: false
  quick: { servers: ["${peer}"], retry: false, breaker: false, timeout: { firstByte: 10m, idle: 10m } }
  two:
    servers: ["${peer}", "${other}"]
    breaker: false
    retry: { attempts: 2, on: [connect, reset, 503], backoff: 1ms }
  half-dead:
    servers: ["http://127.0.0.1:${dead}", "${peer}"]
    breaker: false
    retry: { attempts: 2, backoff: 1ms }
  dead: { servers: ["http://127.0.0.1:${dead}"], breaker: false, retry: { attempts: 2, backoff: 1ms } }
routes:
  - { name: one, match: { path: "/one/*" }, target: { upstream: one, stripPrefix: /one } }
  - { name: quick, match: { path: "/quick/*" }, target: { upstream: quick, stripPrefix: /quick } }
  - { name: two, match: { path: "/two/*" }, target: { upstream: two, stripPrefix: /two } }
  - { name: half, match: { path: "/half/*" }, target: { upstream: half-dead, stripPrefix: /half } }
  - { name: dead, match: { path: "/dead/*" }, target: { upstream: dead } }
  - { name: add, match: { path: "/add/*" }, target: { upstream: one, stripPrefix: /add, addPrefix: /echo/v1 } }
  - { name: rewrite, match: { path: "/user/{id}/x" }, target: { upstream: one, rewrite: "/echo/{id}" } }
  - { name: all, match: { path: "/total/*" }, target: { upstream: one, stripPrefix: /total }, policies: [ timeout: { total: 10m } ] }
`;

export function proxySuite(kind: ListenerKind): void {
  describe(`a proxy on the ${kind} listener`, () => {
    let peer: Peer;
    let other: Peer;
    let front: Front;

    beforeAll(async () => {
      peer = await openPeer("peer");
      other = await openPeer("other");
      front = await openFront(configuration(peer.url, other.url, await freePort()), { kind });
    });

    afterAll(async () => {
      await front?.[Symbol.asyncDispose]();
      await peer?.[Symbol.asyncDispose]();
      await other?.[Symbol.asyncDispose]();
    });

    const echo = async (path: string, init: RequestInit = {}): Promise<Echo> => {
      const response = await front.get(path, init);
      expect(response.status).toBe(200);
      return (await response.json()) as Echo;
    };

    test("method, path, query, headers and body arrive as they were sent", async () => {
      const got = await echo("/one/echo/a%20b?x=1&y=%2F", {
        method: "PATCH",
        body: "hello",
        headers: { "x-own": "1" },
      });
      expect(got).toMatchObject({ method: "PATCH", url: "/echo/a%20b?x=1&y=%2F", bytes: 5 });
      expect(got.headers).toMatchObject({ "x-own": "1", "content-length": "5" });
    });

    test("DF16: headers of the connection and those it names stay behind, and Host is the server's", async () => {
      const client = new RawClient(front.port);
      client.send(
        "GET /one/echo HTTP/1.1\r\nHost: api.example.com\r\nConnection: close, X-Named\r\nX-Named: 1\r\nX-Stays: 1\r\n" +
          "TE: gzip\r\nKeep-Alive: timeout=5\r\nProxy-Authorization: Basic eA==\r\nProxy-Connection: close\r\nUpgrade: h2c\r\n" +
          "Via: 1.0 before\r\nX-Request-Id: theirs\r\n\r\n",
      );
      const { headers } = JSON.parse((await client.reply()).body.toString()) as Echo;
      client.close();
      for (const name of [
        "x-named",
        "te",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "upgrade",
      ]) {
        expect(headers[name]).toBeUndefined();
      }
      expect(headers).toMatchObject({
        host: `127.0.0.1:${peer.port}`,
        "x-stays": "1",
        via: "1.0 before, 1.1 islet",
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-proto": "http",
        "x-forwarded-host": "api.example.com",
        "x-forwarded-port": "80",
        forwarded: 'for=127.0.0.1;host="api.example.com";proto=http',
      });
      expect(headers["x-request-id"]).not.toBe("theirs");
    });

    test("headers of the server's connection stay behind too", async () => {
      const response = await front.get("/one/hop");
      expect(response.headers.get("x-stays")).toBe("1");
      expect(response.headers.get("via")).toBe("1.1 islet");
      // The listener may have one of its own.
      expect(response.headers.get("keep-alive")).not.toBe("timeout=5");
      for (const name of ["x-named", "proxy-authenticate"]) {
        expect(response.headers.get(name)).toBeNull();
      }
    });

    test("DF1: bytes go both ways unharmed, as many as there are", async () => {
      const bytes = await (await front.get("/one/bytes")).bytes();
      expect([...bytes]).toEqual([0, 255, 128, 10, 13]);
      const few = randomBytes(48 * 1024);
      const echoed = await front.get("/one/back", { method: "POST", body: few });
      expect(Buffer.compare(await echoed.bytes(), few)).toBe(0);
      const many = randomBytes(8 * 1024 * 1024);
      const kept = await front.get("/one/keep", { method: "POST", body: many });
      expect(await kept.text()).toBe(createHash("sha256").update(many).digest("hex"));
      const given = await front.get("/one/stored");
      expect(Buffer.compare(await given.bytes(), many)).toBe(0);
    });

    test("a body of unknown length goes through in pieces", async () => {
      const stream = new ReadableStream<Uint8Array>({
        start(controller) {
          for (let i = 0; i < 20; i++) controller.enqueue(new Uint8Array(10_000));
          controller.close();
        },
      });
      const init = { method: "POST", body: stream, duplex: "half" };
      const got = await echo("/one/echo", init as RequestInit);
      // What has arrived whole by then goes on with its length.
      expect(got.bytes).toBe(200_000);
    });

    test("DF2: several Set-Cookie stay several", async () => {
      const response = await front.get("/one/cookies");
      expect(response.headers.getSetCookie()).toEqual(["a=1; Path=/", "b=2"]);
    });

    test("DF12: a prefix ends where a segment ends", async () => {
      expect((await front.get("/onex/echo")).status).toBe(404);
    });

    test("paths are stripped, given a prefix, and rewritten with parameters", async () => {
      expect((await echo("/add/a?q=1")).url).toBe("/echo/v1/a?q=1");
      expect((await echo("/user/a%2Fb%3F/x")).url).toBe("/echo/a/b%3F");
      expect((await echo("/%6Fne/echo")).url).toBe("/echo");
    });

    test.each(["/one/../x", "/one/%2e%2E/x", "/one/a/.", "/one/..%2fx", "/one/..;/x"])(
      "%s is refused: what stands behind could take it for another address",
      async (path) => {
        const client = new RawClient(front.port);
        client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
        expect((await client.reply()).status).toBe(400);
        client.close();
      },
    );

    test.each([204, 304])("a %s has no body, and the connection stays in step", async (status) => {
      const client = new RawClient(front.port);
      for (let i = 0; i < 2; i++) {
        client.send(`GET /one/status/${status} HTTP/1.1\r\nHost: a\r\n\r\n`);
        expect((await client.reply(true)).status).toBe(status);
      }
      client.close();
    });

    test("HEAD tells the length and no body", async () => {
      const client = new RawClient(front.port);
      for (let i = 0; i < 2; i++) {
        client.send("HEAD /one/status/200 HTTP/1.1\r\nHost: a\r\n\r\n");
        const { status } = await client.reply(true);
        expect(status).toBe(200);
      }
      client.close();
    });

    test("Expect: 100-continue is answered here, and the body goes on", async () => {
      const client = new RawClient(front.port);
      client.send(
        "POST /one/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
      );
      expect(await client.some()).toMatch(/^HTTP\/1.1 100 Continue/);
      client.send("hello");
      const got = JSON.parse((await client.reply()).body.toString()) as Echo;
      expect(got.bytes).toBe(5);
      expect(got.headers["expect"]).toBeUndefined();
      client.close();
    });

    test("early hints are left out, and the reply behind them arrives", async () => {
      const response = await front.get("/one/hints");
      expect([response.status, await response.text()]).toEqual([200, "ok"]);
    });

    test("a reply that comes before the body was read reaches the client", async () => {
      const body = new Uint8Array(4 * 1024 * 1024);
      const response = await front.get("/one/early", { method: "POST", body });
      expect([response.status, await response.text()]).toEqual([413, "too much"]);
    });

    test.each(["garbage", "conflict", "twolengths", "badheader", "endless"])(
      "a reply that breaks HTTP (%s) is 502, with the reason in the log alone",
      async (what) => {
        const response = await front.get(`/one/${what}`);
        expect(response.status).toBe(502);
        expect(await response.json()).toMatchObject({ code: "UPSTREAM_FAILED" });
        expect(front.lines.at(-1)).toMatch(/upstream one, attempt 1: http:.*: .+/);
      },
    );

    test("a server that cannot be reached is 502 after the attempts it may have", async () => {
      const response = await front.get("/dead/x");
      expect(response.status).toBe(502);
      expect(response.headers.get("x-edge-attempts")).toBe("2");
      expect(front.lines.at(-1)).toContain("the connection was refused");
    });

    test("a server that says nothing is 504 after the time to the first byte", async () => {
      const before = peer.count("/hang");
      const asked = front.get("/quick/hang");
      await until("it is there", () => peer.count("/hang") > before);
      front.advance(TIMEOUT_MS);
      const response = await asked;
      expect(response.status).toBe(504);
      expect(await response.json()).toMatchObject({ code: "UPSTREAM_TIMEOUT" });
    });

    test("the limit of the whole exchange ends it: 504 before the reply, broken off within it", async () => {
      await using own = await openFront(configuration(peer.url, other.url, 1), { kind });
      const before = peer.count("/hang");
      const hanging = own.get("/total/hang");
      const stalled = await own.get("/total/stall");
      await until("it is there", () => peer.count("/hang") > before);
      own.advance(TIMEOUT_MS);
      expect((await hanging).status).toBe(504);
      await expect(stalled.text()).rejects.toThrow();
    });

    test.each(["half", "torn", "stall"])(
      "a reply that does not end (%s) is broken off",
      async (what) => {
        const client = new RawClient(front.port);
        client.send(`GET /quick/${what} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
        let text = await client.some();
        front.advance(TIMEOUT_MS);
        text += await client.rest();
        expect(text).toMatch(/^HTTP\/1.1 200/);
        // Neither the promised length nor the last chunk.
        expect(text.endsWith("\r\n0\r\n\r\n")).toBe(false);
        expect(text.length).toBeLessThan(600);
      },
    );

    test("a client that leaves ends the request to the server", async () => {
      const before = peer.count("/hang");
      const abort = new AbortController();
      const gone = front.get("/two/hang?gone", { signal: abort.signal }).catch(() => "gone");
      await until("the server sees it", () => peer.count("/hang") + other.count("/hang") > before);
      abort.abort();
      expect(await gone).toBe("gone");
      await [...peer.seen, ...other.seen].findLast((one) => one.path === "/hang?gone")?.closed;
    });

    test("a client that reads slowly slows the server down", async () => {
      const client = new RawClient(front.port);
      client.socket.pause();
      client.send("GET /two/flood HTTP/1.1\r\nHost: a\r\n\r\n");
      const flooded = (): number => peer.flooded + other.flooded;
      let last = -1;
      await until("the server is held", () => {
        const held = flooded() > 0 && flooded() === last;
        last = flooded();
        return held;
      });
      expect(flooded()).toBeLessThan(64 * 1024 * 1024);
      client.close();
    });

    test("a GET whose connection breaks is sent to the other server", async () => {
      peer.mood = "reset";
      for (let i = 0; i < 4; i++) expect((await echo("/two/echo")).name).toBe("other");
      peer.mood = null;
    });

    test("DF13: a POST whose connection breaks is sent once, unless it says that it may be sent twice", async () => {
      peer.mood = other.mood = "reset";
      const count = (): number => peer.count("/echo/post") + other.count("/echo/post");
      const first = await front.get("/two/echo/post", { method: "POST", body: "x" });
      expect([first.status, count()]).toEqual([502, 1]);
      const headers = { "idempotency-key": "a" };
      await front.get("/two/echo/post", { method: "POST", body: "x", headers });
      expect(count()).toBe(3);
      peer.mood = other.mood = null;
    });

    test("a POST that found no connection is sent to the next server: nothing of it was sent", async () => {
      for (let i = 0; i < 2; i++) {
        const got = await echo("/half/echo", { method: "POST", body: "hello" });
        expect([got.name, got.bytes]).toEqual(["peer", 5]);
      }
    });

    test("a body that is short is sent again whole, one that is long is not", async () => {
      peer.mood = other.mood = "reset";
      const put = async (path: string, bytes: number): Promise<number> => {
        const body = new Uint8Array(bytes);
        const stream = new ReadableStream<Uint8Array>({
          pull(controller) {
            controller.enqueue(body);
            controller.close();
          },
        });
        await front.get(`/two/${path}`, {
          method: "PUT",
          body: stream,
          duplex: "half",
        } as RequestInit);
        return peer.count(`/${path}`) + other.count(`/${path}`);
      };
      expect(await put("echo/short", 1_000)).toBe(2);
      expect(await put("echo/long", 2_000_000)).toBe(1);
      peer.mood = other.mood = null;
    });

    test("a status that is to be tried again is; the last one is the client's", async () => {
      const response = await front.get("/two/status/503");
      expect([response.status, response.headers.get("x-from")]).toEqual([503, "peer"]);
      expect(peer.count("/status/503") + other.count("/status/503")).toBe(2);
    });
  });
}

export function proxyTransports(): void {
  test("a server behind a Unix socket", async () => {
    using folder = temporary();
    const path = join(folder.path, "peer.sock");
    await using _peer = await openPeer("unix", { path });
    await using front = await openFront(
      `upstreams: { a: { servers: ["unix:${path}"] } }\nroutes: [ { match: { path: "/*" }, target: { upstream: a } } ]\n`,
    );
    expect(await (await front.get("/echo")).json()).toMatchObject({ name: "unix" });
  });

  test("a server behind TLS is verified", async () => {
    using folder = temporary();
    const files = { key: join(folder.path, "key.pem"), cert: join(folder.path, "cert.pem") };
    await createCertificate(files);
    const tls = { key: readFileSync(files.key, "utf8"), cert: readFileSync(files.cert, "utf8") };
    await using peer = await openPeer("secure", { tls });
    const upstream = (more: string): string =>
      `{ servers: ["https://localhost:${peer.port}"], retry: false, tls: { ${more} } }`;
    await using front = await openFront(`
upstreams: { known: ${upstream(`ca: "${files.cert}"`)}, unknown: ${upstream("")}, trusting: ${upstream("verify: false")} }
routes:
  - { match: { path: "/known/*" }, target: { upstream: known } }
  - { match: { path: "/unknown/*" }, target: { upstream: unknown } }
  - { match: { path: "/trusting/*" }, target: { upstream: trusting } }
`);
    expect(await (await front.get("/known/x")).json()).toMatchObject({ name: "secure" });
    expect((await front.get("/trusting/x")).status).toBe(200);
    expect((await front.get("/unknown/x")).status).toBe(502);
  });

  test("the client's Host goes on where that is asked for, and a name where one is given", async () => {
    await using peer = await openPeer();
    await using front = await openFront(`
upstreams:
  kept: { servers: ["${peer.url}"], host: preserve }
  named: { servers: ["${peer.url}"], host: api.internal }
routes:
  - { match: { path: "/kept" }, target: { upstream: kept } }
  - { match: { path: "/named" }, target: { upstream: named } }
`);
    const host = async (path: string): Promise<unknown> =>
      ((await (await front.get(path)).json()) as Echo).headers["host"];
    expect(await host("/kept")).toBe(`127.0.0.1:${front.port}`);
    expect(await host("/named")).toBe("api.internal");
  });
}
