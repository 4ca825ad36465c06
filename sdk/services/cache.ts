// Caches: the contract that every backend of them fulfils (test/contracts/cache.ts runs on each). Whatever is in a
// cache may be gone at any moment, and everything in it has an end.

import type { Backend } from "./service.ts";

/** In UTF-8. */
export const CACHE_KEY_BYTES_MAX = 1_024;
/** As a KV namespace's. A server may take less (Memcached: a megabyte), and says so. */
export const CACHE_VALUE_BYTES_MAX: number = 25 * 1_024 * 1_024;
/** Ten years: longer than any server runs. */
export const CACHE_TTL_SECONDS_MAX: number = 10 * 365 * 86_400;
/** Keys of one mget or delete. */
export const CACHE_MANY_MAX = 100;
/** Of one endpoint's part of the embedded cache: a tenth of a small disk. */
export const CACHE_SCOPE_BYTES_MAX: number = 512 * 1_024 * 1_024;
/** Of a stored response's body: what Workers stores at most. */
export const CACHE_BODY_BYTES_MAX: number = 512 * 1_024 * 1_024;
/** Of stored responses that one isolate reads and writes at once: each has a file open. */
export const CACHE_BODIES_MAX = 64;
/** A response's address with what makes it another: more than any server takes in a request line. */
export const CACHE_URL_BYTES_MAX: number = 16 * 1_024;

export interface CacheSet {
  readonly key: string;
  readonly value: Uint8Array;
  /** null: the backend's default. */
  readonly ttlMs: number | null;
  readonly onlyIfAbsent: boolean;
}

/** Every call names its scope: scopes do not see each other. Keys and sizes are checked before. */
export interface CacheBackend extends Backend {
  /** In the order of the keys; null for those that are not there. */
  get(
    scope: string,
    keys: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly (Uint8Array | null)[]>;
  /** The same at once, `asText` what is short; null: some of it has to be waited for. */
  getNow?(
    scope: string,
    keys: readonly string[],
    asText: boolean,
  ): readonly (string | Uint8Array | null)[] | null;
  /** False: it was to be absent, and is not. */
  set(scope: string, set: CacheSet, signal: AbortSignal): Promise<boolean>;
  /** How many were there. */
  delete(scope: string, keys: readonly string[], signal: AbortSignal): Promise<number>;
  /** As one step. What is not there counts as 0, with the default end. SERVICE_INPUT when it is no whole number. */
  add(
    scope: string,
    change: { readonly key: string; readonly amount: number },
    signal: AbortSignal,
  ): Promise<number>;
  /** False: it is not there. */
  expire(
    scope: string,
    change: { readonly key: string; readonly ttlMs: number },
    signal: AbortSignal,
  ): Promise<boolean>;
  /** What is left, about; Infinity: has no end (somebody else's entry); null: it is not there. */
  ttlMs(scope: string, key: string, signal: AbortSignal): Promise<number | null>;
  /** As one step, if it has this value. */
  deleteIf(
    scope: string,
    entry: { readonly key: string; readonly value: Uint8Array },
    signal: AbortSignal,
  ): Promise<boolean>;
  /** null where there are none: only the embedded cache has them. */
  readonly streams: CacheStreams | null;
}

/** Entries with a head and a body in pieces: stored responses. */
export interface CacheStreams {
  /** null: it is not there. Whoever gets one closes it. */
  open(scope: string, key: string): Promise<CacheStream | null>;
  /** Nothing is stored unless the body comes to its end. SERVICE_TOO_LARGE when it is larger than `bytesMax`. */
  store(
    scope: string,
    entry: { readonly key: string; readonly head: Uint8Array; readonly ttlMs: number },
    body: AsyncIterable<Uint8Array>,
    options: { readonly bytesMax: number; readonly signal: AbortSignal },
  ): Promise<void>;
}

export interface CacheStream {
  readonly head: Uint8Array;
  readonly size: number;
  /** Bytes `from` to `to`, without `to`. Also when the entry goes meanwhile. */
  read(from: number, to: number): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}
