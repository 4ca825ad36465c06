// What `crypto.subtle` does, on the host's side: from plain arguments to a plain answer, keys being seals. The order
// of checks is Node's, which is the standard's; what is checked here is what Node is not asked: whether a key may
// leave (all of them can, in here), and how much work it is.

import { timingSafeEqual, type Hmac, type webcrypto } from "node:crypto";
import type { Value } from "../../../sdk/services/values.ts";
import { checkKey, checkKeyData, laneOfDerive, laneOfGenerate, laneOfUse } from "./bounds.ts";
import { absorb, openHmac } from "./hashing.ts";
import {
  malformed,
  refuse,
  subtle,
  takeAlgorithm,
  takeBytes,
  takeText,
  takeUsages,
  type Algorithm,
} from "./node-subtle.ts";
import type { OpenKey, SealedKeys } from "./sealed-keys.ts";
import type { Lane } from "./turns.ts";

export interface Work {
  /** null: at once, for it lets others have their turn by itself. */
  readonly lane: Lane | null;
  /** Rejects with a DOMException or TypeError for the author, or with an error of Node's. */
  readonly run: () => Promise<Value>;
}

/** Throws as `run` rejects, and an EdgeError for what no honest guest sends. */
export type Prepare = (args: readonly Value[], keys: SealedKeys) => Work;

export const OPERATIONS: ReadonlyMap<string, Prepare> = new Map<string, Prepare>([
  ["decrypt", prepareCipher("decrypt")],
  ["deriveBits", prepareDeriveBits],
  ["deriveKey", prepareDeriveKey],
  ["encrypt", prepareCipher("encrypt")],
  ["exportKey", prepareExport],
  ["generateKey", prepareGenerate],
  ["importKey", prepareImport],
  ["sign", prepareCipher("sign")],
  ["unwrapKey", prepareUnwrap],
  ["verify", prepareVerify],
  ["wrapKey", prepareWrap],
]);

const TO_BYTES = { name: "HMAC", hash: "SHA-256" } as const;

function prepareCipher(method: "decrypt" | "encrypt" | "sign"): Prepare {
  return ([given, seal, bytes], keys) => {
    const algorithm = takeAlgorithm(given);
    const { key } = keys.open(seal);
    const data = takeBytes(bytes);
    if (method === "sign" && algorithm.name === "HMAC") {
      return { lane: null, run: () => computeHmac(openHmac(key, "sign"), data, keys) };
    }
    return {
      lane: laneOfUse(key, data.byteLength),
      run: async () => new Uint8Array(await subtle[method](algorithm, key, data)),
    };
  };
}

async function computeHmac(hmac: Hmac, data: Uint8Array, keys: SealedKeys): Promise<Uint8Array> {
  await absorb(hmac, data, () => keys.closed);
  return new Uint8Array(hmac.digest());
}

async function verifyHmac(
  { key }: OpenKey,
  { signature, data }: { readonly signature: Uint8Array; readonly data: Uint8Array },
  keys: SealedKeys,
): Promise<boolean> {
  const computed = await computeHmac(openHmac(key, "verify"), data, keys);
  return computed.byteLength === signature.byteLength && timingSafeEqual(computed, signature);
}

function prepareVerify([given, seal, claimed, bytes]: readonly Value[], keys: SealedKeys): Work {
  const algorithm = takeAlgorithm(given);
  const open = keys.open(seal);
  const { key } = open;
  const signature = takeBytes(claimed);
  const data = takeBytes(bytes);
  if (algorithm.name === "HMAC") {
    return { lane: null, run: () => verifyHmac(open, { signature, data }, keys) };
  }
  return {
    lane: laneOfUse(key, data.byteLength + signature.byteLength),
    run: () => subtle.verify(algorithm, key, signature, data),
  };
}

interface Import {
  readonly format: string;
  readonly data: Value;
  readonly algorithm: Algorithm;
  readonly extractable: boolean;
  readonly usages: readonly string[];
}

