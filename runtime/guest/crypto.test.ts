// Against Node's own Web Cryptography; the host's side is the real one.

import { webcrypto } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createCryptoPort } from "../../test/guest/crypto-port.ts";
import { createCryptoCalls } from "../isolate/crypto-calls.ts";
import { crypto } from "./crypto.ts";
import type { CryptoKey } from "./crypto/crypto-key.ts";
import { thawCrypto } from "./crypto/host.ts";
import { seedRandom } from "./random.ts";

const port = createCryptoPort(createCryptoCalls());
const { subtle } = crypto;
const hashName = fc.constantFrom("SHA-1", "SHA-256", "SHA-384", "SHA-512");

async function failure(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
    return "none";
  } catch (error) {
    return Reflect.get(error as object, "name") as string;
  }
}

// In the order of the file: the first test runs before thaw.
test("hashing at top level is refused", async () => {
  expect(await failure(() => subtle.digest("SHA-1", new Uint8Array()))).toBe("InvalidStateError");
  thawCrypto(port);
  seedRandom(new Uint8Array(32).fill(9));
});

test("digests are Node's, and the input stays what it was", async () => {
  await fc.assert(
    fc.asyncProperty(hashName, fc.uint8Array(), async (name, data) => {
      const copy = data.slice();
      const ours = new Uint8Array(await subtle.digest({ name: name.toLowerCase() }, data));
      expect(ours).toEqual(new Uint8Array(await webcrypto.subtle.digest(name, data)));
      expect(data).toEqual(copy);
    }),
  );
});

