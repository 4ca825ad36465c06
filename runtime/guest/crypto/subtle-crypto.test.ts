// Against Node's own Web Cryptography: what one of them makes, the other takes. The host's side is the real one.

import { webcrypto } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { createCryptoPort } from "../../../test/guest/crypto-port.ts";
import { createCryptoCalls } from "../../isolate/crypto-calls.ts";
import { registerCloner, structuredClone } from "../structured-clone.ts";
import { copyKey, CryptoKey } from "./crypto-key.ts";
import { DigestStream } from "./digest-stream.ts";
import { thawCrypto } from "./host.ts";
import { subtle } from "./subtle-crypto.ts";

type Pair = { readonly publicKey: CryptoKey; readonly privateKey: CryptoKey };
type NodePair = {
  readonly publicKey: webcrypto.CryptoKey;
  readonly privateKey: webcrypto.CryptoKey;
};
type Jwk = webcrypto.JsonWebKey;

const theirs = webcrypto.subtle;
const DATA = new TextEncoder().encode("what is signed");
const EXPONENT = new Uint8Array([1, 0, 1]);
const RSA = { modulusLength: 1_024, publicExponent: EXPONENT, hash: "SHA-256" };

beforeAll(() => {
  registerCloner(copyKey);
  thawCrypto(createCryptoPort(createCryptoCalls()));
});

async function failure(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
    return "none";
  } catch (error) {
    return (error as Error).name;
  }
}

function bytes(buffer: unknown): Uint8Array {
  return new Uint8Array(buffer as ArrayBuffer);
}

async function pairOf(algorithm: unknown, usages: string[]): Promise<Pair> {
  return (await subtle.generateKey(algorithm, true, usages)) as Pair;
}

describe("signatures", () => {
  test.each([
    ["RSASSA-PKCS1-v1_5", RSA, {}],
    ["RSA-PSS", RSA, { saltLength: 32 }],
    ["ECDSA", { namedCurve: "P-256" }, { hash: "SHA-256" }],
    ["ECDSA", { namedCurve: "P-384" }, { hash: "SHA-384" }],
    ["ECDSA", { namedCurve: "P-521" }, { hash: "SHA-512" }],
    ["Ed25519", {}, {}],
    ["Ed448", {}, {}],
  ])(
    "%s %j: verified by Node, and Node's by us, keys as pkcs8, spki and jwk",
    async (name, key, how) => {
      const type = { name, ...key } as webcrypto.AlgorithmIdentifier;
      const use = { name, ...how };
      const { privateKey, publicKey } = await pairOf(type, ["sign", "verify"]);
      expect([privateKey.type, privateKey.usages]).toEqual(["private", ["sign"]]);
      expect([publicKey.type, publicKey.usages]).toEqual(["public", ["verify"]]);
      const spki = (await subtle.exportKey("spki", publicKey)) as ArrayBuffer;
      const jwk = (await subtle.exportKey("jwk", privateKey)) as Jwk;
      const pkcs8 = (await subtle.exportKey("pkcs8", privateKey)) as ArrayBuffer;
      const nodePublic = await theirs.importKey("spki", spki, type, true, ["verify"]);
      const nodePrivate = await theirs.importKey("jwk", jwk, type, true, ["sign"]);
      expect(privateKey.algorithm).toEqual(nodePrivate.algorithm);
      const signature = await subtle.sign(use, privateKey, DATA);
      expect(await theirs.verify(use, nodePublic, signature, DATA)).toBe(true);
      const again = await subtle.importKey("pkcs8", pkcs8, type, false, ["sign"]);
      expect(bytes(await theirs.exportKey("pkcs8", nodePrivate))).toEqual(bytes(pkcs8));
      for (const made of [
        await theirs.sign(use, nodePrivate, DATA),
        await subtle.sign(use, again, DATA),
      ]) {
        expect(await subtle.verify(use, publicKey, made, DATA)).toBe(true);
        expect(await subtle.verify(use, publicKey, made, DATA.subarray(1))).toBe(false);
      }
    },
  );
});

