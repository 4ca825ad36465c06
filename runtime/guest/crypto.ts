// `crypto`: random values here, the rest of Web Cryptography in crypto/.

import { QuotaExceededError } from "./dom-exception.ts";
import { bytesOf, typedArrayName } from "./buffer-source.ts";
import { fail } from "./crypto/algorithms.ts";
import { DigestStream } from "./crypto/digest-stream.ts";
import { subtle, type SubtleCrypto } from "./crypto/subtle-crypto.ts";
import { exposeInterface } from "./interface.ts";
import { fillRandom, randomUuid } from "./random.ts";

/** The standard's own limit for one getRandomValues. */
const RANDOM_BYTES_MAX = 65_536;
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

const KEY = Symbol("create");

export class Crypto {
  readonly #subtle: SubtleCrypto = subtle;

  constructor(key?: unknown) {
    if (key !== KEY) throw new TypeError("Illegal constructor");
  }

  get subtle(): SubtleCrypto {
    return this.#subtle;
  }

  /** Only here, as in Workers. */
  get DigestStream(): typeof DigestStream {
    return DigestStream;
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
      throw new QuotaExceededError(`getRandomValues fills ${RANDOM_BYTES_MAX} bytes at most`);
    }
    fillRandom(bytes);
    return array;
  }

  randomUUID(): string {
    if (!(#subtle in this)) throw new TypeError("Illegal invocation");
    return randomUuid();
  }
}
Object.defineProperty(Crypto, "length", { value: 0 });
exposeInterface(Crypto, "Crypto");

export const crypto: Crypto = new Crypto(KEY);
