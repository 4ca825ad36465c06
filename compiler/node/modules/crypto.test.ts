// Our node:crypto against Node's own: the same bytes, the same errors.

import real from "node:crypto";
import { expect, test } from "vitest";
import fc from "fast-check";
import * as ours from "./crypto.ts";

type Crypto = typeof real;
const mine = ours as unknown as Crypto;

const FIXED = ours.getHashes().filter((name) => !name.startsWith("shake"));
const ENCODINGS = ["hex", "base64", "base64url", "latin1" as "binary", "binary"] as const;
const bytes = fc.uint8Array({ maxLength: 300 });
const fixed = fc.constantFrom(...FIXED);

/** What comes of it in both, errors by their name, code and text. */
function compare(run: (crypto: Crypto) => unknown): void {
  expect(outcome(run, mine)).toEqual(outcome(run, real));
}

function outcome(run: (crypto: Crypto) => unknown, crypto: Crypto): unknown {
  try {
    return run(crypto);
  } catch (error) {
    const { name, message } = error as Error;
    return { name, message, code: Reflect.get(Object(error), "code") };
  }
}

test("every hash gives what Node's gives, in pieces, copied, in every encoding", () => {
  expect(FIXED).toHaveLength(13);
  const property = fc.property(
    fixed,
    bytes,
    bytes,
    fc.string({ unit: "grapheme" }),
    fc.constantFrom(...ENCODINGS),
    (name, a, b, text, encoding) =>
      compare((crypto) => {
        const hash = crypto.createHash(name).update(a).update(text);
        const copy = hash.copy().update(b);
        return [hash.digest(encoding), copy.digest(), crypto.hash(name, text, encoding)];
      }),
  );
  fc.assert(property, { numRuns: 300 });
});

test.each(["SHA-256", "RSA-SHA256", "sha2-256", "sha-512/256", "rmd160", "SHA-1", "SHA3-256"])(
  "%s is a name of a hash",
  (name) => compare((crypto) => crypto.createHash(name).digest("hex")),
);

test("texts are read by their encoding", () => {
  for (const encoding of ["hex", "base64", "latin1", "utf16le", "ascii", "nope"] as const) {
    compare((crypto) =>
      crypto
        .createHash("sha1")
        .update("abcdef", encoding as "hex")
        .digest("hex"),
    );
    compare((crypto) =>
      crypto
        .createHmac("sha1", "k")
        .update("abcdef", encoding as "hex")
        .digest(),
    );
  }
  compare((crypto) =>
    crypto
      .createHash("sha1")
      .update(new Uint16Array([1, 300]))
      .digest("hex"),
  );
  compare((crypto) =>
    crypto
      .createHash("sha1")
      .update(new DataView(new ArrayBuffer(3)))
      .digest("hex"),
  );
});

test("extendable hashes give as many bytes as are asked for", () => {
  for (const name of ["shake128", "shake256"]) {
    for (const outputLength of [1, 32, 300]) {
      compare((crypto) => crypto.createHash(name, { outputLength }).update("a").digest("hex"));
    }
  }
});

test("HMAC with keys of every length gives what Node's gives", () => {
  const property = fc.property(fixed, bytes, bytes, (name, key, data) =>
    compare((crypto) => crypto.createHmac(name, key).update(data).digest("hex")),
  );
  fc.assert(property, { numRuns: 200 });
  compare((crypto) => {
    const key = crypto.createSecretKey(Buffer.from("abc"));
    const signed = crypto.createHmac("sha256", key).update("x").digest("base64url");
    return [signed, key.type, key.symmetricKeySize, key.export(), key.export({ format: "jwk" })];
  });
});

test("derived keys are Node's", () => {
  const property = fc.property(
    fixed,
    bytes,
    bytes,
    fc.integer({ min: 1, max: 20 }),
    fc.integer({ min: 1, max: 150 }),
    (name, a, b, count, length) => {
      compare((crypto) => crypto.pbkdf2Sync(a, b, count, length, name));
      compare((crypto) => Buffer.from(crypto.hkdfSync(name, a, b, "info", length)));
      compare((crypto) => crypto.scryptSync(a, b, length, { N: 16, r: count, p: 2 }));
    },
  );
  fc.assert(property, { numRuns: 60 });
});

test("what calls back gives what Node's gives", async () => {
  const all = (crypto: Crypto): Promise<unknown> =>
    Promise.all([
      new Promise((done) => crypto.pbkdf2("p", "s", 10, 20, "sha256", (_, key) => done(key))),
      new Promise((done) => crypto.pbkdf2("p", "s", 10, 20, "md5", (_, key) => done(key))),
      new Promise((done) => crypto.scrypt("p", "s", 20, { N: 16 }, (_, key) => done(key))),
      new Promise((done) =>
        crypto.hkdf("sha1", "p", "s", "i", 20, (_, key) => done(Buffer.from(key))),
      ),
      new Promise((done) => crypto.randomBytes(7, (_, drawn) => done(drawn.length))),
      new Promise((done) =>
        crypto.randomFill(Buffer.alloc(4), 1, 2, (_, to) => done([to[0], to[3]])),
      ),
      new Promise((done) => crypto.randomInt(4, 5, (_, drawn) => done(drawn))),
    ]);
  expect(await all(mine)).toEqual(await all(real));
});