function prepareImport(args: readonly Value[], keys: SealedKeys): Work {
  const [format, data, algorithm, extractable, usages] = args;
  const given: Import = {
    format: takeText(format),
    data,
    algorithm: takeAlgorithm(algorithm),
    extractable: extractable === true,
    usages: takeUsages(usages),
  };
  return { lane: "here", run: () => importKey(given, keys) };
}

async function importKey(given: Import, keys: SealedKeys): Promise<Value> {
  const { format, data, algorithm, extractable, usages } = given;
  if (format === "jwk") return importJwk(given, keys);
  const bytes = takeBytes(data);
  checkKeyData(bytes.byteLength);
  // Of these nothing can leave, so Node is asked for what the author asked for.
  const isSecret = algorithm.name === "HKDF" || algorithm.name === "PBKDF2";
  const exportable = isSecret ? extractable : true;
  const key = await subtle.importKey(format, bytes, algorithm, exportable, usages);
  checkKey(key);
  return keys.seal({ key, extractable }, isSecret ? bytes : undefined);
}

async function importJwk(given: Import, keys: SealedKeys): Promise<Value> {
  const { data, algorithm, extractable, usages } = given;
  if (typeof data !== "object" || data === null || data instanceof Uint8Array) throw malformed();
  let size = 0;
  for (const value of Object.values(data)) if (typeof value === "string") size += value.length;
  checkKeyData(size);
  const jwk = Object.fromEntries(Object.entries(data).filter(([name]) => name !== "ext"));
  const key = await subtle.importKey("jwk", jwk, algorithm, true, usages);
  if (extractable && Reflect.get(data, "ext") === false) {
    refuse("DataError", "The key's ext is false");
  }
  checkKey(key);
  return keys.seal({ key, extractable });
}

function prepareExport([format, seal]: readonly Value[], keys: SealedKeys): Work {
  const { key, extractable } = keys.open(seal);
  const text = takeText(format);
  return {
    lane: "here",
    async run() {
      if (!extractable) refuse("InvalidAccessError", "The key is not extractable");
      const exported = await subtle.exportKey(text, key);
      return exported instanceof ArrayBuffer ? new Uint8Array(exported) : plainJwk(exported);
    },
  };
}

function plainJwk(jwk: object): Value {
  const { key_ops: operations } = jwk as { readonly key_ops?: readonly string[] };
  return { ...(jwk as Record<string, Value>), key_ops: [...(operations ?? [])] };
}

function prepareGenerate([given, extractable, usages]: readonly Value[], keys: SealedKeys): Work {
  const algorithm = takeAlgorithm(given);
  const names = takeUsages(usages);
  return {
    lane: laneOfGenerate(algorithm),
    async run() {
      const made = await subtle.generateKey(algorithm, true, names);
      const asked = extractable === true;
      if (!("privateKey" in made)) return keys.seal({ key: made, extractable: asked });
      return {
        publicKey: keys.seal({ key: made.publicKey, extractable: true }),
        privateKey: keys.seal({ key: made.privateKey, extractable: asked }),
      };
    },
  };
}

/** With the other party's key, if it has one, in place of its seal. */
function takeDerivation(given: Value, keys: SealedKeys): Algorithm {
  const algorithm = takeAlgorithm(given);
  const other = algorithm["public"] as Value;
  return other === undefined ? algorithm : { ...algorithm, public: keys.open(other).key };
}

function prepareDeriveBits([given, seal, bits]: readonly Value[], keys: SealedKeys): Work {
  const algorithm = takeDerivation(given, keys);
  const { key } = keys.open(seal);
  const length = takeLength(bits);
  return {
    lane: laneOfDerive(algorithm, length),
    run: async () => new Uint8Array(await subtle.deriveBits(algorithm, key, length)),
  };
}

function takeLength(bits: Value): number | null {
  if (bits !== null && typeof bits !== "number") throw malformed();
  return bits;
}