describe("encryption", () => {
  const AES = {
    "AES-CBC": { iv: new Uint8Array(16) },
    "AES-CTR": { counter: new Uint8Array(16).fill(255), length: 8 },
    "AES-GCM": { iv: new Uint8Array(12), additionalData: DATA, tagLength: 96 },
  };

  test.each(Object.entries(AES))("%s is Node's", async (name, parameters) => {
    for (const length of [128, 192, 256]) {
      const key = (await subtle.generateKey({ name, length }, true, [
        "decrypt",
        "encrypt",
      ])) as CryptoKey;
      expect(key.algorithm).toEqual({ name, length });
      const raw = (await subtle.exportKey("raw", key)) as ArrayBuffer;
      const nodes = await theirs.importKey("raw", raw, name, true, ["encrypt"]);
      const use = { name, ...parameters };
      for (const size of [0, 15, 16, 1_000]) {
        const plain = new Uint8Array(size).fill(7);
        const secret = await subtle.encrypt(use, key, plain);
        expect(bytes(secret)).toEqual(bytes(await theirs.encrypt(use, nodes, plain)));
        expect(bytes(await subtle.decrypt(use, key, secret))).toEqual(plain);
      }
    }
  });

  test("RSA-OAEP goes both ways, and what was changed is refused", async () => {
    const type = { name: "RSA-OAEP", ...RSA };
    const { publicKey, privateKey } = await pairOf(type, ["encrypt", "decrypt"]);
    const use = { name: "RSA-OAEP", label: DATA };
    const secret = await subtle.encrypt(use, publicKey, DATA);
    expect(bytes(await subtle.decrypt(use, privateKey, secret))).toEqual(DATA);
    expect(await failure(() => subtle.decrypt("RSA-OAEP", privateKey, secret))).toBe(
      "OperationError",
    );
  });
});

describe("derivation", () => {
  const KDF = [
    { name: "PBKDF2", hash: "SHA-512", salt: DATA, iterations: 10 },
    { name: "HKDF", hash: "SHA-384", salt: DATA, info: DATA },
  ];

  test.each(KDF)("$name: bits and keys are Node's", async (algorithm) => {
    const usages: ("deriveBits" | "deriveKey")[] = ["deriveBits", "deriveKey"];
    const base = await subtle.importKey("raw", DATA, algorithm.name, false, usages);
    const nodes = await theirs.importKey("raw", DATA, algorithm.name, false, usages);
    expect(bytes(await subtle.deriveBits(algorithm, base, 408))).toEqual(
      bytes(await theirs.deriveBits(algorithm, nodes, 408)),
    );
    for (const type of [
      { name: "AES-GCM", length: 192 },
      { name: "HMAC", hash: "SHA-256" },
      { name: "HMAC", hash: "SHA-1", length: 72 },
    ]) {
      const use = type.name === "HMAC" ? (["sign"] as const) : (["encrypt"] as const);
      const key = await subtle.deriveKey(algorithm, base, type, true, use);
      const other = await theirs.deriveKey(
        algorithm,
        nodes,
        type as webcrypto.HmacKeyGenParams,
        true,
        use,
      );
      expect(key.algorithm).toEqual(other.algorithm);
      expect(bytes(await subtle.exportKey("raw", key))).toEqual(
        bytes(await theirs.exportKey("raw", other)),
      );
    }
    expect(await failure(() => subtle.importKey("raw", DATA, algorithm.name, true, usages))).toBe(
      "SyntaxError",
    );
  });

  test.each([
    [{ name: "ECDH", namedCurve: "P-256" }, 256],
    [{ name: "ECDH", namedCurve: "P-384" }, 384],
    [{ name: "ECDH", namedCurve: "P-521" }, 528],
    [{ name: "X25519" }, 256],
    [{ name: "X448" }, 448],
  ])("%j: both parties come to the same, one of them Node", async (type, bits) => {
    const ours = await pairOf(type, ["deriveBits", "deriveKey"]);
    const other = (await theirs.generateKey(type as webcrypto.EcKeyGenParams, true, [
      "deriveBits",
    ])) as NodePair;
    const raw = (await theirs.exportKey("raw", other.publicKey)) as ArrayBuffer;
    const imported = await subtle.importKey("raw", raw, type, true, []);
    const mine = await subtle.deriveBits(
      { name: type.name, public: imported },
      ours.privateKey,
      null,
    );
    expect(bytes(mine).length).toBe(bits / 8);
    const point = (await subtle.exportKey("raw", ours.publicKey)) as ArrayBuffer;
    const nodes = await theirs.importKey(
      "raw",
      point,
      type as webcrypto.EcKeyImportParams,
      true,
      [],
    );
    const their = await theirs.deriveBits(
      { name: type.name, public: nodes } as webcrypto.EcdhKeyDeriveParams,
      other.privateKey,
      bits,
    );
    expect(bytes(mine)).toEqual(bytes(their));
    const use = { name: type.name, public: imported };
    const base = await subtle.deriveKey(use, ours.privateKey, "HKDF", false, ["deriveBits"]);
    expect([base.type, base.algorithm]).toEqual(["secret", { name: "HKDF" }]);
    expect(
      await failure(() =>
        subtle.deriveKey(use, ours.privateKey, { name: "AES-CBC", length: 100 }, true, ["encrypt"]),
      ),
    ).toBe("OperationError");
    expect(
      await failure(() => subtle.deriveBits({ name: type.name, public: {} }, ours.privateKey, 8)),
    ).toBe("TypeError");
  });
});

