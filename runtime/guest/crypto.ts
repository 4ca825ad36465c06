// Web Cryptography, as far as handlers need it for tokens and signatures: random values, SHA digests and HMAC.
// Hashing is done by the host, at OpenSSL's speed; keys cross with each call and are not kept there.

import { CALLS } from "../../sdk/bridge.ts";
import { bytesOf, typedArrayName } from "./buffer-source.ts";
import { type CryptoKey, keyFieldsOf, type KeyFields } from "./crypto-key.ts";
import { DOMException } from "./dom-exception.ts";
import {
  exportHmac,
  fail,
  generateHmac,
  importHmac,
  parseHash,
  parseUsages,
  requireHmac,
} from "./hmac-key.ts";
import { exposeInterface } from "./interface.ts";
import type { Port } from "./port.ts";
import { fillRandom, randomUuid } from "./random.ts";

/** The standard's own limit for one getRandomValues. */
const RANDOM_BYTES_MAX = 65_536;
const FORMATS: readonly string[] = ["raw", "spki", "pkcs8", "jwk"];
const INTEGER_ARRAYS: readonly string[] = [
  "Int8Array",
  "Uint8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "BigInt64Array",
  "BigUint64Array",
];

let port: Port | null = null;

let earlyCalls = 0;

export function thawCrypto(thawed: Port): void {
  port = thawed;
}

/** Calls before the isolate was booted, which a module may not make. */
export function topLevelCryptoCount(): number {
  return earlyCalls;
}

async function hostCall(name: string, args: string, bytes: Uint8Array): Promise<ArrayBuffer> {
  if (port === null) earlyCalls++;
  if (port === null) fail("InvalidStateError", "Cryptography works in handlers, not at top level");
  try {
    return await port.bytesCall(name, args, bytes);
  } catch (error) {
    const message = (error as { message?: unknown } | null)?.message;
    throw new DOMException(typeof message === "string" ? message : "", "OperationError");
  }
}

function copyOf(data: unknown): Uint8Array {
  const bytes = bytesOf(data);
  if (bytes === null) throw new TypeError("The data must be an ArrayBuffer or a view on one");
  return new Uint8Array(bytes);
}

function requireKey(key: unknown): KeyFields {
  const fields = keyFieldsOf(key);
  if (fields === null) throw new TypeError("The key must be a CryptoKey");
  return fields;
}

function requireUsage(fields: KeyFields, usage: string): void {
  if (!fields.usages.includes(usage))
    fail("InvalidAccessError", `The key cannot be used to ${usage}`);
}

function parseFormat(format: unknown): string {
  const text = `${format as string}`;
  if (!FORMATS.includes(text)) throw new TypeError(`'${text.slice(0, 50)}' is no key format`);
  return text;
}

async function computeHmac(fields: KeyFields, data: Uint8Array): Promise<ArrayBuffer> {
  const { bytes: key, algorithm } = fields;
  const joined = new Uint8Array(key.length + data.length);
  joined.set(key);
  joined.set(data, key.length);
  return hostCall(CALLS.HMAC, `${algorithm.hash.name}\n${key.length}`, joined);
}

/** In a time that depends on the lengths alone. */
function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}

const KEY = Symbol("create");

export class SubtleCrypto {
  readonly #brand = true;

  constructor(key?: unknown) {
    if (key !== KEY) throw new TypeError("Illegal constructor");
  }

  #check(given: number, required: number): void {
    if (!this.#brand || given < required) throw new TypeError(`${required} arguments required`);
  }

  async digest(algorithm: unknown, data: unknown): Promise<ArrayBuffer> {
    this.#check(arguments.length, 2);
    const bytes = copyOf(data);
    return hostCall(CALLS.DIGEST, parseHash(algorithm), bytes);
  }

  async importKey(
    format: unknown,
    keyData: unknown,
    algorithm: unknown,
    extractable: unknown,
    keyUsages: unknown,
  ): Promise<CryptoKey> {
    this.#check(arguments.length, 5);
    const kind = parseFormat(format);
    const usages = parseUsages(keyUsages);
    requireHmac(algorithm);
    return importHmac(kind, keyData, algorithm, { extractable: Boolean(extractable), usages });
  }

  async exportKey(format: unknown, key: unknown): Promise<ArrayBuffer | object> {
    this.#check(arguments.length, 2);
    return exportHmac(parseFormat(format), requireKey(key));
  }

