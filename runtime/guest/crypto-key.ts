// CryptoKey: its bytes live in a private field, out of reach of whoever holds the object.

import { exposeInterface } from "./interface.ts";

export interface HmacAlgorithm {
  readonly name: "HMAC";
  readonly length: number;
  readonly hash: { readonly name: string };
}

export interface KeyFields {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly algorithm: HmacAlgorithm;
  readonly extractable: boolean;
  readonly usages: readonly string[];
}

const KEY = Symbol("create");

/** The fields behind a key; null for anything else. What they name may have been changed by nobody. */
export let keyFieldsOf: (value: unknown) => KeyFields | null;

export class CryptoKey {
  readonly #fields: KeyFields;
  // What authors see; theirs to spoil.
  readonly #algorithm: object;
  readonly #usages: string[];

  static {
    keyFieldsOf = (value) =>
      typeof value === "object" && value !== null && #fields in value ? value.#fields : null;
  }

  constructor(key?: unknown, fields?: KeyFields) {
    if (key !== KEY || fields === undefined) throw new TypeError("Illegal constructor");
    const { algorithm } = fields;
    this.#fields = fields;
    this.#algorithm = { ...algorithm, hash: { ...algorithm.hash } };
    this.#usages = [...fields.usages];
  }

  get type(): string {
    // Only secret keys exist here; the read is the brand check.
    return this.#fields.algorithm.name === "HMAC" ? "secret" : "private";
  }

  get extractable(): boolean {
    return this.#fields.extractable;
  }

  get algorithm(): object {
    return this.#algorithm;
  }

  get usages(): string[] {
    return this.#usages;
  }
}
Object.defineProperty(CryptoKey, "length", { value: 0 });
exposeInterface(CryptoKey, "CryptoKey");

export function createKey(fields: KeyFields): CryptoKey {
  return new CryptoKey(KEY, fields);
}