function prepareDeriveKey(args: readonly Value[], keys: SealedKeys): Work {
  const [given, seal, derivedType, extractable, usages] = args;
  const algorithm = takeDerivation(given, keys);
  const { key } = keys.open(seal);
  const derived = takeAlgorithm(derivedType);
  const names = takeUsages(usages);
  const length = lengthOf(derived);
  return {
    lane: laneOfDerive(algorithm, length),
    async run() {
      const bits = length ?? sharedBits(key);
      // As bytes first: the key itself is imported here, as every other.
      const whole = { ...TO_BYTES, length: bits };
      const holder = await subtle.deriveKey(algorithm, key, whole, true, ["sign"]);
      const data = new Uint8Array((await subtle.exportKey("raw", holder)) as ArrayBuffer);
      return importKey(
        {
          format: "raw",
          data,
          algorithm: derived,
          extractable: extractable === true,
          usages: names,
        },
        keys,
      );
    },
  };
}

/** The standard's "get key length"; null for as much as there is. */
function lengthOf({ name, length, hash }: Algorithm): number | null {
  if (name === "HKDF" || name === "PBKDF2") return null;
  if (name !== "HMAC") {
    if (length === 128 || length === 192 || length === 256) return length;
    return refuse("OperationError", "An AES key has 128, 192 or 256 bits");
  }
  if (length === undefined) return hash === "SHA-1" || hash === "SHA-256" ? 512 : 1_024;
  if (typeof length === "number" && length > 0) return length;
  throw new TypeError("The key would be empty");
}

/** How many bits two keys agree on. */
function sharedBits({ algorithm }: webcrypto.CryptoKey): number {
  const { name, namedCurve } = algorithm as { readonly name: string; readonly namedCurve?: string };
  if (name === "X25519" || namedCurve === "P-256") return 256;
  if (name === "X448") return 448;
  if (namedCurve === "P-384") return 384;
  if (namedCurve === "P-521") return 528;
  return refuse("OperationError", "The key's length has to be given");
}

function prepareWrap([format, seal, wrapping, given]: readonly Value[], keys: SealedKeys): Work {
  const algorithm = takeAlgorithm(given);
  const text = takeText(format);
  const { key, extractable } = keys.open(seal);
  const { key: wrapper } = keys.open(wrapping);
  return {
    lane: laneOfUse(wrapper, 0),
    async run() {
      if (extractable) return new Uint8Array(await subtle.wrapKey(text, key, wrapper, algorithm));
      if (wrapper.algorithm.name !== algorithm.name || !wrapper.usages.includes("wrapKey")) {
        refuse("InvalidAccessError", "The key cannot be used to wrap others");
      }
      return refuse("InvalidAccessError", "The key is not extractable");
    },
  };
}

function prepareUnwrap(args: readonly Value[], keys: SealedKeys): Work {
  const [format, wrapped, unwrapping, given, unwrapped, extractable, usages] = args;
  const text = takeText(format);
  const bytes = takeBytes(wrapped);
  const { key: unwrapper } = keys.open(unwrapping);
  const algorithm = takeAlgorithm(given);
  const type = takeAlgorithm(unwrapped);
  const names = takeUsages(usages);
  return {
    lane: laneOfUse(unwrapper, bytes.byteLength),
    async run() {
      // As bytes first: Node would hold a JSON Web Key's `ext` against making the key extractable in here.
      const holder = await subtle.unwrapKey("raw", bytes, unwrapper, algorithm, TO_BYTES, true, [
        "sign",
      ]);
      const data = new Uint8Array((await subtle.exportKey("raw", holder)) as ArrayBuffer);
      return importKey(
        {
          format: text,
          data: text === "jwk" ? parseJwk(data) : data,
          algorithm: type,
          extractable: extractable === true,
          usages: names,
        },
        keys,
      );
    },
  };
}

function parseJwk(bytes: Uint8Array): Value {
  checkKeyData(bytes.byteLength);
  let jwk: unknown;
  try {
    jwk = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    refuse("DataError", "The wrapped key is no JSON Web Key");
  }
  if (typeof jwk !== "object" || jwk === null || Array.isArray(jwk)) {
    refuse("DataError", "The wrapped key is no JSON Web Key");
  }
  return jwk as Value;
}