describe("wrapping", () => {
  test.each([
    ["AES-KW", "raw", {}],
    ["AES-GCM", "jwk", { iv: new Uint8Array(12) }],
    ["AES-CBC", "jwk", { iv: new Uint8Array(16) }],
  ])("%s, as %s: the key comes back, extractable or not", async (name, format, parameters) => {
    const wrapper = (await subtle.generateKey({ name, length: 256 }, false, [
      "wrapKey",
      "unwrapKey",
    ])) as CryptoKey;
    const key = (await subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, true, [
      "sign",
    ])) as CryptoKey;
    const use = { name, ...parameters };
    const wrapped = await subtle.wrapKey(format, key, wrapper, use);
    for (const extractable of [true, false]) {
      const again = await subtle.unwrapKey(
        format,
        wrapped,
        wrapper,
        use,
        { name: "HMAC", hash: "SHA-256" },
        extractable,
        ["sign"],
      );
      expect(again.extractable).toBe(extractable);
      expect(bytes(await subtle.sign("HMAC", again, DATA))).toEqual(
        bytes(await subtle.sign("HMAC", key, DATA)),
      );
      const rewrap = () => subtle.wrapKey(format, again, wrapper, use);
      expect(await failure(rewrap)).toBe(extractable ? "none" : "InvalidAccessError");
    }
    expect(await failure(() => subtle.wrapKey(format, key, key, use))).toBe("InvalidAccessError");
    const broken = bytes(wrapped).slice();
    broken[9] = (broken[9] ?? 0) ^ 1;
    const type = { name: "HMAC", hash: "SHA-256" };
    expect(
      await failure(() => subtle.unwrapKey(format, broken, wrapper, use, type, true, ["sign"])),
    ).toMatch(/OperationError|DataError/);
  });

  test("a wrapped JSON Web Key that says ext: false is only unwrapped as not extractable", async () => {
    const secret = new Uint8Array(16);
    const use = { name: "AES-GCM", iv: new Uint8Array(12) };
    const wrapper = await subtle.importKey("raw", secret, "AES-GCM", false, [
      "encrypt",
      "unwrapKey",
    ]);
    const jwk = JSON.stringify({ kty: "oct", k: "AAAA", ext: false });
    const wrapped = await subtle.encrypt(use, wrapper, new TextEncoder().encode(jwk));
    const unwrap = (extractable: boolean) =>
      subtle.unwrapKey("jwk", wrapped, wrapper, use, { name: "HMAC", hash: "SHA-1" }, extractable, [
        "sign",
      ]);
    expect(await failure(() => unwrap(false))).toBe("none");
    expect(await failure(() => unwrap(true))).toBe("DataError");
  });
});

