// Key-value namespaces: the contract that every backend of them fulfils (test/contracts/kv.ts runs on each), and
// what handlers may ask of it. The names that handlers see are those of Workers' KVNamespace.

import type { Backend } from "./service.ts";

/** In UTF-8; what Workers code is written for, as all of these. */
export const KV_KEY_BYTES_MAX = 512;
/** Of its JSON. */
export const KV_METADATA_BYTES_MAX = 1_024;
export const KV_VALUE_BYTES_MAX: number = 25 * 1_024 * 1_024;
/** Workers takes 60; a shorter life is of use in tests, and of no harm. */
export const KV_TTL_SECONDS_MIN = 1;
export const KV_LIST_MAX = 1_000;
/** Keys of one get. */
export const KV_BULK_MAX = 100;

export interface KvEntry {
  readonly value: Uint8Array;
  /** As JSON. */
  readonly metadata: string | null;
}

export interface KvPut extends KvEntry {
  readonly key: string;
  /** By the wall clock; from then on the key is not there. */
  readonly expiresAtMs: number | null;
}

export interface KvListing {
  /** In the order of their UTF-8 bytes. */
  readonly keys: readonly {
    readonly name: string;
    readonly expiresAtMs: number | null;
    readonly metadata: string | null;
  }[];
  /** Where the next listing goes on; null at the end. Holds no secret, and stays good when keys come and go. */
  readonly cursor: string | null;
}

/** Every call names its namespace, which needs no making. Keys and sizes are checked before (services/kv/port.ts). */
export interface KvBackend extends Backend {
  /** In the order of the keys; null for those that are not there. */
  get(
    namespace: string,
    keys: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly (KvEntry | null)[]>;
  /** The same at once; null: some of it has to be waited for. */
  getNow?(namespace: string, keys: readonly string[]): readonly (KvEntry | null)[] | null;
  /** When it resolves, every worker of the node reads the new value, and a killed process loses nothing. */
  put(namespace: string, put: KvPut, signal: AbortSignal): Promise<void>;
  /** A key that is not there is no error. */
  delete(namespace: string, keys: readonly string[], signal: AbortSignal): Promise<void>;
  list(
    namespace: string,
    options: { readonly prefix: string; readonly limit: number; readonly cursor: string | null },
    signal: AbortSignal,
  ): Promise<KvListing>;
}