test("signatures are Node's, and only they are verified", async () => {
  const key = fc.uint8Array({ minLength: 1, maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(hashName, key, fc.uint8Array(), async (hash, raw, data) => {
      const algorithm = { name: "HMAC", hash };
      const ours = await subtle.importKey("raw", raw, algorithm, true, ["sign", "verify"]);
      const theirs = await webcrypto.subtle.importKey("raw", raw, algorithm, true, ["sign"]);
      const signature = await subtle.sign("HMAC", ours, data);
      expect(new Uint8Array(signature)).toEqual(
        new Uint8Array(await webcrypto.subtle.sign("HMAC", theirs, data)),
      );
      expect(await subtle.verify("HMAC", ours, signature, data)).toBe(true);
      const bytes = new Uint8Array(signature);
      bytes[0] = (bytes[0] ?? 0) ^ 1;
      expect(await subtle.verify("HMAC", ours, bytes, data)).toBe(false);
      expect(await subtle.verify("HMAC", ours, bytes.subarray(1), data)).toBe(false);
      expect(await subtle.exportKey("jwk", ours)).toEqual(
        await webcrypto.subtle.exportKey("jwk", theirs).then(({ kty, k, alg, ext }) => ({
          kty,
          k,
          alg,
          ext,
          key_ops: ["sign", "verify"],
        })),
      );
    }),
  );
});

test("keys go through raw and jwk and come back", async () => {
  const algorithm = { name: "hmac", hash: "sha-256" };
  const key = (await subtle.generateKey(algorithm, true, ["verify", "sign"])) as CryptoKey;
  expect([key.type, key.extractable, key.usages]).toEqual(["secret", true, ["sign", "verify"]]);
  expect(key.algorithm).toEqual({ name: "HMAC", length: 512, hash: { name: "SHA-256" } });
  const raw = await subtle.exportKey("raw", key);
  expect((raw as ArrayBuffer).byteLength).toBe(64);
  const jwk = await subtle.exportKey("jwk", key);
  const again = await subtle.importKey("jwk", jwk, algorithm, true, ["sign"]);
  expect(await subtle.exportKey("raw", again)).toEqual(raw);
});

describe("wrong use is refused with", () => {
  const HMAC = { name: "HMAC", hash: "SHA-256" };
  const raw = new Uint8Array(16);
  const jwk = { kty: "oct", k: "AAAA" };
  const importing = (
    format: string,
    data: unknown,
    algorithm: unknown,
    usages: unknown,
    extractable = true,
  ) => failure(() => subtle.importKey(format, data, algorithm, extractable, usages));

  test.each([
    [
      "NotSupportedError",
      "an unknown algorithm",
      () => importing("raw", raw, "ML-KEM-512", ["sign"]),
    ],
    [
      "NotSupportedError",
      "an unknown hash",
      () => importing("raw", raw, { ...HMAC, hash: "MD4" }, ["sign"]),
    ],
    ["NotSupportedError", "a format without HMAC", () => importing("spki", raw, HMAC, ["sign"])],
    ["TypeError", "a format nobody has", () => importing("x", raw, HMAC, ["sign"])],
    ["TypeError", "an unknown usage", () => importing("raw", raw, HMAC, ["smell"])],
    ["TypeError", "no hash", () => importing("raw", raw, { name: "HMAC" }, ["sign"])],
    ["TypeError", "a raw key of text", () => importing("raw", "x", HMAC, ["sign"])],
    ["SyntaxError", "a usage that HMAC has not", () => importing("raw", raw, HMAC, ["encrypt"])],
    ["SyntaxError", "no usage", () => importing("raw", raw, HMAC, [])],
    ["DataError", "an empty key", () => importing("raw", new Uint8Array(), HMAC, ["sign"])],
    [
      "DataError",
      "a length above the key's",
      () => importing("raw", raw, { ...HMAC, length: 129 }, ["sign"]),
    ],
    [
      "none",
      "a length equal to the key's",
      () => importing("raw", raw, { ...HMAC, length: 128 }, ["sign"]),
    ],
    [
      "none",
      "a length within the last byte",
      () => importing("raw", raw, { ...HMAC, length: 121 }, ["sign"]),
    ],
    [
      "DataError",
      "a length below it",
      () => importing("raw", raw, { ...HMAC, length: 120 }, ["sign"]),
    ],
    ["DataError", "another kty", () => importing("jwk", { ...jwk, kty: "EC" }, HMAC, ["sign"])],
    [
      "DataError",
      "a k that is no base64url",
      () => importing("jwk", { ...jwk, k: "+" }, HMAC, ["sign"]),
    ],
    ["DataError", "another alg", () => importing("jwk", { ...jwk, alg: "HS512" }, HMAC, ["sign"])],
    ["DataError", "another use", () => importing("jwk", { ...jwk, use: "enc" }, HMAC, ["sign"])],
    [
      "DataError",
      "key_ops without the usage",
      () => importing("jwk", { ...jwk, key_ops: ["verify"] }, HMAC, ["sign"]),
    ],
    ["DataError", "ext false", () => importing("jwk", { ...jwk, ext: false }, HMAC, ["sign"])],
    [
      "none",
      "ext false and not extractable",
      () => importing("jwk", { ...jwk, ext: false }, HMAC, ["sign"], false),
    ],
  ])("%s: %s", async (name, _what, run) => {
    expect(await run()).toBe(name);
  });

  test("InvalidAccessError: a use that the key was not made for", async () => {
    const key = await subtle.importKey("raw", raw, HMAC, false, ["verify"]);
    expect(await failure(() => subtle.sign("HMAC", key, raw))).toBe("InvalidAccessError");
    expect(await failure(() => subtle.exportKey("raw", key))).toBe("InvalidAccessError");
  });

  test("NotSupportedError: an algorithm that is for something else", async () => {
    const key = await subtle.importKey("raw", raw, HMAC, false, ["sign"]);
    expect(await failure(() => subtle.encrypt("HMAC", key, raw))).toBe("NotSupportedError");
    expect(await failure(() => subtle.sign("AES-GCM", key, raw))).toBe("NotSupportedError");
    expect(await failure(() => subtle.digest("__proto__", raw))).toBe("NotSupportedError");
  });

  test("TypeError: a key that is none", async () => {
    expect(await failure(() => subtle.sign("HMAC", { type: "secret" }, raw))).toBe("TypeError");
  });
});

describe("getRandomValues", () => {
  test("fills every kind of integer array in place, whatever its offset", () => {
    for (const Kind of [Int8Array, Uint8ClampedArray, Uint16Array, Int32Array, BigUint64Array]) {
      const buffer = new ArrayBuffer(256);
      const array = new Kind(buffer, 64, 64 / Kind.BYTES_PER_ELEMENT);
      expect(crypto.getRandomValues(array)).toBe(array);
      const bytes = new Uint8Array(buffer);
      expect(bytes.subarray(0, 64).every((byte) => byte === 0)).toBe(true);
      expect(bytes.subarray(64, 128).some((byte) => byte !== 0)).toBe(true);
      expect(bytes.subarray(128).every((byte) => byte === 0)).toBe(true);
    }
  });

  test("takes the quota and not a byte more", () => {
    expect(() => crypto.getRandomValues(new Uint8Array(65_535))).not.toThrow();
    expect(() => crypto.getRandomValues(new Uint16Array(32_768))).not.toThrow();
    expect(() => crypto.getRandomValues(new Uint8Array(65_537))).toThrow(
      expect.objectContaining({ name: "QuotaExceededError" }),
    );
  });

  test("refuses floats, views and other things", () => {
    for (const wrong of [new Float64Array(1), new DataView(new ArrayBuffer(1)), [1], null]) {
      expect(() => crypto.getRandomValues(wrong)).toThrow(
        expect.objectContaining({ name: "TypeMismatchError" }),
      );
    }
  });
});

test("timingSafeEqual compares bytes of equal length", () => {
  const bytes = new Uint8Array([1, 2, 3]);
  expect(subtle.timingSafeEqual(bytes, bytes.slice().buffer)).toBe(true);
  expect(subtle.timingSafeEqual(bytes, new Uint8Array([1, 2, 4]))).toBe(false);
  expect(() => subtle.timingSafeEqual(bytes, new Uint8Array(2))).toThrow(TypeError);
});
