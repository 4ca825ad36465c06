import type { webcrypto } from "node:crypto";
import { expect, test } from "vitest";
import {
  CRYPTO_DATA_BYTES_MAX,
  CRYPTO_KEY_BYTES_MAX,
  PBKDF2_ROUNDS_MAX,
  RSA_BITS_MAX,
  RSA_GENERATED_BITS_MAX,
} from "../../../sdk/limits.ts";
import { checkKey, checkKeyData, laneOfDerive, laneOfGenerate, laneOfUse } from "./bounds.ts";

const EXPONENT = new Uint8Array([1, 0, 1]);
const PBKDF2 = { name: "PBKDF2", hash: "SHA-256", salt: EXPONENT };

function rsaKey(modulusLength: number, publicExponent = EXPONENT): webcrypto.CryptoKey {
  return {
    algorithm: { name: "RSA-PSS", modulusLength, publicExponent },
  } as unknown as webcrypto.CryptoKey;
}

function rsa(modulusLength: number, publicExponent: unknown = EXPONENT) {
  return { name: "RSA-PSS", modulusLength, publicExponent };
}

test("PBKDF2 takes so many rounds and no more, blocks of output counted", () => {
  const derive = (iterations: unknown, bits: number) =>
    laneOfDerive({ ...PBKDF2, iterations }, bits);
  expect(derive(1_000, 256)).toBe("quick");
  expect(derive(PBKDF2_ROUNDS_MAX - 1, 256)).toBe("slow");
  expect(derive(PBKDF2_ROUNDS_MAX, 256)).toBe("slow");
  expect(() => derive(PBKDF2_ROUNDS_MAX + 1, 256)).toThrow("Iterations");
  expect(derive(PBKDF2_ROUNDS_MAX / 2, 512)).toBe("slow");
  expect(() => derive(PBKDF2_ROUNDS_MAX / 2, 513)).toThrow("Iterations");
  for (const wrong of [Number.NaN, "x", {}, undefined]) expect(() => derive(wrong, 256)).toThrow();
});

test("RSA keys are generated up to their length, with the usual exponents, and always as slow", () => {
  for (const bits of [512, RSA_GENERATED_BITS_MAX - 1, RSA_GENERATED_BITS_MAX])
    expect(laneOfGenerate(rsa(bits))).toBe("slow");
  expect(() => laneOfGenerate(rsa(RSA_GENERATED_BITS_MAX + 1))).toThrow("at most");
  expect(laneOfGenerate(rsa(2_048, new Uint8Array([0, 3])))).toBe("slow");
  for (const wrong of [[1], [5], [1, 0, 0], [0], [], [1, 0, 1, 0]]) {
    expect(() => laneOfGenerate(rsa(2_048, new Uint8Array(wrong)))).toThrow("exponent");
  }
  for (const wrong of [{ name: "RSA-OAEP" }, rsa(1_024, "3")]) {
    expect(() => laneOfGenerate(wrong)).toThrow();
  }
});

test("an imported RSA key has its length", () => {
  for (const bits of [1_024, RSA_BITS_MAX]) expect(() => checkKey(rsaKey(bits))).not.toThrow();
  expect(() => checkKey(rsaKey(RSA_BITS_MAX + 1))).toThrow("at most");
});

test("key data and generated HMAC keys have their bytes", () => {
  for (const bytes of [0, CRYPTO_KEY_BYTES_MAX]) expect(() => checkKeyData(bytes)).not.toThrow();
  expect(() => checkKeyData(CRYPTO_KEY_BYTES_MAX + 1)).toThrow("at most");
  const hmac = (length: number) => laneOfGenerate({ name: "HMAC", hash: "SHA-1", length });
  expect(hmac(8 * CRYPTO_KEY_BYTES_MAX)).toBe("quick");
  expect(() => hmac(8 * CRYPTO_KEY_BYTES_MAX + 1)).toThrow("at most");
});

test("an operation has its data, and is slow with much of it or with a long key", () => {
  expect(laneOfUse(rsaKey(2_048), 1_000)).toBe("quick");
  expect(laneOfUse(rsaKey(2_049), 1_000)).toBe("slow");
  expect(laneOfUse(rsaKey(2_048, new Uint8Array(5).fill(1)), 1_000)).toBe("slow");
  expect(laneOfUse(rsaKey(0), CRYPTO_DATA_BYTES_MAX)).toBe("slow");
  expect(() => laneOfUse(rsaKey(0), CRYPTO_DATA_BYTES_MAX + 1)).toThrow("at most");
  const hkdf = { name: "HKDF", hash: "SHA-1", info: EXPONENT, salt: EXPONENT };
  expect(laneOfDerive(hkdf, 8 * CRYPTO_DATA_BYTES_MAX)).toBe("quick");
  expect(() => laneOfDerive(hkdf, 8 * CRYPTO_DATA_BYTES_MAX + 1)).toThrow("at most");
  const info = new Uint8Array(CRYPTO_DATA_BYTES_MAX);
  expect(() => laneOfDerive({ ...hkdf, info }, 8)).toThrow("at most");
});
