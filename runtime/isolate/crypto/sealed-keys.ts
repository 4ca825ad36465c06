// Keys of one isolate. Their material never lies readable in the guest's heap, and yet the host need not know which
// keys the guest still uses (nothing tells it: finalizers are off in guests): what the guest holds of a key is all of
// it, encrypted and signed with a secret that this isolate's host end alone has. It cannot be read, made up or
// changed there, counts as the guest's memory, and is of no use in another isolate. The keys used last are kept open.

import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  KeyObject,
  randomBytes,
  type webcrypto,
} from "node:crypto";
import { EdgeError } from "../../../sdk/errors.ts";
import { packValue, unpackValue, type Value } from "../../../sdk/services/values.ts";

/** A handler uses a few; opening one again takes about 20 µs. */
const OPEN_MAX = 64;
const OPEN_BYTES_MAX: number = 1_024 * 1_024;
const CIPHER = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Such keys can never be exported, and Node refuses to make them so. */
const NEVER_EXTRACTABLE: readonly string[] = ["HKDF", "PBKDF2"];

export interface OpenKey {
  /** Extractable, whatever the author asked for, so that it can be sealed. */
  readonly key: webcrypto.CryptoKey;
  /** As the author asked for. */
  readonly extractable: boolean;
}

export class SealedKeys {
  readonly #secret = randomBytes(32);
  /** By what the guest holds; the one used last is last. */
  readonly #open = new Map<string, OpenKey>();
  #openBytes = 0;
  #closed = false;

  /** The isolate is gone. */
  get closed(): boolean {
    return this.#closed;
  }

  /** What the guest gets: the seal and what its author may know. `raw`: of a key that cannot be exported. */
  seal(open: OpenKey, raw?: Uint8Array): Value {
    const { key, extractable } = open;
    const about = { type: key.type, algorithm: algorithmOf(key), usages: [...key.usages] };
    const material = raw ?? exportMaterial(KeyObject.from(key));
    const head = packValue([about.type, about.algorithm, extractable, about.usages]);
    const seal = this.#encrypt([head.text, head.bytes ?? new Uint8Array(0), material]);
    this.#keep(seal, open);
    return { ...about, extractable, seal };
  }

  open(seal: Value): OpenKey {
    if (typeof seal !== "string") throw invalid();
    let open = this.#open.get(seal);
    if (open === undefined) open = this.#decrypt(seal);
    else this.#forget(seal);
    this.#keep(seal, open);
    return open;
  }

  close(): void {
    this.#closed = true;
    this.#open.clear();
    this.#secret.fill(0);
  }

  #keep(seal: string, open: OpenKey): void {
    if (this.#closed) return;
    this.#open.set(seal, open);
    this.#openBytes += seal.length;
    for (const oldest of this.#open.keys()) {
      if (this.#open.size <= OPEN_MAX && this.#openBytes <= OPEN_BYTES_MAX) break;
      this.#forget(oldest);
    }
  }

  #forget(seal: string): void {
    if (this.#open.delete(seal)) this.#openBytes -= seal.length;
  }

  #encrypt(value: readonly Value[]): string {
    const { text, bytes } = packValue(value);
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#secret, nonce);
    const sealed = [cipher.update(`${text}\n`, "utf8"), cipher.update(bytes ?? new Uint8Array(0))];
    sealed.push(cipher.final());
    return Buffer.concat([nonce, cipher.getAuthTag(), ...sealed]).toString("base64");
  }

  #decrypt(seal: string): OpenKey {
    const sealed = Buffer.from(seal, "base64");
    const start = NONCE_BYTES + TAG_BYTES;
    if (sealed.length < start) throw invalid();
    const nonce = sealed.subarray(0, NONCE_BYTES);
    const cipher = createDecipheriv(CIPHER, this.#secret, nonce, { authTagLength: TAG_BYTES });
    cipher.setAuthTag(sealed.subarray(NONCE_BYTES, start));
    const plain = cipher.update(sealed.subarray(start));
    try {
      cipher.final();
    } catch {
      throw invalid();
    }
    // Ours from here on: nobody else has the secret.
    const end = plain.indexOf("\n");
    const [head, headBytes, material] = unpackValue(
      plain.toString("utf8", 0, end),
      new Uint8Array(plain.subarray(end + 1)),
    ) as [string, Uint8Array, Uint8Array];
    const [type, algorithm, extractable, usages] = unpackValue(head, headBytes) as [
      webcrypto.KeyType,
      webcrypto.KeyAlgorithm,
      boolean,
      webcrypto.KeyUsage[],
    ];
    const exportable = !NEVER_EXTRACTABLE.includes(algorithm.name);
    return {
      key: importMaterial(type, material).toCryptoKey(algorithm, exportable, usages),
      extractable,
    };
  }
}

/** Node's object as plain data. */
function algorithmOf({ algorithm }: webcrypto.CryptoKey): Readonly<Record<string, Value>> {
  const plain: Record<string, Value> = {};
  for (const [name, value] of Object.entries(algorithm)) {
    plain[name] = name === "hash" ? { name: (value as { name: string }).name } : (value as Value);
  }
  return plain;
}

function exportMaterial(key: KeyObject): Uint8Array {
  if (key.type === "secret") return new Uint8Array(key.export());
  return new Uint8Array(
    key.type === "private"
      ? key.export({ type: "pkcs8", format: "der" })
      : key.export({ type: "spki", format: "der" }),
  );
}

function importMaterial(type: webcrypto.KeyType, material: Uint8Array): KeyObject {
  if (type === "secret") return createSecretKey(material);
  const key = Buffer.from(material);
  return type === "private"
    ? createPrivateKey({ key, type: "pkcs8", format: "der" })
    : createPublicKey({ key, type: "spki", format: "der" });
}

function invalid(): EdgeError {
  return new EdgeError("CALL_INVALID", "The key is none of this isolate's.");
}
