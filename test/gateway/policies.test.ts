// Policies as a client meets them, one after the other and together.

import { describe, expect, test } from "vitest";
import { RawClient } from "../http/raw-client.ts";
import { until } from "../waiting.ts";
import { openFront, type Front } from "./front.ts";
import { openPeer } from "./peer.ts";

function routeWith(policies: string, more = ""): string {
  return `
routes:
  - name: all
    match: { path: "/*" ${more} }
    target: { endpoint: hello }
    policies: [ ${policies} ]
`;
}

describe("ipFilter", () => {
  test.each([
    ["allow: [127.0.0.0/8]", 200],
    ["deny: [127.0.0.0/8]", 403],
    ["allow: [10.0.0.0/8]", 403],
    ["allow: [127.0.0.1], deny: [127.0.0.1]", 403],
  ])("%s answers %d", async (lists, status) => {
    await using front = await openFront(routeWith(`ipFilter: { ${lists} }`));
    const response = await front.get("/");
    expect(response.status).toBe(status);
    if (status === 403) expect(await response.json()).toMatchObject({ code: "ADDRESS_DENIED" });
  });

  test("DF15: X-Forwarded-For counts only from proxies that are trusted, from the right", async () => {
    const policy = routeWith("ipFilter: { deny: [203.0.113.0/24] }");
    const ask = async (front: Front, forwarded: string): Promise<number> =>
      (await front.get("/", { headers: { "x-forwarded-for": forwarded } })).status;
    await using strict = await openFront(policy);
    expect(await ask(strict, "203.0.113.9")).toBe(200);
    await using trusting = await openFront(`${policy}trustedProxies: [127.0.0.1, 10.0.0.0/8]\n`);
    expect(await ask(trusting, "203.0.113.9")).toBe(403);
    expect(await ask(trusting, "203.0.113.9, 198.51.100.1")).toBe(200);
    expect(await ask(trusting, "198.51.100.1, 203.0.113.9, 10.1.2.3")).toBe(403);
    expect(await ask(trusting, "203.0.113.9, nonsense")).toBe(200);
  });
});

describe("rateLimit", () => {
  const limit = "rateLimit: { capacity: 2, refillPerSec: 0.001 }";

  test("refuses with 429, says what is left and when to come back", async () => {
    await using front = await openFront(routeWith(limit));
    const first = await front.get("/");
    expect(first.headers.get("ratelimit-limit")).toBe("2");
    expect(first.headers.get("ratelimit-remaining")).toBe("1");
    await front.get("/");
    const refused = await front.get("/");
    expect(refused.status).toBe(429);
    expect(await refused.json()).toMatchObject({ code: "RATE_LIMITED" });
    expect(refused.headers.get("ratelimit-remaining")).toBe("0");
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(900);
  });

  test("DF15: a client is its address: neither its port nor a header that it writes makes it another", async () => {
    await using front = await openFront(routeWith(limit));
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++) {
      const headers = { connection: "close", "x-forwarded-for": `198.51.100.${i}` };
      statuses.push((await front.get(`/${i}`, { headers })).status);
    }
    expect(statuses).toEqual([200, 200, 429, 429]);
  });

  test("counts by a header, and by the address where the header is missing", async () => {
    await using front = await openFront(
      routeWith("rateLimit: { capacity: 1, refillPerSec: 0.001, key: apiKey }"),
    );
    const ask = async (key?: string): Promise<number> =>
      (await front.get("/", key === undefined ? {} : { headers: { "x-api-key": key } })).status;
    expect([await ask("a"), await ask("a"), await ask("b"), await ask(), await ask()]).toEqual([
      200, 429, 200, 200, 429,
    ]);
  });

  test("an IPv6 client is its network of 64 bits, an IPv4 client the same in either form", async () => {
    await using front = await openFront(`${routeWith(limit)}trustedProxies: [127.0.0.1]\n`);
    const ask = async (address: string): Promise<number> =>
      (await front.get("/", { headers: { "x-forwarded-for": address } })).status;
    expect(await ask("2001:db8:1:2::1")).toBe(200);
    expect(await ask("2001:0DB8:0001:0002:ffff:ffff:ffff:ffff")).toBe(200);
    expect(await ask("[2001:db8:1:2:a::9]:4711")).toBe(429);
    expect(await ask("2001:db8:1:3::1")).toBe(200);
    expect(await ask("203.0.113.1")).toBe(200);
    expect(await ask("::ffff:203.0.113.1")).toBe(200);
    expect(await ask("::ffff:cb00:7101")).toBe(429);
    expect(await ask("::ffff:203.0.113.2")).toBe(200);
  });

  test("every spelling of a path that reaches the route counts, other routes do not", async () => {
    await using front = await openFront(`
routes:
  - { name: a, match: { path: /a }, target: { respond: { body: a } }, policies: [ ${limit} ] }
  - { name: b, match: { path: /b }, target: { respond: { body: b } } }
`);
    const ask = async (path: string): Promise<number> => {
      const client = new RawClient(front.port);
      client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      const { status } = await client.reply();
      client.close();
      return status;
    };
    const seen: number[] = [];
    for (const path of [
      "/a",
      "/%61",
      "/a?x=1",
      "/a#x",
      "//a",
      "/a/",
      "/a/%2e%2e/a",
      "/./a",
      "/A",
    ]) {
      seen.push(await ask(path));
    }
    expect(seen.slice(0, 3)).toEqual([200, 200, 429]);
    // Those that reach nothing are free.
    expect(seen.filter((status) => status === 200)).toHaveLength(2);
    expect(await ask("/b")).toBe(200);
  });

  test("several hold together, and the one with least left shows", async () => {
    await using front = await openFront(
      routeWith(`rateLimit: { capacity: 9, refillPerSec: 0.001 }, ${limit}`),
    );
    const response = await front.get("/");
    expect(response.headers.get("ratelimit-limit")).toBe("2");
    expect(response.headers.get("ratelimit-remaining")).toBe("1");
  });

  test("keeps its counts when the configuration changes, and a new limit holds at once", async () => {
    await using front = await openFront(
      routeWith("rateLimit: { algorithm: fixed-window, capacity: 10, window: 1h }"),
    );
    for (let i = 0; i < 7; i++) await front.get("/");
    front.configure(
      routeWith(
        "rateLimit: { algorithm: fixed-window, capacity: 9, window: 1h }, timeout: { total: 1s }",
      ),
    );
    expect((await front.get("/")).headers.get("ratelimit-remaining")).toBe("1");
  });
});

