// The standard's "normalize an algorithm": which algorithms an operation knows, and what it reads of their
// parameters, in which order and how converted. What comes out is plain and crosses to the host.

import type { Value } from "../../../sdk/services/values.ts";
import { bytesOf } from "../buffer-source.ts";
import { DOMException } from "../dom-exception.ts";
import { sealOf } from "./crypto-key.ts";

export type Operation =
  | "decrypt"
  | "deriveBits"
  | "deriveKey"
  | "digest"
  | "encrypt"
  | "generateKey"
  | "importKey"
  | "sign"
  | "wrapKey";

export interface Algorithm {
  readonly name: string;
  readonly [member: string]: Value;
}

interface Member {
  readonly name: string;
  readonly optional: boolean;
  readonly read: (value: unknown) => Value;
}

type Table = Readonly<Record<string, readonly Member[]>>;

const apply = Reflect.apply;
const toUpperCase = Reflect.get(String.prototype, "toUpperCase") as () => string;
const sliceText = Reflect.get(String.prototype, "slice") as () => string;
const trunc = Math.trunc;

export function fail(name: string, message: string): never {
  throw new DOMException(message, name);
}

/** A view: the bytes are copied when they are packed. */
export function readBytes(value: unknown): Uint8Array {
  const bytes = bytesOf(value);
  if (bytes === null) throw new TypeError("The data must be an ArrayBuffer or a view on one");
  return bytes;
}

/** Web IDL's [EnforceRange]. */
function readInteger(max: number): (value: unknown) => number {
  return (value) => {
    const number = trunc(+(value as number));
    // Not a number compares as false.
    if (!(number >= 0 && number <= max)) throw new TypeError(`A number from 0 to ${max} is needed`);
    return number === 0 ? 0 : number;
  };
}

function readText(value: unknown): string {
  return `${value as string}`;
}

function required(name: string, read: Member["read"]): Member {
  return { name, read, optional: false };
}

function optional(name: string, read: Member["read"]): Member {
  return { name, read, optional: true };
}

const octet = readInteger(0xff);
const short = readInteger(0xffff);
const long = readInteger(0xffff_ffff);
const readHash = (value: unknown): string => normalize("hash", value).name;

const NONE: readonly Member[] = [];
const HASH: readonly Member[] = [required("hash", readHash)];
const HMAC: readonly Member[] = [required("hash", readHash), optional("length", long)];
const CURVE: readonly Member[] = [required("namedCurve", readText)];
const AES_LENGTH: readonly Member[] = [required("length", short)];
const OTHER_KEY: readonly Member[] = [required("public", sealOf)];
const RSA: readonly Member[] = [
  required("hash", readHash),
  required("modulusLength", long),
  required("publicExponent", readBytes),
];

const HASHES: Table = table({ "SHA-1": NONE, "SHA-256": NONE, "SHA-384": NONE, "SHA-512": NONE });
const CIPHERS: Table = table({
  "AES-CBC": [required("iv", readBytes)],
  "AES-CTR": [required("counter", readBytes), required("length", octet)],
  "AES-GCM": [
    optional("additionalData", readBytes),
    required("iv", readBytes),
    optional("tagLength", octet),
  ],
  "RSA-OAEP": [optional("label", readBytes)],
});

const OPERATIONS: Readonly<Record<Operation | "hash", Table>> = {
  hash: HASHES,
  // MD5 as in Workers, for what is older than the standard.
  digest: table({ ...HASHES, MD5: NONE }),
  encrypt: CIPHERS,
  decrypt: CIPHERS,
  wrapKey: table({ ...CIPHERS, "AES-KW": NONE }),
  sign: table({
    ECDSA: HASH,
    Ed25519: NONE,
    Ed448: [optional("context", readBytes)],
    HMAC: NONE,
    "RSA-PSS": [required("saltLength", long)],
    "RSASSA-PKCS1-v1_5": NONE,
  }),
  deriveBits: table({
    ECDH: OTHER_KEY,
    HKDF: [required("hash", readHash), required("info", readBytes), required("salt", readBytes)],
    PBKDF2: [required("hash", readHash), required("iterations", long), required("salt", readBytes)],
    X25519: OTHER_KEY,
    X448: OTHER_KEY,
  }),
  // What the derived key is to be.
  deriveKey: table({
    "AES-CBC": AES_LENGTH,
    "AES-CTR": AES_LENGTH,
    "AES-GCM": AES_LENGTH,
    "AES-KW": AES_LENGTH,
    HKDF: NONE,
    HMAC,
    PBKDF2: NONE,
  }),
  generateKey: table({
    "AES-CBC": AES_LENGTH,
    "AES-CTR": AES_LENGTH,
    "AES-GCM": AES_LENGTH,
    "AES-KW": AES_LENGTH,
    ECDH: CURVE,
    ECDSA: CURVE,
    Ed25519: NONE,
    Ed448: NONE,
    HMAC,
    "RSA-OAEP": RSA,
    "RSA-PSS": RSA,
    "RSASSA-PKCS1-v1_5": RSA,
    X25519: NONE,
    X448: NONE,
  }),
  importKey: table({
    "AES-CBC": NONE,
    "AES-CTR": NONE,
    "AES-GCM": NONE,
    "AES-KW": NONE,
    ECDH: CURVE,
    ECDSA: CURVE,
    Ed25519: NONE,
    Ed448: NONE,
    HKDF: NONE,
    HMAC,
    PBKDF2: NONE,
    "RSA-OAEP": HASH,
    "RSA-PSS": HASH,
    "RSASSA-PKCS1-v1_5": HASH,
    X25519: NONE,
    X448: NONE,
  }),
};

/** Names are looked up as they come: nothing may be inherited. */
function table(members: Table): Table {
  return Object.assign(Object.create(null) as Table, members);
}

/** Names in capitals to names as the standard spells them. */
const SPELLING: Record<string, string> = Object.create(null) as Record<string, string>;
for (const each of Object.values(OPERATIONS)) {
  for (const name of Object.keys(each)) SPELLING[name.toUpperCase()] = name;
}

/** Runs getters of the author's. */
export function normalize(operation: Operation | "hash", given: unknown): Algorithm {
  const isObject = (typeof given === "object" && given !== null) || typeof given === "function";
  const source = isObject ? (given as Record<string, unknown>) : null;
  const named: unknown = source === null ? given : source["name"];
  if (source !== null && named === undefined) throw new TypeError("The algorithm has no name");
  const text = readText(named);
  const name = SPELLING[apply(toUpperCase, text, [])];
  const members = name === undefined ? undefined : OPERATIONS[operation][name];
  if (name === undefined || members === undefined) {
    const start = apply(sliceText, text, [0, 50] as never[]) as string;
    return fail("NotSupportedError", `'${start}' is not supported here`);
  }
  const algorithm: Record<string, Value> & { name: string } = { name };
  for (let at = 0; at < members.length; at++) {
    const member = members[at] as Member;
    const value: unknown = source?.[member.name];
    if (value !== undefined) algorithm[member.name] = member.read(value);
    else if (!member.optional) throw new TypeError(`${name} requires '${member.name}'`);
  }
  return algorithm;
}