  async generateKey(
    algorithm: unknown,
    extractable: unknown,
    keyUsages: unknown,
  ): Promise<CryptoKey> {
    this.#check(arguments.length, 3);
    const usages = parseUsages(keyUsages);
    return generateHmac(algorithm, { extractable: Boolean(extractable), usages });
  }

  async sign(algorithm: unknown, key: unknown, data: unknown): Promise<ArrayBuffer> {
    this.#check(arguments.length, 3);
    requireHmac(algorithm);
    const fields = requireKey(key);
    const bytes = copyOf(data);
    requireUsage(fields, "sign");
    return computeHmac(fields, bytes);
  }

  async verify(
    algorithm: unknown,
    key: unknown,
    signature: unknown,
    data: unknown,
  ): Promise<boolean> {
    this.#check(arguments.length, 4);
    requireHmac(algorithm);
    const fields = requireKey(key);
    const claimed = copyOf(signature);
    const bytes = copyOf(data);
    requireUsage(fields, "verify");
    return equalBytes(new Uint8Array(await computeHmac(fields, bytes)), claimed);
  }

  async encrypt(algorithm: unknown, _key: unknown, _data: unknown): Promise<never> {
    return this.#unsupported(arguments.length, 3, algorithm);
  }

  async decrypt(algorithm: unknown, _key: unknown, _data: unknown): Promise<never> {
    return this.#unsupported(arguments.length, 3, algorithm);
  }

  async deriveBits(algorithm: unknown, _baseKey: unknown): Promise<never> {
    return this.#unsupported(arguments.length, 2, algorithm);
  }

  async deriveKey(
    algorithm: unknown,
    _baseKey: unknown,
    _derivedKeyType: unknown,
    _extractable: unknown,
    _keyUsages: unknown,
  ): Promise<never> {
    return this.#unsupported(arguments.length, 5, algorithm);
  }

  async wrapKey(
    _format: unknown,
    _key: unknown,
    _wrappingKey: unknown,
    wrapAlgorithm: unknown,
  ): Promise<never> {
    return this.#unsupported(arguments.length, 4, wrapAlgorithm);
  }

  async unwrapKey(
    _format: unknown,
    _wrappedKey: unknown,
    _unwrappingKey: unknown,
    unwrapAlgorithm: unknown,
    _unwrappedKeyAlgorithm: unknown,
    _extractable: unknown,
    _keyUsages: unknown,
  ): Promise<never> {
    return this.#unsupported(arguments.length, 7, unwrapAlgorithm);
  }

  #unsupported(given: number, required: number, algorithm: unknown): never {
    this.#check(given, required);
    const name = typeof algorithm === "object" ? "this algorithm" : `${algorithm as string}`;
    return fail("NotSupportedError", `${name.slice(0, 50)} is not supported`);
  }

  /** As in Workers: throws when the lengths differ. */
  timingSafeEqual(a: unknown, b: unknown): boolean {
    const left = bytesOf(a);
    const right = bytesOf(b);
    if (left === null || right === null)
      throw new TypeError("timingSafeEqual requires two buffers");
    if (left.length !== right.length) throw new TypeError("The buffers differ in length");
    return equalBytes(left, right);
  }
}
exposeInterface(SubtleCrypto, "SubtleCrypto");

export class Crypto {
  readonly #subtle: SubtleCrypto = new SubtleCrypto(KEY);

  constructor(key?: unknown) {
    if (key !== KEY) throw new TypeError("Illegal constructor");
  }

  get subtle(): SubtleCrypto {
    return this.#subtle;
  }

  getRandomValues(array: unknown): unknown {
    if (!(#subtle in this)) throw new TypeError("Illegal invocation");
    if (arguments.length === 0) throw new TypeError("getRandomValues requires an array");
    const name = typedArrayName(array);
    if (name === undefined || !INTEGER_ARRAYS.includes(name)) {
      fail("TypeMismatchError", "getRandomValues requires an array of integers");
    }
    const bytes = bytesOf(array);
    if (bytes === null) return array;
    if (bytes.length > RANDOM_BYTES_MAX) {
      fail("QuotaExceededError", `getRandomValues fills ${RANDOM_BYTES_MAX} bytes at most`);
    }
    fillRandom(bytes);
    return array;
  }

  randomUUID(): string {
    if (!(#subtle in this)) throw new TypeError("Illegal invocation");
    return randomUuid();
  }
}
exposeInterface(Crypto, "Crypto");

export const crypto: Crypto = new Crypto(KEY);
