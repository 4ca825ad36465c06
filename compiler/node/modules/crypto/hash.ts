// Hash and Hmac. They are no streams here: a stream's chunks go to update().

import { Buffer } from "node:buffer";
import { hmac } from "@noble/hashes/hmac.js";
import { checkString, coded, wrongType } from "../errors.ts";
import { extendableOf, fixedOf, NAMES } from "./algorithms.ts";
import type { Running } from "./algorithms.ts";
import { decoded, encoded, viewed } from "./bytes.ts";
import { secretOf } from "./secret-key.ts";

interface HashOptions {
  readonly outputLength?: number;
}

export class Hash {
  #running: Running;
  #finalized = false;

  constructor(from: Hash | string, options?: HashOptions) {
    this.#running = from instanceof Hash ? from.#copy(options) : start(from, options);
  }

  update(data: unknown, encoding?: unknown): this {
    if (this.#finalized) throw finalized();
    this.#running.update(input("data", data, encoding));
    return this;
  }

  digest(encoding?: unknown): Buffer | string {
    if (this.#finalized) throw finalized();
    this.#finalized = true;
    return decoded(this.#running.digest(), encoding);
  }

  copy(options?: HashOptions): Hash {
    return new Hash(this, options);
  }

  #copy(options: HashOptions | undefined): Running {
    if (this.#finalized) throw finalized();
    if (options?.outputLength === undefined) return this.#running.clone();
    const text = "A copied hash has its original's outputLength in isolates.";
    throw coded("Error", "ERR_METHOD_NOT_IMPLEMENTED", text);
  }
}

export class Hmac {
  readonly #running: Running;
  #finalized = false;

  constructor(name: string, key: unknown) {
    const hashing = fixedOf(checkString("hmac", name));
    const secret = secretOf(key);
    if (hashing === null) {
      throw coded("TypeError", "ERR_CRYPTO_INVALID_DIGEST", `Invalid digest: ${name}`);
    }
    this.#running = hmac.create(hashing, secret);
  }

  update(data: unknown, encoding?: unknown): this {
    if (this.#finalized) throw finalized();
    this.#running.update(input("data", data, encoding));
    return this;
  }

  /** Nothing the second time, as in Node. */
  digest(encoding?: unknown): Buffer | string {
    const bytes = this.#finalized ? Buffer.alloc(0) : this.#running.digest();
    this.#finalized = true;
    return decoded(bytes, encoding);
  }
}

export function createHash(name: string, options?: HashOptions): Hash {
  return new Hash(name, options);
}

export function createHmac(name: string, key: unknown): Hmac {
  return new Hmac(name, key);
}

/** A whole digest at once. */
export function hash(name: string, data: unknown, options: unknown = "hex"): Buffer | string {
  checkString("algorithm", name);
  const bytes = input("input", data, undefined);
  const asked: unknown = typeof options === "string" ? { outputEncoding: options } : options;
  const { outputEncoding = "hex", outputLength } = asked as Record<string, unknown>;
  if (outputEncoding !== "buffer" && !Buffer.isEncoding(String(outputEncoding))) {
    const text = `The argument 'outputEncoding' is invalid. Received '${String(outputEncoding)}'`;
    throw coded("TypeError", "ERR_INVALID_ARG_VALUE", text);
  }
  const length = typeof outputLength === "number" ? { outputLength } : {};
  return new Hash(name, length).update(bytes).digest(outputEncoding);
}

export function getHashes(): string[] {
  return NAMES.toSorted();
}

function input(name: string, data: unknown, encoding: unknown): Uint8Array {
  return typeof data === "string" ? encoded(data, encoding) : viewed(name, data);
}

function finalized(): Error {
  return coded("Error", "ERR_CRYPTO_HASH_FINALIZED", "Digest already called");
}

function start(name: unknown, { outputLength }: HashOptions = {}): Running {
  const known = checkString("algorithm", name);
  if (outputLength !== undefined && typeof outputLength !== "number") {
    throw wrongType("options.outputLength", "of type number", outputLength);
  }
  const extendable = extendableOf(known);
  if (extendable !== null) {
    return extendable.create(outputLength === undefined ? {} : { dkLen: outputLength });
  }
  const fixed = fixedOf(known);
  if (fixed === null)
    throw coded("Error", "ERR_OSSL_EVP_UNSUPPORTED", "Digest method not supported");
  if (outputLength !== undefined && outputLength !== fixed.outputLen) {
    const code = "ERR_OSSL_EVP_NOT_XOF_OR_INVALID_LENGTH";
    throw coded("Error", code, `${known} has ${fixed.outputLen} bytes of output`);
  }
  return fixed.create();
}
