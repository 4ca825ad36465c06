// Hashing on the event loop, in pieces, with a turn of the loop between them: so that the largest input an isolate
// can hold delays its neighbours by one piece at a time.

import {
  createHash,
  createHmac,
  KeyObject,
  type Hash,
  type Hmac,
  type webcrypto,
} from "node:crypto";
import { EdgeError } from "../../../sdk/errors.ts";
import { refuse } from "./node-subtle.ts";

/** One piece: below a millisecond for each of the hashes on the processors of the last ten years. */
export const HASH_PIECE_BYTES: number = 256 * 1024;

/** WebCrypto's names, and MD5, which Workers code may ask for. */
const ALGORITHMS: Readonly<Record<string, string>> = {
  MD5: "md5",
  "SHA-1": "sha1",
  "SHA-256": "sha256",
  "SHA-384": "sha384",
  "SHA-512": "sha512",
};

export function openHash(name: string): Hash {
  const upper = name.toUpperCase();
  const algorithm = Object.hasOwn(ALGORITHMS, upper) ? ALGORITHMS[upper] : undefined;
  if (algorithm === undefined) {
    throw new EdgeError("CALL_INVALID", "The host does not know this hash algorithm.");
  }
  return createHash(algorithm);
}

/** For an operation of the author's, so what is wrong with the key is for the author to know. */
export function openHmac(key: webcrypto.CryptoKey, usage: "sign" | "verify"): Hmac {
  const { name, hash } = key.algorithm as webcrypto.HmacKeyAlgorithm;
  if (name !== "HMAC") refuse("InvalidAccessError", "The key is not for HMAC");
  if (!key.usages.includes(usage)) {
    refuse("InvalidAccessError", `The key cannot be used to ${usage}`);
  }
  return createHmac(ALGORITHMS[hash.name] ?? "", KeyObject.from(key));
}

/** Rejects when the isolate goes before the end. */
export async function absorb(
  hash: Hash | Hmac,
  data: Uint8Array,
  isClosed: () => boolean,
): Promise<void> {
  for (let at = 0; at < data.byteLength; at += HASH_PIECE_BYTES) {
    if (at > 0) await new Promise<void>((resolve) => setImmediate(resolve));
    if (isClosed()) throw new EdgeError("CANCELLED", "The isolate is gone.");
    hash.update(data.subarray(at, at + HASH_PIECE_BYTES));
  }
}