describe("cors", () => {
  const policies =
    "rateLimit: { capacity: 1, refillPerSec: 0.001 }, cors: { origins: ['https://app.example.com'], methods: [PUT], headers: [x-own], credentials: true, exposeHeaders: [x-seen], maxAge: 60 }";
  const origin = "https://app.example.com";
  const preflight = (from: string): RequestInit => ({
    method: "OPTIONS",
    headers: { origin: from, "access-control-request-method": "PUT" },
  });

  test("a preflight is answered without the target, and uses up no limit", async () => {
    await using front = await openFront(routeWith(policies, ", methods: [PUT]"));
    for (let i = 0; i < 3; i++) {
      const response = await front.get("/", preflight(origin));
      expect(response.status).toBe(204);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        "access-control-allow-origin": origin,
        "access-control-allow-methods": "PUT",
        "access-control-allow-headers": "x-own",
        "access-control-allow-credentials": "true",
        "access-control-max-age": "60",
        vary: "Origin",
      });
    }
  });

  test("another origin is told nothing, but that the answer varies", async () => {
    await using front = await openFront(routeWith(policies));
    for (const init of [
      preflight("https://evil.example"),
      { headers: { origin: "https://evil.example" } },
    ]) {
      const response = await front.get("/", init);
      expect(response.headers.get("access-control-allow-origin")).toBeNull();
      expect(response.headers.get("access-control-allow-methods")).toBeNull();
      expect(response.headers.get("vary")).toBe("Origin");
    }
  });

  test("refusals of other policies can be read by the page as replies can", async () => {
    await using front = await openFront(routeWith(policies));
    for (const status of [200, 429]) {
      const response = await front.get("/", { headers: { origin } });
      expect(response.status).toBe(status);
      expect(response.headers.get("access-control-allow-origin")).toBe(origin);
      expect(response.headers.get("access-control-expose-headers")).toBe("x-seen");
    }
  });

  test("a route for other methods takes OPTIONS for preflights alone", async () => {
    await using front = await openFront(routeWith(policies, ", methods: [PUT]"));
    const response = await front.get("/", { method: "OPTIONS" });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "PUT"]);
  });

  test("what the server itself says of CORS is replaced, and its Vary kept", async () => {
    await using peer = await openPeer();
    await using front = await openFront(`
upstreams: { a: { servers: ["${peer.url}"] } }
routes:
  - { match: { path: "/*" }, target: { upstream: a }, policies: [ cors: { origins: ["${origin}"] } ] }
`);
    const response = await front.get("/cors", { headers: { origin } });
    expect(response.headers.get("access-control-allow-origin")).toBe(origin);
    expect(response.headers.get("vary")).toBe("accept, Origin");
  });

  test("any origin is *, which does not vary", async () => {
    await using front = await openFront(routeWith("cors: { origins: ['*'] }"));
    const response = await front.get("/", { headers: { origin: "https://any.example" } });
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    expect(response.headers.get("vary")).toBeNull();
  });
});

