// Tokens that are good, and the ways in which they are not.

import { constants, createHmac, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { REVOKED_BYTES_MAX, REVOKED_MAX } from "../../control/gateway/policies/revoked.ts";
import { JWKS_FLOOR_MS, TOKEN_CHARS_MAX } from "../../runtime/gateway/policies/auth/jwt.ts";
import { temporary } from "../temporary.ts";
import { RawClient } from "../http/raw-client.ts";
import { openFront, type Front } from "./front.ts";

interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

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

const encoded = (value: unknown): string =>
  Buffer.from(JSON.stringify(value)).toString("base64url");

/** `raw`: the parts' text as it is. */
function signedRaw(header: string, claims: string, key: string | KeyObject, alg: string): string {
  const text = [header, claims].map((part) => Buffer.from(part).toString("base64url")).join(".");
  const bits = /\d+$/.exec(alg)?.[0] ?? "";
  if (typeof key === "string") {
    return `${text}.${createHmac(`sha${bits}`, key).update(text).digest("base64url")}`;
  }
  const options = {
    key,
    ...(alg.startsWith("ES") && { dsaEncoding: "ieee-p1363" as const }),
    ...(alg.startsWith("PS") && {
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    }),
  };
  const digest = bits === "" ? null : `sha${bits}`;
  return `${text}.${sign(digest, Buffer.from(text), options).toString("base64url")}`;
}

interface Header {
  readonly alg: string;
  readonly [name: string]: unknown;
}

function signed(header: Header, claims: unknown, key: string | KeyObject): string {
  return signedRaw(JSON.stringify(header), JSON.stringify(claims), key, header.alg);
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

  test("a second token beside a valid one does not go on unseen", async () => {
    await using front = await openFront(
      routeWith('jwt: { secret: "${SECRET}", from: [bearer, header:x-token, query:token] }'),
      options,
    );
    const good = signed(HS, claims(), SECRET);
    const forged = signed(HS, claims({ sub: "root" }), "x".repeat(32));
    const status = async (path: string, ...fields: readonly string[]): Promise<number> => {
      const client = new RawClient(front.port);
      client.send(`GET ${path} HTTP/1.1\r\nHost: a.example\r\n${fields.join("\r\n")}\r\n\r\n`);
      const reply = await client.reply();
      client.close();
      return reply.status;
    };
    for (const kind of ["Authorization: Bearer ", "X-Token: "]) {
      expect(await status("/", kind + good)).toBe(200);
      expect(await status("/", kind + good, kind + forged)).toBe(401);
      expect(await status("/", kind + forged, kind + good)).toBe(401);
    }
    expect(await status(`/?token=${good}`, "X-Other: 1")).toBe(200);
    expect(await status(`/?token=${good}&token=${forged}`, "X-Other: 1")).toBe(401);
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
      "no claims": signed(HS, [1], SECRET),
      "no JSON": signedRaw(JSON.stringify(HS), "nonsense", SECRET, "HS256"),
      "a claim twice": signedRaw(
        JSON.stringify(HS),
        `{"iss":"i","aud":"a","exp":${soon()},"sub":"ann","sub":"root"}`,
        SECRET,
        "HS256",
      ),
      "a claim twice, spelt otherwise": signedRaw(
        JSON.stringify(HS),
        `{"iss":"i","aud":"a","exp":${soon()},"sub":"ann","s\\u0075b":"root"}`,
        SECRET,
        "HS256",
      ),
      "an algorithm twice": signedRaw(
        '{"alg":"none","alg":"HS256"}',
        JSON.stringify(claims()),
        SECRET,
        "HS256",
      ),
      "a payload that is not encoded": signed(
        { ...HS, b64: false, crit: ["b64"] },
        claims(),
        SECRET,
      ),
      "a crit of nothing": signed({ ...HS, crit: [] }, claims(), SECRET),
      "a kid that is a path": signed({ ...HS, kid: "/dev/null" }, claims(), ""),
      "a kid that is a query": signed({ ...HS, kid: "' UNION SELECT 'x" }, claims(), "x"),
      "a key's address of its own": signed(
        { ...HS, jku: "http://127.0.0.1:1/keys", x5u: "http://127.0.0.1:1/" },
        claims(),
        "x".repeat(32),
      ),
      "an algorithm in lower case": signedRaw(
        '{"alg":"hs256"}',
        JSON.stringify(claims()),
        SECRET,
        "HS256",
      ),
      "a signature that was cut": signed(HS, claims(), SECRET).slice(0, -4),
      "a fourth part": `${signed(HS, claims(), SECRET)}.x`,
      "five parts, as encrypted ones have": "a.b.c.d.e",
      "no time as text": signed(HS, claims({ exp: null }), SECRET),
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
  const curve = (namedCurve: string): KeyPair => generateKeyPairSync("ec", { namedCurve });
  const elliptic = curve("P-256");
  const edwards = generateKeyPairSync("ed25519");
  const pemOf = (key: KeyObject): string => key.export({ type: "spki", format: "pem" }).toString();

  test.each<[string, KeyPair]>([
    ["RS256", rsa],
    ["RS384", rsa],
    ["RS512", rsa],
    ["PS256", rsa],
    ["PS384", rsa],
    ["PS512", rsa],
    ["ES256", elliptic],
    ["ES384", curve("P-384")],
    ["ES512", curve("P-521")],
    ["EdDSA", edwards],
  ])("%s verifies with its public key, which is no secret", async (alg, pair) => {
    const { publicKey, privateKey } = pair;
    await using front = await openFront(
      routeWith(`jwt: { algorithms: [${alg}], publicKey: "\${PEM}" }`),
      { variables: { PEM: pemOf(publicKey) } },
    );
    const good = signed({ alg }, claims(), privateKey);
    expect((await ask(front, good)).status).toBe(200);
    const [header = "", body = "", signature = ""] = good.split(".");
    const zeros = Buffer.alloc(Buffer.from(signature, "base64url").length).toString("base64url");
    const other = generateKeyPairSync("rsa", { modulusLength: 2_048 });
    for (const bad of [
      // The attack that made algorithm lists necessary.
      signed(HS, claims(), pemOf(publicKey)),
      signed({ alg: "RS256" }, claims(), other.privateKey),
      `${header}.${Buffer.from(JSON.stringify(claims({ sub: "root" }))).toString("base64url")}.${signature}`,
      // What some verifiers of elliptic curves took for anything's signature.
      `${header}.${body}.${zeros}`,
    ]) {
      expect((await ask(front, bad)).status).toBe(401);
    }
  });

  test.each(["HS384", "HS512"])(
    "%s verifies with its secret, and no shorter hash does",
    async (alg) => {
      const secret = "s".repeat(64);
      await using front = await openFront(
        routeWith(`jwt: { algorithms: [${alg}], secret: "\${SECRET}" }`),
        { variables: { SECRET: secret } },
      );
      expect((await ask(front, signed({ alg }, claims(), secret))).status).toBe(200);
      expect((await ask(front, signed(HS, claims(), secret))).status).toBe(401);
    },
  );

  test("a token in a cookie or a query is taken where the route says so", async () => {
    await using front = await openFront(
      routeWith('jwt: { secret: "${SECRET}", from: [cookie:session, query:token] }'),
      options,
    );
    const token = signed(HS, claims(), SECRET);
    const cookie = `a=1; session=${token}`;
    expect((await ask(front, undefined, { cookie })).status).toBe(200);
    expect((await front.get(`/?token=${token}`)).status).toBe(200);
    expect((await ask(front, token)).status).toBe(401);
    expect((await ask(front, undefined, { cookie: "session=abc" })).status).toBe(401);
  });

  test("several issuers have each their own key", async () => {
    const other = "another secret of thirty-two bytes or more";
    await using front = await openFront(
      routeWith(
        'anyOf: [ { jwt: { secret: "${SECRET}", issuer: i } }, { jwt: { secret: "${OTHER}", issuer: j } } ]',
      ),
      { variables: { SECRET, OTHER: other } },
    );
    expect((await ask(front, signed(HS, claims(), SECRET))).status).toBe(200);
    expect((await ask(front, signed(HS, claims({ iss: "j" }), other))).status).toBe(200);
    expect((await ask(front, signed(HS, claims({ iss: "j" }), SECRET))).status).toBe(401);
    expect((await ask(front, signed(HS, claims(), other))).status).toBe(401);
  });

  test("a token of as many characters as it may have passes, one more does not", async () => {
    await using front = await openFront(routeWith('jwt: { secret: "${SECRET}" }'), options);
    const lengths = [-4, -3, -2, -1, 0, 1, 2, 3, 4].map((by) => {
      const bare = signed(HS, claims({ x: "" }), SECRET).length;
      const filler = Math.floor(((TOKEN_CHARS_MAX - bare) * 3) / 4) + by;
      return signed(HS, claims({ x: "y".repeat(filler) }), SECRET);
    });
    for (const token of lengths) {
      const fits = token.length <= TOKEN_CHARS_MAX;
      expect((await ask(front, token)).status).toBe(fits ? 200 : 401);
    }
    expect(new Set(lengths.map(({ length }) => length <= TOKEN_CHARS_MAX)).size).toBe(2);
  });

  test("revoked tokens and subjects are refused, as soon as the list is another", async () => {
    using folder = temporary();
    const path = join(folder.path, "edge.yaml");
    const file = join(folder.path, "revoked.txt");
    const text = routeWith(
      'jwt: { secret: "${SECRET}", revoked: { jti: [one], sub: [eve], file: revoked.txt } }',
    );
    writeFileSync(file, "# nobody yet\n");
    await using front = await openFront(text, { ...options, path });
    const status = async (more: object): Promise<number> =>
      (await ask(front, signed(HS, claims(more), SECRET))).status;
    expect([await status({ jti: "one" }), await status({ sub: "eve" })]).toEqual([401, 401]);
    expect([await status({ jti: "two" }), await status({})]).toEqual([200, 200]);
    writeFileSync(file, "jti two\r\n\nsub  ann of the hill\n");
    front.configure(text);
    expect([await status({ jti: "two" }), await status({ sub: "ann of the hill" })]).toEqual([
      401, 401,
    ]);
    expect([await status({ jti: "one" }), await status({})]).toEqual([401, 200]);
    writeFileSync(file, "two\n");
    expect(() => front.configure(text)).toThrow("line 1, is neither a jti nor a sub");
    writeFileSync(file, "#".repeat(REVOKED_BYTES_MAX));
    front.configure(text);
    expect(await status({ jti: "two" })).toBe(200);
    writeFileSync(file, "#".repeat(REVOKED_BYTES_MAX + 1));
    expect(() => front.configure(text)).toThrow("is larger than");
    writeFileSync(file, `${"jti x\n".repeat(REVOKED_MAX)}sub y\n`);
    front.configure(text);
    writeFileSync(file, "jti x\n".repeat(REVOKED_MAX + 1));
    expect(() => front.configure(text)).toThrow("more than");
  });

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
