// Policies about what clients are told, as clients meet them.

import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openFront, type Front } from "./front.ts";

const own = (policies: string): string => `
routes:
  - { match: { path: "/*" }, target: { respond: { headers: { server: mine, x-frame-options: SAMEORIGIN }, body: hi } },
      policies: [ ${policies} ] }
`;

const headersOf = (response: Response): Record<string, string> =>
  Object.fromEntries(response.headers);

describe("securityHeaders", () => {
  test("are said with every reply, but where the target says so itself", async () => {
    await using front = await openFront(
      own(
        "securityHeaders: { set: { content-security-policy: default-src 'self' }, without: [referrer-policy] }",
      ),
    );
    const headers = headersOf(await front.get("/"));
    expect(headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "x-frame-options": "SAMEORIGIN",
      "content-security-policy": "default-src 'self'",
    });
    expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(["referrer-policy"]));
    expect(headers["server"]).toBeUndefined();
    expect(headers["strict-transport-security"]).toBeUndefined();
  });

  test("HSTS needs TLS, here or at a proxy that is trusted", async () => {
    const init = { headers: { "x-forwarded-proto": "https" } };
    await using front = await openFront(
      `${own("securityHeaders: {}")}trustedProxies: [127.0.0.1]\n`,
    );
    expect(headersOf(await front.get("/", init))["strict-transport-security"]).toContain(
      "max-age=31536000",
    );
    await using other = await openFront(own("securityHeaders: {}"));
    expect(headersOf(await other.get("/", init))["strict-transport-security"]).toBeUndefined();
  });
});

describe("maintenance", () => {
  test("closes the route for all but some", async () => {
    await using closed = await openFront(
      own("maintenance: { retryAfter: 90s, allow: [10.0.0.0/8] }"),
    );
    const response = await closed.get("/");
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "90"]);
    expect(await response.json()).toMatchObject({ code: "MAINTENANCE" });
    await using some = await openFront(own("maintenance: { allow: [127.0.0.1] }"));
    expect((await some.get("/")).status).toBe(200);
    await using off = await openFront(own("maintenance: { enabled: false }"));
    expect((await off.get("/")).status).toBe(200);
  });
});

describe("fault", () => {
  test("shares of requests fail, and only with the header", async () => {
    const draws = [0.29, 0.3, 0, 0.9];
    const random = (): number => draws.shift() ?? 1;
    await using front = await openFront(
      own("fault: { header: X-Fault, abort: { share: 0.3, status: 418 } }"),
      { random },
    );
    const ask = async (headers: Record<string, string>): Promise<number> =>
      (await front.get("/", { headers })).status;
    const fault = { "x-fault": "1" };
    expect([
      await ask(fault),
      await ask(fault),
      await ask({}),
      await ask(fault),
      await ask(fault),
    ]).toEqual([418, 200, 200, 418, 200]);
  });

  test("a delayed request is answered later, and may fail then", async () => {
    await using front = await openFront(own("fault: { delay: { for: 50ms }, abort: {} }"));
    const begun = performance.now();
    expect((await front.get("/")).status).toBe(503);
    expect(performance.now() - begun).toBeGreaterThan(45);
  });
});

describe("errorPages", () => {
  let peer: Server;
  let front: Front;

  beforeAll(async () => {
    peer = createServer((request, response) => {
      response.writeHead(Number(request.url?.slice(-3)), {
        etag: '"a"',
        "x-kept": "1",
        "content-encoding": "gzip",
      });
      response.end("the target's own");
    });
    peer.listen(0, "127.0.0.1");
    await once(peer, "listening");
    const { port } = peer.address() as AddressInfo;
    const pages = `[
      { on: [404], html: "<p>{status} <i>{code}</i> {title} {request.id}</p>", json: '{"sorry":{status},"code":"{code}","id":"{request.id}"}' },
      { on: [UPSTREAM_FAILED], json: '{"up":"{code}"}' }, { on: [5xx], html: "<p>five</p>" } ]`;
    front = await openFront(`
upstreams: { peer: { servers: ["http://127.0.0.1:${port}"] }, dead: { servers: ["http://127.0.0.1:1"], retry: false } }
routes:
  - { match: { path: "/all/*" }, target: { upstream: peer, stripPrefix: /all }, policies: [ errorPages: { replies: all, pages: ${pages} } ] }
  - { match: { path: "/own/*" }, target: { upstream: peer, stripPrefix: /own }, policies: [ errorPages: { pages: ${pages} } ] }
  - { match: { path: /dead }, target: { upstream: dead }, policies: [ errorPages: { pages: ${pages} } ] }
`);
  });

  afterAll(async () => {
    await front[Symbol.asyncDispose]();
    peer.closeAllConnections();
    peer.close();
  });

  test("stand for the target's failures, as text or JSON as the client likes", async () => {
    const json = await front.get("/all/404");
    expect(json.status).toBe(404);
    expect(headersOf(json)).toMatchObject({
      "content-type": "application/json",
      vary: "Accept",
      "x-kept": "1",
    });
    expect([json.headers.get("etag"), json.headers.get("content-encoding")]).toEqual([null, null]);
    expect(await json.json()).toEqual({
      sorry: 404,
      code: "",
      id: json.headers.get("x-request-id"),
    });
    const html = await front.get("/all/404", { headers: { accept: "text/html,*/*" } });
    expect(html.headers.get("content-type")).toBe("text/html;charset=UTF-8");
    expect(await html.text()).toBe(`<p>404 <i></i>  ${html.headers.get("x-request-id")}</p>`);
    expect(await (await front.get("/all/501")).text()).toBe("<p>five</p>");
  });

  test("leave alone what is well, what has no page, and the target's failures unless they are wanted", async () => {
    for (const [path, init] of [
      ["/all/200", {}],
      ["/all/403", {}],
      ["/own/404", {}],
    ] as const) {
      const response = await fetch(`${front.url}${path}`, { ...init, method: "HEAD" });
      expect([String(response.status), response.headers.get("etag")]).toEqual([
        path.slice(-3),
        '"a"',
      ]);
    }
  });

  test("stand for the gateway's own failures, by code before status", async () => {
    const response = await front.get("/dead", { headers: { accept: "text/html" } });
    expect([response.status, response.headers.get("vary")]).toEqual([502, null]);
    expect(await response.json()).toEqual({ up: "UPSTREAM_FAILED" });
  });
});

