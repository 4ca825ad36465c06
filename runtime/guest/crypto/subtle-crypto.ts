// SubtleCrypto: converts and copies what authors give, in the order of the standard; the rest is the host's
// (runtime/isolate/crypto/operations.ts).

import { CALLS } from "../../../sdk/bridge.ts";
import type { Value } from "../../../sdk/services/values.ts";
import { bytesOf } from "../buffer-source.ts";
import { exposeInterface } from "../interface.ts";
import { normalize, readBytes } from "./algorithms.ts";
import { createKey, type CryptoKey, type KeyFields, sealOf } from "./crypto-key.ts";
import { ask, askBytes } from "./host.ts";
import { readFormat, readKeyData, readUsages } from "./key-arguments.ts";

type KeyPair = { readonly publicKey: CryptoKey; readonly privateKey: CryptoKey };

const KEY = Symbol("create");

/** Each answer is a buffer of its own. */
function bufferIn(value: Value): ArrayBuffer {
  return (value as Uint8Array<ArrayBuffer>).buffer;
}

function exportedIn(value: Value): ArrayBuffer | object {
  return bytesOf(value) === null ? (value as object) : bufferIn(value);
}

function keyIn(value: Value): CryptoKey {
  return createKey(value as unknown as KeyFields);
}

function keysIn(value: Value): CryptoKey | KeyPair {
  const { publicKey, privateKey } = value as unknown as Partial<Record<keyof KeyPair, Value>>;
  if (publicKey === undefined || privateKey === undefined) return keyIn(value);
  return { publicKey: keyIn(publicKey), privateKey: keyIn(privateKey) };
}

function isTrue(value: Value): boolean {
  return value === true;
}

/** In a time that depends on the lengths alone. */
function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}

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
    const bytes = readBytes(data);
    const { name } = normalize("digest", algorithm);
    // The call gives its buffer away.
    return askBytes(CALLS.DIGEST, name, new Uint8Array(bytes));
  }

  async encrypt(algorithm: unknown, key: unknown, data: unknown): Promise<ArrayBuffer> {
    this.#check(arguments.length, 3);
    const seal = sealOf(key);
    const bytes = readBytes(data);
    return ask("encrypt", [normalize("encrypt", algorithm), seal, bytes], bufferIn);
  }

  async decrypt(algorithm: unknown, key: unknown, data: unknown): Promise<ArrayBuffer> {
    this.#check(arguments.length, 3);
    const seal = sealOf(key);
    const bytes = readBytes(data);
    return ask("decrypt", [normalize("decrypt", algorithm), seal, bytes], bufferIn);
  }

  async sign(algorithm: unknown, key: unknown, data: unknown): Promise<ArrayBuffer> {
    this.#check(arguments.length, 3);
    const seal = sealOf(key);
    const bytes = readBytes(data);
    return ask("sign", [normalize("sign", algorithm), seal, bytes], bufferIn);
  }

  async verify(
    algorithm: unknown,
    key: unknown,
    signature: unknown,
    data: unknown,
  ): Promise<boolean> {
    this.#check(arguments.length, 4);
    const seal = sealOf(key);
    const claimed = readBytes(signature);
    const bytes = readBytes(data);
    return ask("verify", [normalize("sign", algorithm), seal, claimed, bytes], isTrue);
  }

  async deriveBits(algorithm: unknown, baseKey: unknown, length?: unknown): Promise<ArrayBuffer> {
    this.#check(arguments.length, 2);
    const seal = sealOf(baseKey);
    const bits = length === undefined || length === null ? null : (length as number) >>> 0;
    return ask("deriveBits", [normalize("deriveBits", algorithm), seal, bits], bufferIn);
  }

  async deriveKey(
    algorithm: unknown,
    baseKey: unknown,
    derivedKeyType: unknown,
    extractable: unknown,
    keyUsages: unknown,
  ): Promise<CryptoKey> {
    this.#check(arguments.length, 5);
    const seal = sealOf(baseKey);
    const usages = readUsages(keyUsages);
    const from = normalize("deriveBits", algorithm);
    const derived = normalize("deriveKey", derivedKeyType);
    return ask("deriveKey", [from, seal, derived, Boolean(extractable), usages], keyIn);
  }

  async generateKey(
    algorithm: unknown,
    extractable: unknown,
    keyUsages: unknown,
  ): Promise<CryptoKey | KeyPair> {
    this.#check(arguments.length, 3);
    const usages = readUsages(keyUsages);
    const normal = normalize("generateKey", algorithm);
    return ask("generateKey", [normal, Boolean(extractable), usages], keysIn);
  }

  async importKey(
    format: unknown,
    keyData: unknown,
    algorithm: unknown,
    extractable: unknown,
    keyUsages: unknown,
  ): Promise<CryptoKey> {
    this.#check(arguments.length, 5);
    const kind = readFormat(format);
    const data = readKeyData(kind, keyData);
    const usages = readUsages(keyUsages);
    const normal = normalize("importKey", algorithm);
    return ask("importKey", [kind, data, normal, Boolean(extractable), usages], keyIn);
  }

  async exportKey(format: unknown, key: unknown): Promise<ArrayBuffer | object> {
    this.#check(arguments.length, 2);
    return ask("exportKey", [readFormat(format), sealOf(key)], exportedIn);
  }

  async wrapKey(
    format: unknown,
    key: unknown,
    wrappingKey: unknown,
    wrapAlgorithm: unknown,
  ): Promise<ArrayBuffer> {
    this.#check(arguments.length, 4);
    const kind = readFormat(format);
    const seal = sealOf(key);
    const wrapper = sealOf(wrappingKey);
    return ask("wrapKey", [kind, seal, wrapper, normalize("wrapKey", wrapAlgorithm)], bufferIn);
  }

  async unwrapKey(
    format: unknown,
    wrappedKey: unknown,
    unwrappingKey: unknown,
    unwrapAlgorithm: unknown,
    unwrappedKeyAlgorithm: unknown,
    extractable: unknown,
    keyUsages: unknown,
  ): Promise<CryptoKey> {
    this.#check(arguments.length, 7);
    const kind = readFormat(format);
    const wrapped = readBytes(wrappedKey);
    const seal = sealOf(unwrappingKey);
    const usages = readUsages(keyUsages);
    const algorithm = normalize("wrapKey", unwrapAlgorithm);
    const unwrapped = normalize("importKey", unwrappedKeyAlgorithm);
    const key = [unwrapped, Boolean(extractable), usages];
    return ask("unwrapKey", [kind, wrapped, seal, algorithm, ...key], keyIn);
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
Object.defineProperty(SubtleCrypto, "length", { value: 0 });
exposeInterface(SubtleCrypto, "SubtleCrypto");

export const subtle: SubtleCrypto = new SubtleCrypto(KEY);
