import { randomBytes, webcrypto } from "node:crypto";
import { expect, test } from "vitest";
import { SealedKeys } from "./sealed-keys.ts";

const { subtle } = webcrypto;
const HMAC = { name: "HMAC", hash: "SHA-256" };

async function sealOne(keys: SealedKeys, raw: Uint8Array = randomBytes(16)): Promise<string> {
  const key = await subtle.importKey("raw", raw, HMAC, true, ["sign"]);
  return (keys.seal({ key, extractable: false }) as { readonly seal: string }).seal;
}

test("a seal shows nothing of its key, and no two are the same", async () => {
  const keys = new SealedKeys();
  const raw = new TextEncoder().encode("a secret of mine");
  const seals = [await sealOne(keys, raw), await sealOne(keys, raw)];
  expect(seals[0]).not.toBe(seals[1]);
  for (const seal of seals)
    expect(Buffer.from(seal, "base64").includes(Buffer.from(raw))).toBe(false);
});

test("a key that has not been used for long is the same key still", async () => {
  const keys = new SealedKeys();
  const raw = randomBytes(16);
  const seal = await sealOne(keys, raw);
  const { key } = keys.open(seal);
  for (let at = 0; at < 70; at++) await sealOne(keys);
  const again = keys.open(seal);
  expect(again.key).not.toBe(key);
  expect(again.extractable).toBe(false);
  expect([again.key.type, again.key.algorithm, again.key.usages]).toEqual([
    "secret",
    { ...HMAC, hash: { name: "SHA-256" }, length: 128 },
    ["sign"],
  ]);
  expect(Buffer.from(await subtle.exportKey("raw", again.key))).toEqual(raw);
  expect(keys.open(seal)).toBe(again);
});

test.each([
  [
    {
      name: "RSA-PSS",
      modulusLength: 1_024,
      publicExponent: new Uint8Array([1, 0, 1]),
      hash: "SHA-1",
    },
    ["sign", "verify"],
  ],
  [{ name: "ECDH", namedCurve: "P-521" }, ["deriveBits"]],
  [{ name: "Ed25519" }, ["sign", "verify"]],
  [{ name: "X448" }, ["deriveKey"]],
] as const)("%j: both keys open again as they were", async (algorithm, usages) => {
  const keys = new SealedKeys();
  const pair = (await subtle.generateKey(
    algorithm as webcrypto.EcKeyGenParams,
    true,
    usages,
  )) as webcrypto.CryptoKeyPair;
  const made = [pair.privateKey, pair.publicKey];
  const seals = made.map(
    (key) => (keys.seal({ key, extractable: true }) as { readonly seal: string }).seal,
  );
  for (let at = 0; at < 70; at++) await sealOne(keys);
  for (const [at, seal] of seals.entries()) {
    const { key } = keys.open(seal);
    expect(key).not.toBe(made[at]);
    expect([key.type, key.algorithm, key.usages]).toEqual([
      made[at]?.type,
      made[at]?.algorithm,
      made[at]?.usages,
    ]);
    const jwk = await subtle.exportKey("jwk", key);
    expect(jwk).toEqual(await subtle.exportKey("jwk", made[at] as webcrypto.CryptoKey));
  }
});

test("a seal that was changed, cut, made up or another isolate's is refused", async () => {
  const keys = new SealedKeys();
  const seal = await sealOne(keys);
  const sealed = Buffer.from(seal, "base64");
  for (let at = 0; at < sealed.length; at += 7) {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(() => keys.open(changed.toString("base64"))).toThrow("none of this isolate's");
  }
  const others = await sealOne(new SealedKeys());
  for (const wrong of ["", "x", seal.slice(4), others, 1, null, ["a"], { seal }]) {
    expect(() => keys.open(wrong)).toThrow("none of this isolate's");
  }
});
