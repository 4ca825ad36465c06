// Who may pass, by keys, passwords and what a server of the operator's says; and several ways on one route.

import { createHash, scryptSync } from "node:crypto";
import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { KEY_CHARS_MAX } from "../../runtime/gateway/policies/auth/api-key.ts";
import { CREDENTIALS_CHARS_MAX } from "../../runtime/gateway/policies/auth/basic.ts";
import { REPLY_BYTES_MAX } from "../../runtime/gateway/policies/auth/forward-auth.ts";
import { Passwords, WAITING_MAX } from "../../runtime/gateway/policies/auth/passwords.ts";
import { openFront, type Front, type FrontOptions } from "./front.ts";

const ANN_KEY = "ann's key, long and random";
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

function scryptOf(password: string): string {
  const salt = Buffer.from("0123456789abcdef");
  const hash = scryptSync(password, salt, 32, { N: 1_024, r: 8, p: 1 });
  const plain = (bytes: Buffer): string => bytes.toString("base64").replace(/=+$/, "");
  return `$scrypt$ln=10,r=8,p=1$${plain(salt)}$${plain(hash)}`;
}

const VARIABLES = {
  BOB_KEY: "bobs-key-long-and-random",
  BOB_PASSWORD: "bob's own password",
  ANN_PASSWORD: scryptOf("correct horse"),
  SECRET: "a secret of thirty-two bytes or more",
};
const CONSUMERS = `
consumers:
  ann:
    keys: [ "sha256:${sha256(ANN_KEY)}" ]
    password: "\${ANN_PASSWORD}"
    groups: [ admins, staff ]
  bob:
    keys: [ "\${BOB_KEY}" ]
    password: "\${BOB_PASSWORD}"
    rateLimit: { capacity: 2, refillPerSec: 0.001 }
`;
const bobKey = VARIABLES.BOB_KEY;

function routesWith(...policies: string[]): string {
  const routes = policies.map(
    (list, index) => `
  - name: route-${index}
    match: { path: "/${index}/*" }
    target: { endpoint: hello }
    policies: [ ${list} ]
`,
  );
  return `${CONSUMERS}\nroutes:${routes.join("")}`;
}

const open = (text: string, options: FrontOptions = {}): Promise<Front> =>
  openFront(text, { variables: VARIABLES, ...options });

