// node:crypto: hashes and what is made of them, computed in the isolate, and randomness. All else that Node's has needs
// OpenSSL; calling it says what to use instead.

import { coded } from "./errors.ts";

export { Hash, Hmac, createHash, createHmac, getHashes, hash } from "./crypto/hash.ts";
export { hkdf, hkdfSync, pbkdf2, pbkdf2Sync, scrypt, scryptSync } from "./crypto/derive.ts";
export { KeyObject, createSecretKey } from "./crypto/secret-key.ts";
export { timingSafeEqual } from "./crypto/equal.ts";
export {
  getRandomValues,
  randomBytes,
  randomFill,
  randomFillSync,
  randomInt,
  randomUUID,
} from "./crypto/random.ts";

export const webcrypto: typeof globalThis.crypto = globalThis.crypto;
export const subtle: typeof globalThis.crypto.subtle = globalThis.crypto.subtle;
export const constants: Readonly<Record<string, number>> = {};

export function getCiphers(): string[] {
  return [];
}

export function getCurves(): string[] {
  return [];
}

export function getFips(): number {
  return 0;
}

type Missing = (...args: unknown[]) => never;

/** A function, and no arrow: some are constructors. */
function missing(name: string, instead: string): Missing {
  return function missingFunction(): never {
    const text = `crypto.${name} does not exist in isolates: use crypto.subtle (Web Crypto), ${instead}.`;
    throw coded("Error", "ERR_METHOD_NOT_IMPLEMENTED", text);
  };
}

const CIPHERS = "encrypt() and decrypt() with AES-GCM, AES-CBC or AES-CTR";
const KEYS = "importKey()";
const PAIRS = "generateKey()";
const SIGNING = "sign() and verify()";
const AGREEMENT = "deriveBits() with ECDH or X25519";
const RSA = "encrypt() and decrypt() with RSA-OAEP";

export const createCipheriv: Missing = missing("createCipheriv", CIPHERS);
export const createDecipheriv: Missing = missing("createDecipheriv", CIPHERS);
export const createSign: Missing = missing("createSign", SIGNING);
export const createVerify: Missing = missing("createVerify", SIGNING);
export const sign: Missing = missing("sign", SIGNING);
export const verify: Missing = missing("verify", SIGNING);
export const createPrivateKey: Missing = missing("createPrivateKey", KEYS);
export const createPublicKey: Missing = missing("createPublicKey", KEYS);
export const generateKey: Missing = missing("generateKey", PAIRS);
export const generateKeySync: Missing = missing("generateKeySync", PAIRS);
export const generateKeyPair: Missing = missing("generateKeyPair", PAIRS);
export const generateKeyPairSync: Missing = missing("generateKeyPairSync", PAIRS);
export const publicEncrypt: Missing = missing("publicEncrypt", RSA);
export const privateDecrypt: Missing = missing("privateDecrypt", RSA);
export const createECDH: Missing = missing("createECDH", AGREEMENT);
export const createDiffieHellman: Missing = missing("createDiffieHellman", AGREEMENT);
export const diffieHellman: Missing = missing("diffieHellman", AGREEMENT);
