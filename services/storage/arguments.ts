// What a handler may say of an object: keys, metadata, checksums, conditions, ranges.

import { EdgeError } from "../../sdk/errors.ts";
import {
  HASHES,
  STORAGE_HEADER_BYTES_MAX,
  STORAGE_KEY_BYTES_MAX,
  STORAGE_LIST_MAX,
  STORAGE_LIST_WITH_METADATA_MAX,
  STORAGE_METADATA_BYTES_MAX,
  STORAGE_PARTS_MAX,
  STORAGE_PRESIGN_SECONDS_MAX,
  type Checksums,
  type Hash,
  type StorageConditions,
  type StorageHead,
  type StorageHttp,
  type StoragePart,
  type StorageQuery,
  type StorageRange,
} from "../../sdk/services/storage.ts";
import type { Value } from "../../sdk/services/values.ts";
import {
  limitText,
  optional,
  readBytes,
  readFields,
  readInteger,
  readList,
  readText,
  type Fields,
} from "../arguments.ts";

/** What a date can say. */
const TIME_MS_MAX = 8_640_000_000_000_000;
/** Of one call. */
const ETAGS_MAX = 100;
const ETAG_BYTES_MAX = 200;
/** A cursor of S3 is a key, encoded. */
const CURSOR_BYTES_MAX = 4_096;
const HEADER_TEXT = /^[\t\x20-\x7e]*$/;
const HASH_BYTES: Readonly<Record<Hash, number>> = {
  md5: 16,
  sha1: 20,
  sha256: 32,
  sha384: 48,
  sha512: 64,
};

export function readKey(value: Value): string {
  const key = limitText(readText(value, "key"), "The key", STORAGE_KEY_BYTES_MAX);
  if (key !== "" && key.isWellFormed()) return key;
  throw new EdgeError("SERVICE_INPUT", "A key is a text that is not empty.");
}

export function readHead(key: string, fields: Fields): StorageHead {
  return { key, http: readHttp(fields["http"]), custom: readCustom(fields["custom"]) };
}

function readHttp(value: Value): StorageHttp {
  const fields = optional(value, "httpMetadata", readFields) ?? {};
  const text = (name: string): string | null => optional(fields[name], name, readHeader);
  return {
    contentType: text("contentType"),
    contentLanguage: text("contentLanguage"),
    contentDisposition: text("contentDisposition"),
    contentEncoding: text("contentEncoding"),
    cacheControl: text("cacheControl"),
    cacheExpiryMs: optional(fields["cacheExpiryMs"], "cacheExpiry", readTime),
  };
}

/** What a header can hold: whoever sends it on would else let a handler write headers of its own. */
function readHeader(value: Value, what: string): string {
  const text = limitText(readText(value, what), what, STORAGE_HEADER_BYTES_MAX);
  if (HEADER_TEXT.test(text)) return text;
  throw new EdgeError("SERVICE_INPUT", `${what}: printable ASCII is expected.`);
}

function readTime(value: Value, what: string): number {
  return readInteger(value, what, { min: 0, max: TIME_MS_MAX });
}

function readCustom(value: Value): Readonly<Record<string, string>> {
  const fields = optional(value, "customMetadata", readFields) ?? {};
  let bytes = 0;
  const entries = Object.entries(fields).map(([name, field]) => {
    const text = readText(field, `customMetadata.${name}`);
    bytes += Buffer.byteLength(name) + Buffer.byteLength(text);
    if (name !== "" && name.isWellFormed() && text.isWellFormed()) return [name, text] as const;
    throw new EdgeError("SERVICE_INPUT", "customMetadata: names and values are Unicode text.");
  });
  if (bytes <= STORAGE_METADATA_BYTES_MAX) return Object.fromEntries(entries);
  const text = `customMetadata has ${bytes} bytes; ${STORAGE_METADATA_BYTES_MAX} are allowed.`;
  throw new EdgeError("SERVICE_TOO_LARGE", text);
}

export function readSums(value: Value): Checksums {
  const fields = optional(value, "checksums", readFields) ?? {};
  const sums: { [hash in Hash]?: Uint8Array } = {};
  for (const hash of HASHES) {
    const sum = optional(fields[hash], hash, readBytes);
    if (sum === null) continue;
    if (sum.byteLength !== HASH_BYTES[hash]) {
      throw new EdgeError("SERVICE_INPUT", `${hash}: ${HASH_BYTES[hash]} bytes are expected.`);
    }
    sums[hash] = sum;
  }
  return sums;
}

