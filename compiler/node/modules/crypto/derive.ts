// Keys derived of passwords and of other keys. What is synchronous costs the request's CPU time.

import type { Buffer } from "node:buffer";
import { hkdf as deriveHkdf } from "@noble/hashes/hkdf.js";
import { pbkdf2 as derivePbkdf2 } from "@noble/hashes/pbkdf2.js";
import { scrypt as deriveScrypt } from "@noble/hashes/scrypt.js";
import { checkCallback, checkInteger, checkString, coded, outOfRange } from "../errors.ts";
import { canonicalName, fixedOf } from "./algorithms.ts";
import type { Algorithm } from "./algorithms.ts";
import { bufferOf, bytesOf } from "./bytes.ts";
import { secretOf } from "./secret-key.ts";

const INT_MAX: number = 2 ** 31 - 1;
const UINT_MAX: number = 2 ** 32 - 1;
const INFO_BYTES_MAX = 1_024;
/** HKDF gives at most so many times its hash. */
const HKDF_BLOCKS_MAX = 255;
/** Node's: without `maxmem`, scrypt takes no more. */
const SCRYPT_BYTES_MAX: number = 32 * 1_024 * 1_024;
/** Those of Web Crypto, which derives beside the isolate. */
const OUTSIDE: Readonly<Record<string, string>> = {
  sha1: "SHA-1",
  sha256: "SHA-256",
  sha384: "SHA-384",
  sha512: "SHA-512",
};

export function pbkdf2Sync(...args: unknown[]): Buffer {
  const { hashing, password, salt, c, dkLen } = pbkdf2Input(args);
  return bufferOf(derivePbkdf2(hashing, password, salt, { c, dkLen }));
}

/** In the host where it can be: the iterations cost the isolate nothing. */
export function pbkdf2(...args: unknown[]): void {
  const callback = checkCallback(args[5]);
  const input = pbkdf2Input(args);
  const outside = OUTSIDE[input.name];
  void answer(callback, () =>
    outside === undefined ? pbkdf2Sync(...args) : pbkdf2Outside(outside, input),
  );
}

async function pbkdf2Outside(hash: string, input: Pbkdf2Input): Promise<Buffer> {
  const salt = input.salt.slice();
  const key = await crypto.subtle.importKey("raw", input.password.slice(), "PBKDF2", false, [
    "deriveBits",
  ]);
  const algorithm = { name: "PBKDF2", hash, salt, iterations: input.c };
  return bufferOf(new Uint8Array(await crypto.subtle.deriveBits(algorithm, key, input.dkLen * 8)));
}

export function scryptSync(
  password: unknown,
  salt: unknown,
  keylen: unknown,
  options?: object,
): Buffer {
  const given = bytesOf("password", password);
  const salted = bytesOf("salt", salt);
  const dkLen = checkInteger("keylen", keylen, 0, INT_MAX);
  const { N, r, p, maxmem } = scryptCost({ ...options });
  const isPower = N > 1 && Number.isInteger(Math.log2(N));
  if (!isPower || 128 * r * (N + p + 2) > maxmem) {
    const why = isPower ? ": memory limit exceeded" : "";
    const code = "ERR_CRYPTO_INVALID_SCRYPT_PARAMS";
    throw coded("RangeError", code, `Invalid scrypt params${why}`);
  }
  if (dkLen === 0) return bufferOf(new Uint8Array());
  return bufferOf(deriveScrypt(given, salted, { N, r, p, dkLen, maxmem: Number.MAX_SAFE_INTEGER }));
}

/** (password, salt, keylen, callback), or with options before the callback. */
export function scrypt(
  password: unknown,
  salt: unknown,
  keylen: unknown,
  ...rest: unknown[]
): void {
  const callback = checkCallback(rest.at(-1));
  const options: unknown = rest.length > 1 ? rest[0] : {};
  const key = scryptSync(password, salt, keylen, options as object);
  void answer(callback, () => key);
}

export function hkdfSync(...args: unknown[]): ArrayBuffer {
  const [digest, key, salt, info, keylen] = args;
  const name = checkString("digest", digest);
  const secret = secretOf(key);
  const salted = bytesOf("salt", salt);
  const context = bytesOf("info", info);
  const length = checkInteger("length", keylen, 0, Number.MAX_SAFE_INTEGER);
  if (context.byteLength > INFO_BYTES_MAX) {
    throw outOfRange("info", `no longer than ${INFO_BYTES_MAX} bytes`, context.byteLength);
  }
  const hashing = digestOf(name);
  if (length > HKDF_BLOCKS_MAX * hashing.outputLen) {
    throw coded("RangeError", "ERR_CRYPTO_INVALID_KEYLEN", "Invalid key length");
  }
  return deriveHkdf(hashing, secret, salted, context, length).slice().buffer;
}

export function hkdf(...args: unknown[]): void {
  const callback = checkCallback(args[5]);
  const derived = hkdfSync(...args);
  void answer(callback, () => derived);
}

interface Pbkdf2Input {
  readonly name: string;
  readonly hashing: Algorithm;
  readonly password: Uint8Array;
  readonly salt: Uint8Array;
  readonly c: number;
  readonly dkLen: number;
}

function pbkdf2Input(args: readonly unknown[]): Pbkdf2Input {
  const [password, salt, iterations, keylen, digest] = args;
  const name = checkString("digest", digest);
  return {
    password: bytesOf("password", password),
    salt: bytesOf("salt", salt),
    c: checkInteger("iterations", iterations, 1, INT_MAX),
    dkLen: checkInteger("keylen", keylen, 0, INT_MAX),
    hashing: digestOf(name),
    name: canonicalName(name),
  };
}

function digestOf(name: string): Algorithm {
  const hashing = fixedOf(name);
  if (hashing !== null) return hashing;
  throw coded("TypeError", "ERR_CRYPTO_INVALID_DIGEST", `Invalid digest: ${name}`);
}

interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
  readonly maxmem: number;
}

/** Each has two names, and 0 is none. */
function scryptCost(options: Readonly<Record<string, unknown>>): ScryptCost {
  const either = (short: string, long: string, fallback: number): number => {
    const [a, b] = [options[short], options[long]];
    if (a !== undefined && b !== undefined) {
      const text = `Option "${short}" cannot be used in combination with option "${long}"`;
      throw coded("TypeError", "ERR_INCOMPATIBLE_OPTION_PAIR", text);
    }
    const value = a ?? b;
    return value === undefined ? fallback : checkInteger(short, value, 0, UINT_MAX) || fallback;
  };
  const max = options["maxmem"];
  return {
    N: either("N", "cost", 16_384),
    r: either("r", "blockSize", 8),
    p: either("p", "parallelization", 1),
    maxmem:
      max === undefined
        ? SCRYPT_BYTES_MAX
        : checkInteger("maxmem", max, 0, Number.MAX_SAFE_INTEGER) || SCRYPT_BYTES_MAX,
  };
}

type Callback = ReturnType<typeof checkCallback>;

/** Later, and outside of any promise: what a callback throws is its own. */
async function answer(callback: Callback, derive: () => unknown): Promise<void> {
  let outcome: Parameters<Callback>;
  try {
    outcome = [null, await derive()];
  } catch (error) {
    outcome = [error as Error];
  }
  queueMicrotask(() => callback(...outcome));
}
