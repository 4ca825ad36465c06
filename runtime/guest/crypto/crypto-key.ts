// CryptoKey. What stands for the key is a seal of the host's (runtime/isolate/crypto/sealed-keys.ts), in a private
// field; it cannot be read here, and says by itself what the key is for. The rest is for authors to look at.

import { exposeInterface } from "../interface.ts";

export interface KeyFields {
  readonly seal: string;
  readonly type: string;
  readonly extractable: boolean;
  readonly algorithm: object;
  readonly usages: readonly string[];
}

const KEY = Symbol("create");

/** The fields behind a key; null for anything else. */
let fieldsOf: (value: object) => KeyFields | null;

export class CryptoKey {
  readonly #fields: KeyFields;

  static {
    fieldsOf = (value) => (#fields in value ? value.#fields : null);
  }

  constructor(key?: unknown, fields?: KeyFields) {
    if (key !== KEY || fields === undefined) throw new TypeError("Illegal constructor");
    this.#fields = fields;
  }

  get type(): string {
    return this.#fields.type;
  }

  get extractable(): boolean {
    return this.#fields.extractable;
  }

  // Theirs to spoil, as are the usages.
  get algorithm(): object {
    return this.#fields.algorithm;
  }

  get usages(): readonly string[] {
    return this.#fields.usages;
  }
}
Object.defineProperty(CryptoKey, "length", { value: 0 });
exposeInterface(CryptoKey, "CryptoKey");

export function createKey(fields: KeyFields): CryptoKey {
  return new CryptoKey(KEY, fields);
}

/** Throws a TypeError for what is no key. */
export function sealOf(value: unknown): string {
  const fields = typeof value === "object" && value !== null ? fieldsOf(value) : null;
  if (fields === null) throw new TypeError("The key must be a CryptoKey");
  return fields.seal;
}

export function copyKey(value: object, clone: (inner: unknown) => unknown): CryptoKey | null {
  const fields = fieldsOf(value);
  if (fields === null) return null;
  return createKey({
    seal: fields.seal,
    type: fields.type,
    extractable: fields.extractable,
    algorithm: clone(fields.algorithm) as object,
    usages: clone(fields.usages) as string[],
  });
}