const basicOf = (name: string, password: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`,
});

async function ask(
  front: Front,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; code: string; text: string; headers: Headers }> {
  const response = await front.get(path, { headers });
  const text = await response.text();
  const code = response.status < 400 ? "" : String((JSON.parse(text) as { code: string }).code);
  return { status: response.status, code, text, headers: response.headers };
}

describe("apiKey", () => {
  let front: Front;
  beforeAll(async () => {
    front = await open(
      routesWith(
        "apiKey: {}",
        "apiKey: { from: [bearer, 'query:key', 'cookie:key'], groups: [staff] }",
        "apiKey: { required: false }",
        "apiKey: { from: 'query:key', hide: false }",
        "apiKey: {}, rateLimit: { capacity: 1, refillPerSec: 0.001, key: consumer }",
      ),
    );
  });
  afterAll(() => front[Symbol.asyncDispose]());
  beforeEach(() => front.advance(3_600_000));

  test("lets a consumer's key through, and names the consumer to what stands behind and in the log", async () => {
    const forged = { "x-consumer": "root", "x-consumer-groups": "everything" };
    const { status, text } = await ask(front, "/0/", { "x-api-key": ANN_KEY, ...forged });
    expect(status).toBe(200);
    expect(text).toContain("x-consumer\nann\nx-consumer-groups\nadmins,staff\n");
    expect(text).not.toMatch(/root|everything/);
    expect(front.access.at(-1)).toMatchObject({ consumer: "ann", status: 200 });
  });

  test("keeps the key from what stands behind, unless told not to", async () => {
    expect((await ask(front, "/0/", { "x-api-key": ANN_KEY })).text).not.toContain(ANN_KEY);
    const encoded = encodeURIComponent(ANN_KEY);
    const { text } = await ask(front, `/1/?a=1&key=${encoded}&b=%20`);
    expect(text).toContain("hello /1/?a=1&b=%20\n");
    const cookie = await ask(front, "/1/", { cookie: `a=1; key=${ANN_KEY}; b=2` });
    expect([cookie.status, cookie.text]).toEqual([200, expect.stringContaining("a=1; b=2")]);
    expect((await ask(front, `/3/?key=${bobKey}`)).text).toContain(bobKey);
  });

  test.each([
    ["no key", {}],
    ["an empty one", { "x-api-key": "" }],
    ["an unknown one", { "x-api-key": "x".repeat(20) }],
    ["the hash of one", { "x-api-key": sha256(ANN_KEY) }],
    ["another case", { "x-api-key": ANN_KEY.toUpperCase() }],
    ["the beginning of one", { "x-api-key": ANN_KEY.slice(0, -1) }],
    ["one in another place", { authorization: `Bearer ${bobKey}` }],
    ["a huge one", { "x-api-key": "x".repeat(KEY_CHARS_MAX + 1) }],
  ])("refuses %s with 401 and says what is asked for", async (_what, headers) => {
    const refused = await ask(front, "/0/", headers);
    expect([refused.status, refused.code]).toEqual([401, "CREDENTIALS_INVALID"]);
    expect(refused.headers.get("www-authenticate")).toBe("Key");
  });

  test("takes a key from a bearer token and a query, and refuses consumers of other groups with 403", async () => {
    const bearer = await ask(front, "/1/", { authorization: `Bearer ${bobKey}` });
    expect([bearer.status, bearer.code]).toEqual([403, "CONSUMER_DENIED"]);
    expect(front.access.at(-1)).toMatchObject({ consumer: "bob", outcome: "CONSUMER_DENIED" });
    const query = await ask(front, `/1/?key=${encodeURIComponent(ANN_KEY)}`);
    expect(query.status).toBe(200);
  });

  test("where it is not required, nobody in particular passes, and a wrong key does not", async () => {
    const anonymous = await ask(front, "/2/", { "x-consumer": "root" });
    expect([anonymous.status, anonymous.text]).toEqual([200, expect.not.stringContaining("root")]);
    expect((await ask(front, "/2/", { "x-api-key": "wrong" })).status).toBe(401);
    expect((await ask(front, "/2/", { "x-api-key": ANN_KEY })).text).toContain("ann");
  });

  test("a consumer's own limit is one over all routes, and is shown", async () => {
    const key = { "x-api-key": bobKey };
    const first = await ask(front, "/0/", key);
    expect([first.status, first.headers.get("ratelimit-remaining")]).toEqual([200, "1"]);
    expect((await ask(front, `/3/?key=${bobKey}`)).status).toBe(200);
    const refused = await ask(front, "/2/", key);
    expect([refused.status, refused.code]).toEqual([429, "RATE_LIMITED"]);
    expect((await ask(front, "/0/", { "x-api-key": ANN_KEY })).status).toBe(200);
  });

  test("a limit by consumer counts each one's requests, whatever its address", async () => {
    const statuses: number[] = [];
    for (const key of [ANN_KEY, ANN_KEY, bobKey, ANN_KEY]) {
      statuses.push((await ask(front, "/4/", { "x-api-key": key })).status);
    }
    expect(statuses).toEqual([200, 429, 200, 429]);
  });
});

describe("basic", () => {
  let front: Front;
  beforeAll(async () => {
    front = await open(
      routesWith('basic: { realm: "the back door" }', "basic: { groups: [staff] }"),
    );
  });
  afterAll(() => front[Symbol.asyncDispose]());

  test.each([
    ["a password of the environment", "bob", "bob's own password"],
    ["a password by its scrypt hash", "ann", "correct horse"],
  ])("lets %s through, more than once, and keeps it here", async (_what, name, password) => {
    for (let i = 0; i < 2; i++) {
      const { status, text } = await ask(front, "/0/", basicOf(name, password));
      expect(status).toBe(200);
      expect(text).toContain(`x-consumer\n${name}\n`);
      expect(text).not.toContain("authorization");
    }
  });

  test.each([
    ["nothing", {}],
    ["a wrong password", basicOf("ann", "wrong")],
    ["a wrong one of the environment", basicOf("bob", "wrong")],
    ["another's", basicOf("ann", "bob's own password")],
    ["a name that nobody has", basicOf("eve", "correct horse")],
    ["a name of every object", basicOf("__proto__", "x")],
    ["a hash for a password", basicOf("ann", VARIABLES.ANN_PASSWORD)],
    ["no colon", { authorization: `Basic ${Buffer.from("ann").toString("base64")}` }],
    ["no base64", { authorization: "Basic ???" }],
    ["a huge one", basicOf("ann", "x".repeat(CREDENTIALS_CHARS_MAX))],
    ["another scheme", { authorization: `Bearer ${bobKey}` }],
  ])("refuses %s", async (_what, headers) => {
    const refused = await ask(front, "/0/", headers);
    expect([refused.status, refused.code]).toEqual([401, "CREDENTIALS_INVALID"]);
    expect(refused.headers.get("www-authenticate")).toBe(
      'Basic realm="the back door", charset="UTF-8"',
    );
  });

  test("refuses a consumer of other groups", async () => {
    expect((await ask(front, "/1/", basicOf("bob", "bob's own password"))).code).toBe(
      "CONSUMER_DENIED",
    );
    expect((await ask(front, "/1/", basicOf("ann", "correct horse"))).status).toBe(200);
  });

  test("hashes few passwords at once, lets few wait and turns the rest away", async () => {
    const passwords = new Passwords();
    const stored = { kind: "scrypt", log2N: 10, r: 8, p: 1, salt: "AAAA", hash: "AAAA" } as const;
    const all = Array.from({ length: WAITING_MAX + 4 }, async (_, index) =>
      passwords.verify(`password ${index}`, stored),
    );
    const verdicts = await Promise.all(all);
    expect(verdicts.filter((verdict) => verdict === "busy")).toHaveLength(2);
    // Nobody's place is lost.
    expect(await passwords.verify("another", stored)).toBe(false);
  });
});

describe("forwardAuth", () => {
  let seen: IncomingHttpHeaders = {};
  let answer: (request: IncomingMessage, response: ServerResponse) => void = () => {};
  const server = createServer((request, response) => {
    seen = request.headers;
    answer(request, response);
  });
  let front: Front;
  beforeAll(async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/check?x=1`;
    front = await open(
      routesWith(
        `forwardAuth: { url: "${url}", responseHeaders: [x-user], timeout: 30s }`,
        `forwardAuth: { url: "${url}", requestHeaders: [authorization] }`,
        `forwardAuth: { url: "http://127.0.0.1:1/" }`,
        `forwardAuth: { url: "${url}", timeout: 50ms }`,
      ),
    );
  });
  afterAll(async () => {
    await front[Symbol.asyncDispose]();
    server.closeAllConnections();
    server.close();
  });

  test("asks with the request's headers and where it goes, and sends on what it is told", async () => {
    let url = "";
    answer = (request, response) => {
      url = `${request.method} ${request.url}`;
      response.writeHead(200, { "x-user": "ann", "x-other": "secret" }).end("body");
    };
    const response = await front.get("/0/a?b=1", {
      method: "POST",
      body: "a body",
      headers: { cookie: "session=1", "x-user": "root", "x-forwarded-uri": "/forged" },
    });
    const text = await response.text();
    expect(response.status).toBe(200);
    expect(text).toContain("x-user\nann\n");
    expect(text).not.toMatch(/root|x-other/);
    expect(url).toBe("GET /check?x=1");
    expect(seen).toMatchObject({
      cookie: "session=1",
      "x-forwarded-method": "POST",
      "x-forwarded-proto": "http",
      "x-forwarded-host": `127.0.0.1:${front.port}`,
      "x-forwarded-uri": "/0/a?b=1",
      "x-forwarded-for": "127.0.0.1",
    });
    expect(seen["content-length"]).toBeUndefined();
  });

  test("sends the headers that are named, and no others", async () => {
    answer = (_request, response) => response.end();
    await ask(front, "/1/", { authorization: "Bearer x", cookie: "session=1" });
    expect(seen.authorization).toBe("Bearer x");
    expect(seen.cookie).toBeUndefined();
  });

  test("a no is the client's, with its headers and body", async () => {
    answer = (_request, response) =>
      response.writeHead(302, { location: "/login", "set-cookie": ["a=1", "b=2"] }).end("log in");
    const moved = await front.get("/0/");
    expect([moved.status, moved.headers.get("location"), await moved.text()]).toEqual([
      302,
      "/login",
      "log in",
    ]);
    expect(moved.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    answer = (_request, response) => response.writeHead(403).end();
    expect((await front.get("/0/")).status).toBe(403);
    expect(front.access.at(-1)).toMatchObject({ outcome: "CREDENTIALS_INVALID" });
  });

  test.each<[string, string, typeof answer]>([
    ["fails", "/0/", (_request, response) => response.writeHead(500).end("details")],
    ["breaks off", "/0/", (request) => request.socket.destroy()],
    ["says nothing", "/3/", () => {}],
    ["says too much", "/0/", (_q, response) => response.end(Buffer.alloc(REPLY_BYTES_MAX + 1))],
    ["is not there", "/2/", () => {}],
  ])("lets nobody through when the server %s", async (_what, path, how) => {
    answer = how;
    const refused = await ask(front, path);
    expect([refused.status, refused.code]).toEqual([503, "AUTH_UNAVAILABLE"]);
    expect(refused.text).not.toContain("details");
  });

  test("a reply of as many bytes as it may have is the client's whole", async () => {
    answer = (_request, response) => response.writeHead(401).end(Buffer.alloc(REPLY_BYTES_MAX));
    const response = await front.get("/0/");
    expect([response.status, (await response.arrayBuffer()).byteLength]).toEqual([
      401,
      REPLY_BYTES_MAX,
    ]);
  });
});

