// Object storage: the contract that every backend of it fulfils (test/contracts/storage.ts runs on each), and what
// handlers may ask of it. The names that handlers see are those of Workers' R2Bucket.

import type { Backend } from "./service.ts";

/** In UTF-8; what S3 takes, as R2. */
export const STORAGE_KEY_BYTES_MAX = 1_024;
/** Names and values of one object's custom metadata together: what S3 takes. */
export const STORAGE_METADATA_BYTES_MAX = 2_048;
/** One header's value of an object, as its content type. */
export const STORAGE_HEADER_BYTES_MAX = 1_024;
/** Of one `put`; what is larger is uploaded in parts. As S3 and R2. */
export const STORAGE_PUT_BYTES_MAX: number = 5 * 1_024 ** 3;
/** Every part but the last, as S3 has it. */
export const STORAGE_PART_BYTES_MIN: number = 5 * 1_024 ** 2;
/** S3 is told a part's size first, so that a worker may have to gather it in memory. */
export const STORAGE_PART_BYTES_MAX: number = 100 * 1_024 ** 2;
export const STORAGE_PARTS_MAX = 10_000;
/** Of one listing, and of one `delete`. */
export const STORAGE_LIST_MAX = 1_000;
/** A listing with metadata: S3 has to be asked for each object. */
export const STORAGE_LIST_WITH_METADATA_MAX = 100;
/** Seven days: more than that no signature of S3 lives. */
export const STORAGE_PRESIGN_SECONDS_MAX: number = 7 * 24 * 60 * 60;
/** An upload in parts that nobody completes is forgotten after so long, as R2 does it. */
export const STORAGE_UPLOAD_MS_MAX: number = 7 * 24 * 60 * 60 * 1_000;
/** Smaller bodies are read whole before `get` answers: then nothing is left open. */
export const STORAGE_EAGER_BYTES: number = 256 * 1_024;

/** What HTTP says of an object; null where nothing was said. */
export interface StorageHttp {
  readonly contentType: string | null;
  readonly contentLanguage: string | null;
  readonly contentDisposition: string | null;
  readonly contentEncoding: string | null;
  readonly cacheControl: string | null;
  readonly cacheExpiryMs: number | null;
}

export const HASHES = ["md5", "sha1", "sha256", "sha384", "sha512"] as const;
export type Hash = (typeof HASHES)[number];
export type Checksums = { readonly [hash in Hash]?: Uint8Array };

export interface StorageObject {
  readonly key: string;
  /** Another one after every put. */
  readonly version: string;
  readonly size: number;
  /** Without quotes: the MD5 in hex, or for what was uploaded in parts whatever the backend makes of them. */
  readonly etag: string;
  readonly uploadedMs: number;
  readonly http: StorageHttp;
  readonly custom: Readonly<Record<string, string>>;
  /** Those that are known. */
  readonly checksums: Checksums;
}

/** From `offset`; or the last `suffix` bytes. `length` null: to the end; beyond the end is cut off. */
export type StorageRange =
  | { readonly offset: number; readonly length: number | null }
  | { readonly suffix: number };

/** Part of an object as it was read. */
export interface StorageSpan {
  readonly offset: number;
  readonly length: number;
}

/** All must hold; see services/storage/conditions.ts for how they go together. */
export interface StorageConditions {
  /** Without quotes; "*" is any. */
  readonly etagMatches: readonly string[] | null;
  readonly etagDoesNotMatch: readonly string[] | null;
  readonly uploadedBeforeMs: number | null;
  readonly uploadedAfterMs: number | null;
  /** Times are compared in whole seconds, as HTTP has them. */
  readonly secondsGranularity: boolean;
}

export type StorageBody = Uint8Array | AsyncIterable<Uint8Array>;

export interface StorageHead {
  readonly key: string;
  readonly http: StorageHttp;
  readonly custom: Readonly<Record<string, string>>;
}

export interface StoragePut extends StorageHead {
  readonly body: StorageBody;
  /** What the body must have; otherwise it is not stored and SERVICE_INPUT says so. */
  readonly checksums: Checksums;
  readonly conditions: StorageConditions | null;
}

export interface StorageFound {
  readonly object: StorageObject;
  /** null when the conditions do not hold. Whoever gets it reads it to its end or ends it. */
  readonly content: { readonly span: StorageSpan; readonly body: AsyncIterable<Uint8Array> } | null;
}

export interface StorageQuery {
  readonly prefix: string;
  /** Keys with this text behind the prefix are told together, by what is before its end. Never empty. */
  readonly delimiter: string | null;
  readonly cursor: string | null;
  /** Only keys behind this one. Nothing beside a cursor. */
  readonly startAfter: string | null;
  readonly limit: number;
  /** With http, custom and checksums, which are empty otherwise. */
  readonly withMetadata: boolean;
}

export interface StorageListing {
  /** In the order of their keys' UTF-8 bytes. */
  readonly objects: readonly StorageObject[];
  readonly prefixes: readonly string[];
  /** Where the next listing goes on; null at the end. Holds no secret. */
  readonly cursor: string | null;
}

export interface StorageUpload {
  readonly key: string;
  readonly id: string;
}

export interface StoragePart {
  readonly number: number;
  readonly etag: string;
}

/**
 * Every call names its bucket, which needs no making. Keys and sizes are checked before (services/storage/port.ts), but
 * not what only the content tells. What is put is there whole or not at all, whoever is killed when; when `put` and
 * `completeUpload` resolve, every worker reads the new object and a killed process loses nothing.
 */
export interface StorageBackend extends Backend {
  head(bucket: string, key: string, signal: AbortSignal): Promise<StorageObject | null>;
  get(
    bucket: string,
    options: {
      readonly key: string;
      readonly range: StorageRange | null;
      readonly conditions: StorageConditions | null;
    },
    signal: AbortSignal,
  ): Promise<StorageFound | null>;
  /** null when the conditions do not hold. */
  put(bucket: string, put: StoragePut, signal: AbortSignal): Promise<StorageObject | null>;
  /** A key that is not there is no error. */
  delete(bucket: string, keys: readonly string[], signal: AbortSignal): Promise<void>;
  list(bucket: string, query: StorageQuery, signal: AbortSignal): Promise<StorageListing>;
  createUpload(bucket: string, head: StorageHead, signal: AbortSignal): Promise<string>;
  /** Resolves to the part's etag. The same number again replaces the part. */
  uploadPart(
    bucket: string,
    upload: StorageUpload,
    part: { readonly number: number; readonly body: StorageBody },
    signal: AbortSignal,
  ): Promise<string>;
  completeUpload(
    bucket: string,
    upload: StorageUpload,
    parts: readonly StoragePart[],
    signal: AbortSignal,
  ): Promise<StorageObject>;
  /** One that is not there is no error. */
  abortUpload(bucket: string, upload: StorageUpload, signal: AbortSignal): Promise<void>;
  /** An address by which anybody may get or put this object for so long, without the node. */
  presign(
    bucket: string,
    options: {
      readonly key: string;
      readonly method: "GET" | "PUT";
      readonly seconds: number;
      readonly contentType: string | null;
    },
    signal: AbortSignal,
  ): Promise<string>;
}