test.each<[string, (crypto: Crypto) => unknown]>([
  ["a second digest", (c) => { const h = c.createHash("md5"); h.digest(); h.digest(); }],
  ["an update after it", (c) => { const h = c.createHash("md5"); h.digest(); h.update("a"); }],
  ["a copy after it", (c) => { const h = c.createHash("md5"); h.digest(); h.copy(); }],
  ["a second digest of an HMAC", (c) => { const h = c.createHmac("md5", ""); h.digest(); return [h.digest(), h.digest("hex")]; }],
  ["an update after an HMAC's", (c) => { const h = c.createHmac("md5", ""); h.digest(); h.update("a"); }],
  ["an HMAC of no hash", (c) => c.createHmac("nope", "k")],
  ["data of a number", (c) => c.createHash("md5").update(3 as never)],
  ["odd hex", (c) => c.createHash("md5").update("abc", "hex")],
  ["an unknown output encoding", (c) => c.createHash("md5").digest("nope" as "hex")],
  ["hash() to an unknown encoding", (c) => c.hash("md5", "a", "nope" as "hex")],
  ["a hash's name of a number", (c) => c.createHash(3 as never)],
  ["unequal lengths", (c) => c.timingSafeEqual(Buffer.of(1), Buffer.of(1, 2))],
  ["compared texts", (c) => c.timingSafeEqual("a" as never, "a" as never)],
  ["equal and unequal bytes", (c) => [c.timingSafeEqual(Buffer.of(1), Buffer.of(1)), c.timingSafeEqual(Buffer.of(1), Buffer.of(2))]],
  ["bytes below none", (c) => c.randomBytes(-1)],
  ["bytes of a text", (c) => c.randomBytes("1" as never)],
  ["too many bytes", (c) => c.randomBytes(2 ** 31)],
  ["an empty range", (c) => c.randomInt(5, 5)],
  ["a fraction", (c) => c.randomInt(0.5)],
  ["a filled text", (c) => c.randomFillSync("s" as never)],
  ["a fill from behind the end", (c) => c.randomFillSync(Buffer.alloc(2), 3)],
  ["a fill past the end", (c) => c.randomFillSync(Buffer.alloc(2), 1, 3)],
  ["no digest", (c) => c.pbkdf2Sync("a", "b", 1, 1, undefined as never)],
  ["an unknown digest", (c) => c.pbkdf2Sync("a", "b", 1, 1, "nope")],
  ["no iterations", (c) => c.pbkdf2Sync("a", "b", 0, 1, "sha1")],
  ["half an iteration", (c) => c.pbkdf2Sync("a", "b", 1.5, 1, "sha1")],
  ["no callback", (c) => c.pbkdf2("a", "b", 1, 1, "sha1", undefined as never)],
  ["an HKDF too long", (c) => c.hkdfSync("sha1", "k", "s", "i", 255 * 20 + 1)],
  ["an HKDF as long as may be", (c) => c.hkdfSync("sha1", "k", "s", "i", 255 * 20)],
  ["an N that is no power of two", (c) => c.scryptSync("a", "b", 8, { N: 3 })],
  ["two names of one option", (c) => c.scryptSync("a", "b", 8, { N: 16, cost: 16 })],
])("%s ends as in Node", (_, run) => compare(run)); // prettier-ignore

test("scrypt takes as much memory as it may and no more", () => {
  const run = (maxmem: number) => mine.scryptSync("a", "b", 8, { N: 16, r: 1, p: 1, maxmem });
  const needed = 128 * (16 + 1 + 2);
  expect(run(needed).equals(real.scryptSync("a", "b", 8, { N: 16, r: 1, p: 1 }))).toBe(true);
  expect(() => run(needed - 1)).toThrow("memory limit exceeded");
});

test("random integers are even over their range, and stay in it", () => {
  const counts = [0, 0, 0];
  for (let drawn = 0; drawn < 3_000; drawn += 1) {
    const value = ours.randomInt(-1, 2) ?? 99;
    counts[value + 1] = (counts[value + 1] ?? 0) + 1;
  }
  expect(counts).toHaveLength(3);
  // A thousand each; 200 are eight standard deviations.
  for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(200);
  expect(ours.randomInt(2 ** 48 - 1)).toBeLessThan(2 ** 48 - 1);
  expect(() => ours.randomInt(0, 2 ** 48)).toThrow("max - min");
});

test("randomness fills more than one draw of the platform's holds", () => {
  const drawn = ours.randomBytes(200_000);
  expect(drawn).toHaveLength(200_000);
  expect(drawn?.subarray(-32).equals(Buffer.alloc(32))).toBe(false);
  expect(ours.randomUUID()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  expect(ours.webcrypto.subtle).toBe(ours.subtle);
});

test("what needs OpenSSL says what to use instead", () => {
  const { createCipheriv, createSign, generateKeyPairSync, createECDH } = ours;
  const all = { createCipheriv, createSign, generateKeyPairSync, createECDH };
  for (const [name, call] of Object.entries(all)) {
    expect(call).toThrow(
      `crypto.${name} does not exist in isolates: use crypto.subtle (Web Crypto)`,
    );
  }
  expect(() => new (mine.Hash as unknown as new (name: string) => unknown)("nope")).toThrow(
    "Digest method not supported",
  );
});
