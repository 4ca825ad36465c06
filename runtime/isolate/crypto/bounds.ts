// How much work an operation is: which lane it runs in, and what is too much for any.

import type { webcrypto } from "node:crypto";
import {
  CRYPTO_DATA_BYTES_MAX,
  CRYPTO_KEY_BYTES_MAX,
  PBKDF2_ROUNDS_MAX,
  RSA_BITS_MAX,
  RSA_GENERATED_BITS_MAX,
} from "../../../sdk/limits.ts";
import { refuse, type Algorithm } from "./node-subtle.ts";
import type { Lane } from "./turns.ts";

/** Up to about ten milliseconds each. */
const QUICK_BYTES_MAX: number = 1_024 * 1_024;
const QUICK_ROUNDS_MAX = 20_000;
const QUICK_RSA_BITS_MAX = 2_048;
const QUICK_EXPONENT_BYTES_MAX = 4;
const HMAC_BITS_MAX: number = 8 * CRYPTO_KEY_BYTES_MAX;
const DIGEST_BITS: Readonly<Record<string, number>> = {
  "SHA-1": 160,
  "SHA-256": 256,
  "SHA-384": 384,
  "SHA-512": 512,
};

export function checkKeyData(bytes: number): void {
  if (bytes <= CRYPTO_KEY_BYTES_MAX) return;
  refuse("DataError", `A key has ${CRYPTO_KEY_BYTES_MAX} bytes at most`);
}

export function checkKey({ algorithm }: webcrypto.CryptoKey): void {
  const { modulusLength = 0 } = algorithm as { readonly modulusLength?: number };
  if (modulusLength > RSA_BITS_MAX) {
    refuse("NotSupportedError", `An RSA key has ${RSA_BITS_MAX} bits at most`);
  }
}

export function laneOfGenerate({ name, modulusLength, publicExponent, length }: Algorithm): Lane {
  if (name === "HMAC" && typeof length === "number" && length > HMAC_BITS_MAX) {
    refuse("OperationError", `A key has ${HMAC_BITS_MAX} bits at most`);
  }
  if (!name.startsWith("RSA")) return "quick";
  if (typeof modulusLength !== "number" || modulusLength > RSA_GENERATED_BITS_MAX) {
    refuse("OperationError", `An RSA key of ${RSA_GENERATED_BITS_MAX} bits at most is generated`);
  }
  // With others the search for primes may take long, or for ever.
  if (!(publicExponent instanceof Uint8Array) || !isUsual(publicExponent)) {
    refuse("OperationError", "The public exponent has to be 3 or 65537");
  }
  return "slow";
}

function isUsual(exponent: Uint8Array): boolean {
  const significant = exponent.subarray(exponent.findIndex((byte) => byte !== 0));
  const text = significant.join();
  return text === "3" || text === "1,0,1";
}

/** An operation with a key, on `bytes` of data. */
export function laneOfUse({ algorithm }: webcrypto.CryptoKey, bytes: number): Lane {
  if (bytes > CRYPTO_DATA_BYTES_MAX) {
    refuse("OperationError", `The data has ${CRYPTO_DATA_BYTES_MAX} bytes at most`);
  }
  const { modulusLength = 0, publicExponent } = algorithm as {
    readonly modulusLength?: number;
    readonly publicExponent?: Uint8Array;
  };
  const exponentBytes = publicExponent?.byteLength ?? 0;
  const quick =
    bytes <= QUICK_BYTES_MAX &&
    modulusLength <= QUICK_RSA_BITS_MAX &&
    exponentBytes <= QUICK_EXPONENT_BYTES_MAX;
  return quick ? "quick" : "slow";
}

export function laneOfDerive(algorithm: Algorithm, bits: number | null): Lane {
  const length = bits ?? 0;
  if (length > 8 * CRYPTO_DATA_BYTES_MAX) {
    refuse("OperationError", `${CRYPTO_DATA_BYTES_MAX} bytes at most are derived`);
  }
  const bytes = byteLengthOf(algorithm["salt"]) + byteLengthOf(algorithm["info"]);
  if (bytes > CRYPTO_DATA_BYTES_MAX) {
    refuse("OperationError", `Salt and info have ${CRYPTO_DATA_BYTES_MAX} bytes at most`);
  }
  if (algorithm.name !== "PBKDF2") return bytes > QUICK_BYTES_MAX ? "slow" : "quick";
  const blocks = Math.ceil(length / (DIGEST_BITS[algorithm["hash"] as string] ?? 1));
  const rounds = Number(algorithm["iterations"]) * Math.max(1, blocks);
  if (!(rounds <= PBKDF2_ROUNDS_MAX)) {
    refuse("OperationError", `Iterations times blocks of output is ${PBKDF2_ROUNDS_MAX} at most`);
  }
  return rounds > QUICK_ROUNDS_MAX || bytes > QUICK_BYTES_MAX ? "slow" : "quick";
}

function byteLengthOf(value: unknown): number {
  return value instanceof Uint8Array ? value.byteLength : 0;
}
