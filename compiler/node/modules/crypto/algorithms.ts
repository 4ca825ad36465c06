// The hash functions by the names OpenSSL has for them.

import { md5, ripemd160, sha1 } from "@noble/hashes/legacy.js";
import { sha224, sha256, sha384, sha512, sha512_224, sha512_256 } from "@noble/hashes/sha2.js";
import { sha3_224, sha3_256, sha3_384, sha3_512, shake128, shake256 } from "@noble/hashes/sha3.js";

/** A hash that takes its input bit by bit. */
export interface Running {
  update(bytes: Uint8Array): unknown;
  digest(): Uint8Array;
  clone(): Running;
}

export type Algorithm = typeof sha256 | typeof sha512 | typeof sha1;
export type Extendable = typeof shake256;

const FIXED: Readonly<Record<string, Algorithm>> = {
  md5,
  ripemd160,
  sha1,
  sha224,
  sha256,
  sha384,
  sha512,
  "sha512-224": sha512_224,
  "sha512-256": sha512_256,
  "sha3-224": sha3_224,
  "sha3-256": sha3_256,
  "sha3-384": sha3_384,
  "sha3-512": sha3_512,
};
/** As many bytes of output as are asked for. */
const EXTENDABLE: Readonly<Record<string, Extendable>> = { shake128, shake256 };

export const NAMES: readonly string[] = [...Object.keys(FIXED), ...Object.keys(EXTENDABLE)];

export function canonicalName(name: string): string {
  const plain = name
    .toLowerCase()
    .replace(/^rsa-/, "")
    .replace(/^sha2?-(?=\d)/, "sha")
    .replace(/^(sha512)\//, "$1-");
  return plain === "rmd160" || plain === "ripemd" ? "ripemd160" : plain;
}

export function fixedOf(name: string): Algorithm | null {
  const known = canonicalName(name);
  return Object.hasOwn(FIXED, known) ? (FIXED[known] ?? null) : null;
}

export function extendableOf(name: string): Extendable | null {
  const known = canonicalName(name);
  return Object.hasOwn(EXTENDABLE, known) ? (EXTENDABLE[known] ?? null) : null;
}