describe("headers", () => {
  test("are removed, set and added on both ways, with what the request holds", async () => {
    await using front = await openFront(
      routeWith(
        "headers: { request: { set: { x-gw: islet, x-who: '{request.ip} {request.method}' }, add: { x-more: b }, remove: [x-bad] }," +
          " response: { set: { x-path: '{request.path}' }, remove: [x-endpoint] } }",
      ),
    );
    const headers = { "x-gw": "theirs", "x-bad": "1", "x-more": "a" };
    const response = await front.get("/a/b", { headers });
    const seen = await response.text();
    expect(seen).toContain("x-gw\nislet\n");
    expect(seen).not.toContain("theirs");
    expect(seen).not.toContain("x-bad");
    expect(seen).toContain("x-who\n127.0.0.1 GET\n");
    expect(seen).toMatch(/x-more\na\n[^]*x-more\nb\n/);
    expect(response.headers.get("x-path")).toBe("/a/b");
    expect(response.headers.get("x-endpoint")).toBeNull();
  });
});

describe("bodyLimit", () => {
  test.each([
    [99, 200],
    [100, 200],
    [101, 413],
  ])("of 100 bytes: %d bytes answer %d, announced or not", async (bytes, status) => {
    await using peer = await openPeer();
    await using front = await openFront(`
upstreams: { a: { servers: ["${peer.url}"] } }
routes:
  - { match: { path: "/*" }, target: { upstream: a }, policies: [ bodyLimit: { max: 100B } ] }
`);
    const response = await front.get("/echo", { method: "POST", body: new Uint8Array(bytes) });
    expect(response.status).toBe(status);
    const client = new RawClient(front.port);
    client.send(`POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`);
    client.send(`${bytes.toString(16)}\r\n${"x".repeat(bytes)}\r\n0\r\n\r\n`);
    expect((await client.reply()).status).toBe(status);
    client.close();
  });
});

describe("loadShed", () => {
  test("refuses the less important routes first while the worker lags, and none when it has caught up", async () => {
    const route = (priority: string): string =>
      `{ name: ${priority}, match: { path: /${priority} }, target: { respond: { body: ok } },
         policies: [ loadShed: { maxLag: 1s, priority: ${priority} } ] }`;
    await using front = await openFront(`
routes: [ ${["low", "normal", "high"].map(route).join(", ")} ]
`);
    const statuses = (): Promise<number[]> =>
      Promise.all(["/low", "/normal", "/high"].map(async (path) => (await front.get(path)).status));
    expect(await statuses()).toEqual([200, 200, 200]);
    // As a turn of so long would: the next sample makes a third of it the mean.
    front.advance(11_000);
    await until("it is told", async () => (await front.get("/low")).status === 503);
    const seen: string[] = [];
    await until("it is over", async () => {
      const now = (await statuses()).join(" ");
      if (seen.at(-1) !== now) seen.push(now);
      return now === "200 200 200";
    });
    // Never a more important one without the less important.
    expect(seen.filter((now) => !/^(?:200 200 200|503 200 200|503 503 200)$/.test(now))).toEqual(
      [],
    );
  });
});

describe("targets", () => {
  test("an endpoint sees the path as it was changed; redirect and respond answer here", async () => {
    await using front = await openFront(`
routes:
  - { match: { path: "/app/*" }, target: { endpoint: hello, stripPrefix: /app } }
  - { match: { path: "/old/{id}" }, target: { redirect: "/new/{id}", status: 308 } }
  - { match: { path: /mock }, target: { respond: { status: 418, headers: { x-mock: "1" }, body: "{}" } } }
`);
    expect(await (await front.get("/app/x?y=1")).text()).toContain("hello /x?y=1\n");
    const moved = await front.get("/old/a%20b");
    expect([moved.status, moved.headers.get("location")]).toEqual([308, "/new/a%20b"]);
    const mock = await front.get("/mock");
    expect([mock.status, mock.headers.get("x-mock"), await mock.text()]).toEqual([418, "1", "{}"]);
  });

  test("no path of a client's leads a redirect to another host", async () => {
    await using front = await openFront(`
routes:
  - { match: { path: "/old/{*rest}" }, target: { redirect: "/{rest}" } }
  - { match: { path: "/cdn/{*rest}" }, target: { redirect: "//cdn.example/{rest}" } }
`);
    const location = async (path: string): Promise<string | null> =>
      (await front.get(path)).headers.get("location");
    expect(await location("/old//evil.example/a")).toBe("/evil.example/a");
    expect(await location("/old/%2F%2fevil.example")).toBe("/evil.example");
    expect(await location("/old/%5Cevil.example")).toBe("/%5Cevil.example");
    expect(await location("/cdn/a//b")).toBe("//cdn.example/a//b");
  });
});
