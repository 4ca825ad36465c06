// HMAC keys: algorithm parameters, import, export and generation, as the Web Cryptography API describes them.

import { decodeBase64Url, encodeBase64Url } from "./base64.ts";
import { bytesOf } from "./buffer-source.ts";
import { createKey, type CryptoKey, type HmacAlgorithm, type KeyFields } from "./crypto-key.ts";
import { DOMException } from "./dom-exception.ts";
import { fillRandom } from "./random.ts";

/** Bits of one block, which is the length of a generated key, and the name a JSON Web Key has for it. */
const HASHES: Readonly<Record<string, { readonly blockBits: number; readonly jwk: string }>> = {
  "SHA-1": { blockBits: 512, jwk: "HS1" },
  "SHA-256": { blockBits: 512, jwk: "HS256" },
  "SHA-384": { blockBits: 1024, jwk: "HS384" },
  "SHA-512": { blockBits: 1024, jwk: "HS512" },
};
const hashNames: readonly string[] = Object.keys(HASHES);
const USAGES: readonly string[] = [
  "encrypt",
  "decrypt",
  "sign",
  "verify",
  "deriveKey",
  "deriveBits",
  "wrapKey",
  "unwrapKey",
];
/** A key longer than this is a mistake: every hash reduces it to one block. */
const KEY_BITS_MAX = 1 << 20;

export function fail(name: string, message: string): never {
  throw new DOMException(message, name);
}

/** The `name` of an algorithm given as a string or an object. */
export function algorithmName(algorithm: unknown): string {
  if (typeof algorithm !== "object" && typeof algorithm !== "function")
    return `${algorithm as string}`;
  const name: unknown = (algorithm as { name?: unknown } | null)?.name;
  if (name === undefined) throw new TypeError("The algorithm has no name");
  return `${name as string}`;
}

/** The hash's name in its usual spelling. */
export function parseHash(algorithm: unknown): string {
  const name = algorithmName(algorithm);
  const upper = name.toUpperCase();
  for (const known of hashNames) if (known === upper) return known;
  return fail("NotSupportedError", `Unrecognized hash name: ${name.slice(0, 50)}`);
}

interface HmacParams {
  readonly hash: string;
  readonly length: number | undefined;
}

export function requireHmac(algorithm: unknown): void {
  const name = algorithmName(algorithm);
  if (name.toUpperCase() === "HMAC") return;
  fail("NotSupportedError", `Unrecognized algorithm name: ${name.slice(0, 50)}`);
}

export function parseHmacParams(algorithm: unknown): HmacParams {
  requireHmac(algorithm);
  const given = (typeof algorithm === "object" ? algorithm : null) as {
    hash?: unknown;
    length?: unknown;
  } | null;
  if (given?.hash === undefined) throw new TypeError("HMAC requires a hash");
  const hash = parseHash(given.hash);
  if (given.length === undefined) return { hash, length: undefined };
  const length = Math.trunc(Number(given.length));
  if (!(length >= 0 && length <= 0xffff_ffff)) throw new TypeError("The length is out of range");
  return { hash, length };
}

export function parseUsages(usages: unknown): string[] {
  const given = [...(usages as Iterable<unknown>)].map((usage) => `${usage as string}`);
  for (const usage of given) {
    if (!USAGES.includes(usage)) throw new TypeError(`'${usage.slice(0, 50)}' is no key usage`);
  }
  return USAGES.filter((usage) => given.includes(usage));
}

function checkUsages(usages: readonly string[]): void {
  for (const usage of usages) {
    if (usage !== "sign" && usage !== "verify") {
      fail("SyntaxError", `A HMAC key cannot be used to ${usage}`);
    }
  }
}

function build(hash: string, length: number, rest: Omit<KeyFields, "algorithm">): CryptoKey {
  const algorithm: HmacAlgorithm = { name: "HMAC", length, hash: { name: hash } };
  return createKey({ ...rest, algorithm });
}