describe("keys", () => {
  test("structuredClone makes another object of the same key", async () => {
    const key = await subtle.importKey("raw", DATA, { name: "HMAC", hash: "SHA-256" }, false, [
      "sign",
    ]);
    const { copy } = structuredClone({ copy: key }) as { readonly copy: CryptoKey };
    expect(copy).toBeInstanceOf(CryptoKey);
    expect(copy).not.toBe(key);
    expect([copy.type, copy.algorithm, copy.extractable, copy.usages]).toEqual([
      key.type,
      key.algorithm,
      false,
      ["sign"],
    ]);
    expect(bytes(await subtle.sign("HMAC", copy, DATA))).toEqual(
      bytes(await subtle.sign("HMAC", key, DATA)),
    );
    expect(await failure(() => subtle.exportKey("raw", copy))).toBe("InvalidAccessError");
  });

  test("what an author does to a key's algorithm and usages changes nothing", async () => {
    const key = await subtle.importKey("raw", DATA, { name: "HMAC", hash: "SHA-256" }, false, [
      "sign",
    ]);
    const before = bytes(await subtle.sign("HMAC", key, DATA));
    Object.assign(key.algorithm, { name: "AES-GCM", hash: { name: "SHA-1" } });
    (key.usages as string[]).push("verify");
    expect(bytes(await subtle.sign("HMAC", key, DATA))).toEqual(before);
    expect(await failure(() => subtle.verify("HMAC", key, before, DATA))).toBe(
      "InvalidAccessError",
    );
  });

  test("what looks like a key is none", async () => {
    const key = await subtle.importKey("raw", DATA, { name: "HMAC", hash: "SHA-256" }, false, [
      "sign",
    ]);
    for (const forged of [
      Object.create(key),
      Object.create(CryptoKey.prototype),
      { type: key.type, algorithm: key.algorithm, usages: key.usages, extractable: true },
      new Proxy(key, {}),
      null,
    ]) {
      expect(await failure(() => subtle.sign("HMAC", forged, DATA))).toBe("TypeError");
    }
    expect(() => new CryptoKey()).toThrow(TypeError);
  });
});

describe("a DigestStream", () => {
  test("ends in the digest of all that was written", async () => {
    const stream = new DigestStream("SHA-256");
    const writer = stream.getWriter();
    void writer.write(DATA);
    void writer.write("text");
    await writer.close();
    const whole = new TextEncoder().encode("what is signedtext");
    expect(bytes(await stream.digest)).toEqual(bytes(await theirs.digest("SHA-256", whole)));
    expect(stream.bytesWritten).toBe(18n);
  });

  test("of nothing has the digest of nothing, MD5 too", async () => {
    const stream = new DigestStream({ name: "md5" });
    await stream.getWriter().close();
    expect(Buffer.from(await stream.digest).toString("hex")).toBe(
      "d41d8cd98f00b204e9800998ecf8427e",
    );
  });

  test("fails with what is no chunk, and with what it is aborted with", async () => {
    const one = new DigestStream("SHA-1");
    expect(await failure(() => one.getWriter().write(1))).toBe("TypeError");
    expect(await failure(() => one.digest)).toBe("TypeError");
    const other = new DigestStream("SHA-1");
    await other.abort(new RangeError("enough"));
    expect(await failure(() => other.digest)).toBe("RangeError");
    expect(() => new DigestStream("SHA-3")).toThrow(
      expect.objectContaining({ name: "NotSupportedError" }),
    );
  });
});