describe("forwardAuth by an upstream", () => {
  let seen: IncomingHttpHeaders[] = [];
  let status = 200;
  const servers = ["one", "two"].map((name) =>
    createServer((request, response) => {
      seen.push(request.headers);
      if (status === 0) return void request.socket.destroy();
      response.writeHead(status, { "x-user": `${name} ${request.method} ${request.url}` });
      response.end(status < 300 ? "" : Buffer.alloc(status === 401 ? REPLY_BYTES_MAX + 1 : 4));
    }),
  );
  let front: Front;
  beforeAll(async () => {
    const urls: string[] = [];
    for (const server of servers) {
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      urls.push(`"http://127.0.0.1:${(server.address() as AddressInfo).port}"`);
    }
    const upstreams = `upstreams: { auth: { servers: [${urls.join()}], breaker: { failures: 2, maxOpen: 1 }, retry: { attempts: 2, backoff: 1ms } } }\n`;
    const policy = `forwardAuth: { upstream: auth, path: "/check?x=1", responseHeaders: [x-user] }`;
    front = await open(`${upstreams}trustedProxies: [127.0.0.1]\n${routesWith(policy)}`);
  });
  afterAll(async () => {
    await front[Symbol.asyncDispose]();
    for (const server of servers) server.close();
  });

  test("is balanced, and told whose request it is", async () => {
    const users = new Set<string>();
    for (let i = 0; i < 2; i++) {
      const response = await front.get("/0/a?b=1", {
        method: "PUT",
        body: "a body",
        headers: { cookie: "a=1", "x-user": "root", "x-forwarded-for": "10.1.1.1" },
      });
      users.add(/x-user\n(.*)\n/.exec(await response.text())?.[1] ?? "");
    }
    expect([...users].toSorted()).toEqual(["one GET /check?x=1", "two GET /check?x=1"]);
    expect(seen.at(-1)).toMatchObject({
      cookie: "a=1",
      "x-forwarded-method": "PUT",
      "x-forwarded-uri": "/0/a?b=1",
      "x-forwarded-for": "10.1.1.1, 127.0.0.1",
      "x-forwarded-host": `127.0.0.1:${front.port}`,
    });
    expect(seen.at(-1)).not.toHaveProperty("content-length");
  });

  test("its no is the client's, one that is too long or fails lets nobody through", async () => {
    status = 403;
    expect((await front.get("/0/")).status).toBe(403);
    status = 401;
    expect((await ask(front, "/0/")).code).toBe("AUTH_UNAVAILABLE");
    seen = [];
    status = 0;
    expect((await ask(front, "/0/")).code).toBe("AUTH_UNAVAILABLE");
    // Tried on the other server too.
    expect(seen).toHaveLength(2);
    expect((await ask(front, "/0/")).code).toBe("AUTH_UNAVAILABLE");
    // Their breakers are open now.
    expect((await ask(front, "/0/")).code).toBe("AUTH_UNAVAILABLE");
    expect(seen).toHaveLength(4);
  });
});

