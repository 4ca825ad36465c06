// Sealing: texts that only this node can read again, AES-256-GCM under the node's key. Where a text belongs is sealed
// with it, so that who can write to the registry cannot put one endpoint's secret into another's place.

import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { EdgeError } from "../../sdk/errors.ts";

const CIPHER = "aes-256-gcm";
export const KEY_BYTES = 32;
/** Random: far below 2^32 texts are ever sealed under one key. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Tells sealed texts from others, and this way of sealing from later ones. */
const PREFIX = "sealed:1:";

export interface Vault {
  seal(text: string, place: SecretPlace): string;
  /** Throws SECRET_UNREADABLE: sealed under another key, for another place, or damaged. */
  unseal(sealed: string, place: SecretPlace): string;
}

/** What a text is, as people say it: it stands in messages too. */
export type SecretPlace =
  | { readonly endpoint: string | null; readonly name: string }
  | { readonly service: string; readonly field: string };

/** Throws SECRET_KEY_INVALID. `from`: what people would look at. */
export function parseKey(text: string, from: string): Buffer {
  const trimmed = text.trim();
  const key = /^[\da-f]{64}$/i.test(trimmed)
    ? Buffer.from(trimmed, "hex")
    : /^[\w+/-]{43}=?$/.test(trimmed)
      ? Buffer.from(trimmed, "base64")
      : null;
  if (key?.length === KEY_BYTES) return key;
  throw new EdgeError("SECRET_KEY_INVALID", `What ${from} holds is no key of ${KEY_BYTES} bytes`);
}

/** A key for one purpose, from which neither the node's nor another purpose's can be told. */
export function deriveKey(key: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", key, "", purpose, KEY_BYTES));
}

export function createVault(key: Uint8Array): Vault {
  return {
    seal(text, place) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce).setAAD(placeBytes(place));
      const sealed = [nonce, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()];
      return PREFIX + Buffer.concat(sealed).toString("base64url");
    },
    unseal(sealed, place) {
      const bytes = Buffer.from(sealed.slice(PREFIX.length), "base64url");
      if (!sealed.startsWith(PREFIX) || bytes.length < NONCE_BYTES + TAG_BYTES)
        throw unreadable(place);
      const nonce = bytes.subarray(0, NONCE_BYTES);
      const tag = bytes.subarray(-TAG_BYTES);
      const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(placeBytes(place)).setAuthTag(tag);
      try {
        const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
        return Buffer.concat([text, decipher.final()]).toString("utf8");
      } catch (cause) {
        throw unreadable(place, cause);
      }
    },
  };
}

function placeBytes(place: SecretPlace): Buffer {
  const parts =
    "service" in place
      ? ["service", place.service, place.field]
      : ["secret", place.endpoint ?? "", place.name];
  return Buffer.from(JSON.stringify(parts));
}

function unreadable(place: SecretPlace, cause?: unknown): EdgeError {
  const what =
    "service" in place
      ? `${place.field} of a service`
      : place.endpoint === null
        ? `The node's secret ${place.name}`
        : `Secret ${place.name} of ${place.endpoint}`;
  const message = `${what} cannot be opened with this node's key`;
  return new EdgeError("SECRET_UNREADABLE", message, { cause });
}