export function readConditions(value: Value): StorageConditions | null {
  const fields = optional(value, "onlyIf", readFields);
  if (fields === null) return null;
  return {
    etagMatches: optional(fields["etagMatches"], "etagMatches", readEtags),
    etagDoesNotMatch: optional(fields["etagDoesNotMatch"], "etagDoesNotMatch", readEtags),
    uploadedBeforeMs: optional(fields["uploadedBeforeMs"], "uploadedBefore", readTime),
    uploadedAfterMs: optional(fields["uploadedAfterMs"], "uploadedAfter", readTime),
    secondsGranularity: fields["secondsGranularity"] === true,
  };
}

function readEtags(value: Value, what: string): readonly string[] {
  const list = readList(value, what);
  if (list.length <= ETAGS_MAX) return list.map((etag) => readEtag(etag, what));
  throw new EdgeError("SERVICE_INPUT", `${what} takes ${ETAGS_MAX} etags.`);
}

function readEtag(value: Value, what: string): string {
  const etag = limitText(readText(value, what), what, ETAG_BYTES_MAX);
  if (HEADER_TEXT.test(etag) && !etag.includes('"')) return etag;
  throw new EdgeError("SERVICE_INPUT", `${what}: an etag without quotes is expected.`);
}

export function readRange(value: Value): StorageRange | null {
  const fields = optional(value, "range", readFields);
  if (fields === null) return null;
  const whole = (name: string, min: number): number | null =>
    optional(fields[name], `range.${name}`, (each, what) =>
      readInteger(each, what, { min, max: Number.MAX_SAFE_INTEGER }),
    );
  const suffix = whole("suffix", 1);
  const offset = whole("offset", 0);
  const length = whole("length", 1);
  if (suffix === null) return { offset: offset ?? 0, length };
  if (offset === null && length === null) return { suffix };
  throw new EdgeError("SERVICE_INPUT", "range: suffix stands alone.");
}

export function readQuery(value: Value): StorageQuery {
  const fields = readFields(value, "options");
  const withMetadata = fields["withMetadata"] === true;
  const limit =
    optional(fields["limit"], "limit", (each, what) =>
      readInteger(each, what, { min: 1, max: STORAGE_LIST_MAX }),
    ) ?? STORAGE_LIST_MAX;
  const text = (name: string, bytesMax: number): string | null =>
    optional(fields[name], name, (each, what) => limitText(readText(each, what), what, bytesMax));
  const delimiter = text("delimiter", STORAGE_KEY_BYTES_MAX);
  return {
    prefix: text("prefix", STORAGE_KEY_BYTES_MAX) ?? "",
    delimiter: delimiter === "" ? null : delimiter,
    cursor: text("cursor", CURSOR_BYTES_MAX),
    startAfter: text("startAfter", STORAGE_KEY_BYTES_MAX),
    limit: withMetadata ? Math.min(limit, STORAGE_LIST_WITH_METADATA_MAX) : limit,
    withMetadata,
  };
}

export function readPartNumber(value: Value): number {
  return readInteger(value, "partNumber", { min: 1, max: STORAGE_PARTS_MAX });
}

export function readPart(value: Value): StoragePart {
  const [number, etag] = readList(value, "part");
  return { number: readPartNumber(number), etag: readEtag(etag, "etag") };
}

export function readPresign(
  key: string,
  options: Value,
): {
  readonly key: string;
  readonly method: "GET" | "PUT";
  readonly seconds: number;
  readonly contentType: string | null;
} {
  const fields = readFields(options, "options");
  const method = optional(fields["method"], "method", readText) ?? "GET";
  if (method !== "GET" && method !== "PUT") {
    throw new EdgeError("SERVICE_INPUT", "method: GET or PUT is expected.");
  }
  const seconds = readInteger(fields["seconds"], "seconds", {
    min: 1,
    max: STORAGE_PRESIGN_SECONDS_MAX,
  });
  return {
    key,
    method,
    seconds,
    contentType: optional(fields["contentType"], "contentType", readHeader),
  };
}