describe("anyOf", () => {
  const methods =
    'jwt: { secret: "${SECRET}" }, apiKey: { from: [bearer, header:x-api-key] }, basic: {}';
  const each = methods.replace(/, (?=apiKey|basic)/g, " }, { ");

  test("lets through who one of them knows, and asks for all of them else", async () => {
    await using front = await open(
      routesWith(`anyOf: [ { ${each} } ]`, `anyOf: { methods: [ { ${each} } ], required: false }`),
    );
    for (const headers of [
      { "x-api-key": ANN_KEY },
      { authorization: `Bearer ${bobKey}` },
      basicOf("ann", "correct horse"),
    ]) {
      expect((await ask(front, "/0/", headers)).status).toBe(200);
    }
    const nobody = await ask(front, "/0/");
    expect([nobody.status, nobody.code]).toEqual([401, "CREDENTIALS_INVALID"]);
    expect(nobody.headers.get("www-authenticate")).toMatch(/^Bearer, Key, Basic realm=/);
    const wrong = await ask(front, "/0/", { authorization: "Bearer wrong" });
    expect([wrong.status, wrong.headers.get("www-authenticate")]).toEqual([
      401,
      expect.stringContaining("invalid_token"),
    ]);
    expect((await ask(front, "/1/")).status).toBe(200);
    expect((await ask(front, "/1/", { authorization: "Bearer wrong" })).status).toBe(401);
  });
});