describe("validation", () => {
  const policy = `validation: {
    maxBody: 1KiB,
    query: { type: object, required: [page], properties: { page: { type: integer, minimum: 1 }, tag: { type: array, items: { type: string } } }, additionalProperties: false },
    headers: { type: object, properties: { x-version: { enum: [1, 2] } } },
    body: { type: object, required: [name], properties: { name: { type: string, minLength: 2 }, mail: { type: string, format: email } } } }`;
  let front: Front;

  beforeAll(async () => {
    front = await openFront(
      `routes: [ { match: { path: "/*" }, target: { endpoint: hello }, policies: [ ${policy} ] } ]\n`,
    );
  });

  afterAll(async () => {
    await front[Symbol.asyncDispose]();
  });

  const post = (body: string, path = "/?page=1", type = "application/json"): Promise<Response> =>
    front.get(path, { method: "POST", body, headers: { "content-type": type } });

  test("what fits passes", async () => {
    expect((await post('{"name":"ab","mail":"a@b.example"}')).status).toBe(200);
    expect(
      (await post('{"name":"ab"}', "/?page=7&tag=a&tag=b", "application/x+json; charset=utf-8"))
        .status,
    ).toBe(200);
    expect((await front.get("/?page=1&tag=a")).status).toBe(200);
    expect((await front.get("/?page=1", { headers: { "x-version": "2" } })).status).toBe(422);
  });

  test.each([
    [
      "body: {}",
      "{}",
      "/?page=1",
      "application/json",
      "body",
      "",
      "must have required property 'name'",
    ],
    [
      "body",
      '{"name":"a"}',
      "/?page=1",
      "application/json",
      "body",
      "/name",
      "must NOT have fewer than 2 characters",
    ],
    [
      "format",
      '{"name":"ab","mail":"x"}',
      "/?page=1",
      "application/json",
      "body",
      "/mail",
      'must match format "email"',
    ],
    ["type", '{"name":"ab"}', "/?page=1", "text/plain", "body", "", "must be JSON"],
    ["no JSON", "{", "/?page=1", "application/json", "body", "", "must be JSON"],
    [
      "no query",
      '{"name":"ab"}',
      "/",
      "application/json",
      "query",
      "",
      "must have required property 'page'",
    ],
    ["page", '{"name":"ab"}', "/?page=0", "application/json", "query", "/page", "must be >= 1"],
    [
      "unknown",
      '{"name":"ab"}',
      "/?page=1&x=1",
      "application/json",
      "query",
      "",
      "must NOT have additional properties",
    ],
  ])("%s: refused with its place", async (...[, body, path, type, part, pointer, message]) => {
    const response = await post(body, path, type);
    expect(response.status).toBe(422);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(await response.json()).toMatchObject({
      code: "REQUEST_INVALID",
      errors: [{ in: part, path: pointer, message }],
    });
  });

  test("a body is wanted where there can be one, and up to its limit", async () => {
    expect((await front.get("/?page=1", { method: "POST" })).status).toBe(422);
    const body = (length: number): string => `{"name":"${"x".repeat(length - 11)}"}`;
    expect((await post(body(1_024))).status).toBe(200);
    expect((await post(body(1_025))).status).toBe(413);
  });
});
