// Node's own Web Cryptography. What is given to it came from a guest as plain data, so nothing in it can run; that it
// has the right shape is for Node to check, which does so as the standard says. The names are checked here: Node
// knows algorithms beyond those that are offered, some of which take as much memory as they are told to.

import { webcrypto } from "node:crypto";
import { EdgeError } from "../../../sdk/errors.ts";
import type { Value } from "../../../sdk/services/values.ts";

type Key = webcrypto.CryptoKey;
export type Algorithm = { readonly name: string; readonly [name: string]: unknown };
export type Data = Uint8Array;

export interface NodeSubtle {
  importKey(
    format: string,
    data: unknown,
    algorithm: Algorithm,
    extractable: boolean,
    usages: unknown,
  ): Promise<Key>;
  exportKey(format: string, key: Key): Promise<ArrayBuffer | object>;
  generateKey(
    algorithm: Algorithm,
    extractable: boolean,
    usages: unknown,
  ): Promise<Key | { readonly publicKey: Key; readonly privateKey: Key }>;
  sign(algorithm: Algorithm, key: Key, data: Data): Promise<ArrayBuffer>;
  verify(algorithm: Algorithm, key: Key, signature: Data, data: Data): Promise<boolean>;
  encrypt(algorithm: Algorithm, key: Key, data: Data): Promise<ArrayBuffer>;
  decrypt(algorithm: Algorithm, key: Key, data: Data): Promise<ArrayBuffer>;
  deriveBits(algorithm: Algorithm, key: Key, length: number | null): Promise<ArrayBuffer>;
  deriveKey(
    algorithm: Algorithm,
    key: Key,
    derived: Algorithm,
    extractable: boolean,
    usages: readonly string[],
  ): Promise<Key>;
  wrapKey(format: string, key: Key, wrapping: Key, algorithm: Algorithm): Promise<ArrayBuffer>;
  unwrapKey(
    format: string,
    wrapped: Data,
    unwrapping: Key,
    algorithm: Algorithm,
    unwrapped: Algorithm,
    extractable: boolean,
    usages: readonly string[],
  ): Promise<Key>;
}

/** Its own types ask for the standard's; the values here are a guest's. */
export const subtle: NodeSubtle = webcrypto.subtle as unknown as NodeSubtle;

const ALGORITHMS: ReadonlySet<string> = new Set([
  "AES-CBC",
  "AES-CTR",
  "AES-GCM",
  "AES-KW",
  "ECDH",
  "ECDSA",
  "Ed25519",
  "Ed448",
  "HKDF",
  "HMAC",
  "PBKDF2",
  "RSA-OAEP",
  "RSA-PSS",
  "RSASSA-PKCS1-v1_5",
  "X25519",
  "X448",
]);
const HASHES: ReadonlySet<string> = new Set(["SHA-1", "SHA-256", "SHA-384", "SHA-512"]);

export function takeAlgorithm(value: Value): Algorithm {
  const algorithm = value as unknown;
  if (typeof algorithm !== "object" || algorithm === null) throw malformed();
  const { name, hash } = algorithm as { readonly name?: unknown; readonly hash?: unknown };
  if (typeof name !== "string" || !ALGORITHMS.has(name)) throw malformed();
  if (hash !== undefined && !(typeof hash === "string" && HASHES.has(hash))) throw malformed();
  return algorithm as Algorithm;
}

export function takeText(value: Value): string {
  if (typeof value !== "string") throw malformed();
  return value;
}

export function takeBytes(value: Value): Uint8Array {
  if (!(value instanceof Uint8Array)) throw malformed();
  return value;
}

export function takeUsages(value: Value): string[] {
  if (!Array.isArray(value)) throw malformed();
  return value.map(takeText);
}

export function malformed(): EdgeError {
  return new EdgeError("CALL_INVALID", "The arguments are not valid.");
}

/** What the guest's author is to meet: a DOMException of this name, or a TypeError. */
export class Refusal {
  readonly name: string;
  readonly message: string;

  constructor(name: string, message: string) {
    this.name = name;
    this.message = message;
  }
}

export function refuse(name: string, message: string): never {
  throw new DOMException(message, name);
}

/** null for what is no matter of the author's. */
export function refusalOf(error: unknown): Refusal | null {
  if (error instanceof EdgeError) return null;
  if (isDomException(error)) return new Refusal(error.name, error.message);
  if (error instanceof TypeError) return new Refusal("TypeError", error.message);
  // OpenSSL's: what it says is of no use to an author.
  return new Refusal("OperationError", "The operation failed.");
}

/** By name: Node's own parts may have another class of it than the global one. */
function isDomException(error: unknown): error is Error {
  return error instanceof Error && error.constructor.name === "DOMException";
}