export interface KeyOptions {
  readonly extractable: boolean;
  readonly usages: readonly string[];
}

export function importHmac(
  format: string,
  data: unknown,
  algorithm: unknown,
  options: KeyOptions,
): CryptoKey {
  const { hash, length } = parseHmacParams(algorithm);
  checkUsages(options.usages);
  const bytes = format === "jwk" ? bytesFromJwk(data, hash, options) : bytesFromRaw(format, data);
  const bits = bytes.length * 8;
  if (bits === 0) fail("DataError", "The key is empty");
  if (length !== undefined && (length > bits || length <= bits - 8)) {
    fail("DataError", "The length does not fit the key");
  }
  if (options.usages.length === 0) fail("SyntaxError", "A secret key needs a usage");
  return build(hash, length ?? bits, { ...options, bytes });
}

function bytesFromRaw(format: string, data: unknown): Uint8Array<ArrayBuffer> {
  if (format !== "raw") fail("NotSupportedError", `HMAC keys have no format '${format}'`);
  const bytes = bytesOf(data);
  if (bytes === null) throw new TypeError("A raw key must be an ArrayBuffer or a view on one");
  return new Uint8Array(bytes);
}

function bytesFromJwk(data: unknown, hash: string, options: KeyOptions): Uint8Array<ArrayBuffer> {
  if (typeof data !== "object" || data === null || bytesOf(data) !== null) {
    throw new TypeError("A JSON Web Key must be an object");
  }
  const { kty, k, alg, use, key_ops: operations, ext } = data as Record<string, unknown>;
  if (kty !== "oct") fail("DataError", "The key's kty is not 'oct'");
  const bytes = typeof k === "string" ? decodeBase64Url(k) : null;
  if (bytes === null) fail("DataError", "The key's k is not base64url");
  if (alg !== undefined && alg !== HASHES[hash]?.jwk) {
    fail("DataError", "The key's alg does not match the hash");
  }
  if (options.usages.length > 0 && use !== undefined && use !== "sig") {
    fail("DataError", "The key's use is not 'sig'");
  }
  if (operations !== undefined) {
    const allowed = [...(operations as Iterable<unknown>)].map(
      (operation) => `${operation as string}`,
    );
    const unique = allowed.every((operation, index) => allowed.indexOf(operation) === index);
    if (!unique || !options.usages.every((usage) => allowed.includes(usage))) {
      fail("DataError", "The key's key_ops do not allow the usages");
    }
  }
  if (ext === false && options.extractable) fail("DataError", "The key is not extractable");
  return bytes;
}

export function generateHmac(algorithm: unknown, options: KeyOptions): CryptoKey {
  const { hash, length } = parseHmacParams(algorithm);
  checkUsages(options.usages);
  const bits = length ?? HASHES[hash]?.blockBits ?? 0;
  if (bits === 0) fail("OperationError", "The key would be empty");
  if (bits > KEY_BITS_MAX) fail("OperationError", `A key has ${KEY_BITS_MAX} bits at most`);
  if (options.usages.length === 0) fail("SyntaxError", "A secret key needs a usage");
  const bytes = new Uint8Array(Math.ceil(bits / 8));
  fillRandom(bytes);
  return build(hash, bits, { ...options, bytes });
}

export function exportHmac(format: string, fields: KeyFields): ArrayBuffer | object {
  if (!fields.extractable) fail("InvalidAccessError", "The key is not extractable");
  const { bytes, algorithm, usages } = fields;
  if (format === "raw") return new Uint8Array(bytes).buffer;
  if (format !== "jwk") fail("NotSupportedError", `HMAC keys have no format '${format}'`);
  return {
    kty: "oct",
    k: encodeBase64Url(bytes),
    alg: HASHES[algorithm.hash.name]?.jwk,
    key_ops: [...usages],
    ext: true,
  };
}
