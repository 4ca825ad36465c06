// Policies as a client meets them, one after the other and together.

import { createHmac, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { JWKS_FLOOR_MS, TOKEN_CHARS_MAX } from "../../runtime/gateway/policies/auth/jwt.ts";
import { RawClient } from "../http/raw-client.ts";
import { openFront, type Front } from "./front.ts";
import { openPeer } from "./peer.ts";

const SECRET = "a secret of thirty-two bytes or more";

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

const encoded = (value: unknown): string =>
  Buffer.from(JSON.stringify(value)).toString("base64url");

function signed(header: object, claims: unknown, key: string | KeyObject): string {
  const text = `${encoded(header)}.${typeof claims === "string" ? claims : encoded(claims)}`;
  if (typeof key === "string")
    return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
  const isEdwards = key.asymmetricKeyType === "ed25519";
  const options =
    key.asymmetricKeyType === "ec" ? { key, dsaEncoding: "ieee-p1363" as const } : key;
  return `${text}.${sign(isEdwards ? null : "sha256", Buffer.from(text), options).toString("base64url")}`;
}

const soon = (): number => Math.floor(Date.now() / 1_000) + 600;
const claims = (more: object = {}): object => ({
  sub: "ann",
  iss: "i",
  aud: "a",
  exp: soon(),
  ...more,
});
const HS = { alg: "HS256", typ: "JWT" };

describe("jwt", () => {
  const policy = `jwt: { algorithms: [HS256], secret: "\${SECRET}", issuer: i, audience: a, forward: { sub: x-user, roles: x-roles } }`;
  const options = { variables: { SECRET } };

  async function ask(
    front: Front,
    token?: string,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    const own = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return front.get("/", { headers: { ...headers, ...own } });
  }

  test("a valid token passes, and its claims go on as headers that no client can write", async () => {
    await using front = await openFront(routeWith(policy), options);
    const token = signed(HS, claims({ roles: ["x", "y"] }), SECRET);
    const seen = await (await ask(front, token, { "x-user": "root", "x-roles": "admin" })).text();
    expect(seen).toContain("x-user\nann\n");
    expect(seen).toContain('x-roles\n["x","y"]\n');
    expect(seen).not.toMatch(/root|admin/);
    const without = await (
      await ask(front, signed(HS, claims(), SECRET), { "x-roles": "admin" })
    ).text();
    expect(without).not.toContain("x-roles");
  });

  test("DF17: without a token it is 401, and only the configured algorithm and secret verify one", async () => {
    await using front = await openFront(routeWith(policy), options);
    const missing = await ask(front);
    expect([missing.status, missing.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
    const past = Math.floor(Date.now() / 1_000) - 60;
    const bad: Readonly<Record<string, string>> = {
      "no signature": `${encoded({ alg: "none" })}.${encoded(claims())}.`,
      "none, spelt otherwise": `${encoded({ alg: "nOnE" })}.${encoded(claims())}.`,
      "no signature under a known algorithm": `${encoded(HS)}.${encoded(claims())}.`,
      "another secret": signed(HS, claims(), "x".repeat(32)),
      "another algorithm": signed({ alg: "RS256" }, claims(), privateKey),
      "an algorithm of the same kind": signed({ alg: "HS512" }, claims(), SECRET),
      "a key in its own header": signed(
        { ...HS, jwk: { kty: "oct", k: Buffer.from("x".repeat(32)).toString("base64url") } },
        claims(),
        "x".repeat(32),
      ),
      "an unknown critical header": signed({ ...HS, crit: ["own"], own: 1 }, claims(), SECRET),
      expired: signed(HS, claims({ exp: past }), SECRET),
      "not yet valid": signed(HS, claims({ nbf: soon() }), SECRET),
      "another issuer": signed(HS, claims({ iss: "x" }), SECRET),
      "another audience": signed(HS, claims({ aud: "x" }), SECRET),
      "a time that is none": signed(HS, claims({ exp: "later" }), SECRET),
      "no claims": signed(HS, encoded([1]), SECRET),
      "no JSON": signed(HS, "bm9uc2Vuc2U", SECRET),
      "no token": "abc",
      "a huge one": signed(HS, claims({ x: "y".repeat(TOKEN_CHARS_MAX) }), SECRET),
    };
    for (const [what, token] of Object.entries(bad)) {
      const response = await ask(front, token);
      expect([what, response.status]).toEqual([what, 401]);
      expect(response.headers.get("www-authenticate")).toBe('Bearer error="invalid_token"');
      expect(await response.json()).toMatchObject({ code: "TOKEN_INVALID" });
    }
  });

  test("a clock may be wrong by the skew, and no more", async () => {
    await using front = await openFront(
      routeWith('jwt: { algorithms: [HS256], secret: "${SECRET}", clockSkew: 1m }'),
      options,
    );
    const now = Math.floor(Date.now() / 1_000);
    expect((await ask(front, signed(HS, { exp: now - 50 }, SECRET))).status).toBe(200);
    expect((await ask(front, signed(HS, { exp: now - 70 }, SECRET))).status).toBe(401);
  });

  const rsa = generateKeyPairSync("rsa", { modulusLength: 2_048 });
  const elliptic = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const edwards = generateKeyPairSync("ed25519");
  const pemOf = (key: KeyObject): string => key.export({ type: "spki", format: "pem" }).toString();

  test.each([
    ["RS256", rsa],
    ["ES256", elliptic],
    ["EdDSA", edwards],
  ])(
    "%s verifies with a public key, which is no secret",
    async (alg, { publicKey, privateKey }) => {
      await using front = await openFront(
        routeWith(`jwt: { algorithms: [${alg}], publicKey: "\${PEM}" }`),
        { variables: { PEM: pemOf(publicKey) } },
      );
      expect((await ask(front, signed({ alg }, claims(), privateKey))).status).toBe(200);
      // The attack that made algorithm lists necessary.
      expect((await ask(front, signed(HS, claims(), pemOf(publicKey)))).status).toBe(401);
      const other = generateKeyPairSync("rsa", { modulusLength: 2_048 });
      expect((await ask(front, signed({ alg: "RS256" }, claims(), other.privateKey))).status).toBe(
        401,
      );
    },
  );

  test("keys of an address are fetched once, chosen by kid, and not again for each unknown one", async () => {
    let fetched = 0;
    let status = 200;
    const jwk = {
      ...rsa.publicKey.export({ format: "jwk" }),
      kid: "one",
      alg: "RS256",
      use: "sig",
    };
    const server = createServer((_request, response) => {
      fetched++;
      response
        .writeHead(status, { "content-type": "application/json" })
        .end(JSON.stringify({ keys: [jwk] }));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await using front = await openFront(
      routeWith(`jwt: { algorithms: [RS256], jwks: "${url}/keys" }`),
    );
    const token = (kid: string): string => signed({ alg: "RS256", kid }, claims(), rsa.privateKey);
    status = 500;
    const unknown = await ask(front, token("one"));
    expect([unknown.status, await unknown.json()]).toMatchObject([
      503,
      { code: "TOKEN_KEYS_UNAVAILABLE" },
    ]);
    status = 200;
    await using later = await openFront(
      routeWith(`jwt: { algorithms: [RS256], jwks: "${url}/later" }`),
    );
    fetched = 0;
    for (const kid of ["one", "one", "../../etc/passwd", "two", "' OR 1=1"]) {
      expect((await ask(later, token(kid))).status).toBe(kid === "one" ? 200 : 401);
    }
    expect(fetched).toBe(1);
    expect(JWKS_FLOOR_MS).toBeGreaterThanOrEqual(10_000);
    server.close();
  });

  test("a limit by a claim is the token's, and an unverified one uses up nobody's", async () => {
    await using front = await openFront(
      routeWith(`rateLimit: { capacity: 1, refillPerSec: 0.001, key: jwt:sub }, ${policy}`),
      options,
    );
    const forged = signed(HS, claims({ sub: "bob" }), "x".repeat(32));
    for (let i = 0; i < 3; i++) expect((await ask(front, forged)).status).toBe(401);
    const statuses: number[] = [];
    for (const sub of ["ann", "ann", "bob"]) {
      statuses.push((await ask(front, signed(HS, claims({ sub }), SECRET))).status);
    }
    expect(statuses).toEqual([200, 429, 200]);
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
});
