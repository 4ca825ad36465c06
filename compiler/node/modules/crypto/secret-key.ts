// Keys of bytes, which are the only ones that code in an isolate holds.

import { Buffer } from "node:buffer";
import { coded } from "../errors.ts";
import { bufferOf, bytesOf, encoded } from "./bytes.ts";
import { timingSafeEqual } from "./equal.ts";

export class KeyObject {
  readonly type = "secret";
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes.slice();
  }

  get symmetricKeySize(): number {
    return this.#bytes.byteLength;
  }

  export(options?: { readonly format?: string }): unknown {
    const copy = bufferOf(this.#bytes.slice());
    return options?.format === "jwk" ? { kty: "oct", k: copy.toString("base64url") } : copy;
  }

  equals(other: KeyObject): boolean {
    return this.#bytes.length === other.#bytes.length && timingSafeEqual(this.#bytes, other.#bytes);
  }

  static bytes(key: KeyObject): Uint8Array {
    return key.#bytes;
  }
}

export function createSecretKey(key: unknown, encoding?: unknown): KeyObject {
  return new KeyObject(typeof key === "string" ? encoded(key, encoding) : bytesOf("key", key));
}

/** The bytes of whatever is given as a key. */
export function secretOf(key: unknown): Uint8Array {
  if (key instanceof KeyObject) return KeyObject.bytes(key);
  if (key instanceof CryptoKey) {
    const text = "A CryptoKey's bytes stay in the host: sign with crypto.subtle.";
    throw coded("TypeError", "ERR_INVALID_ARG_TYPE", text);
  }
  return typeof key === "string" ? Buffer.from(key) : bytesOf("key", key);
}
