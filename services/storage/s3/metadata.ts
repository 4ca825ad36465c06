// An object's metadata as S3 keeps it: headers. What no header can hold as it is (names in capitals, other than ASCII,
// checksums) goes as JSON into one of ours; all else is plain, so that other tools read and write it too.

import {
  HASHES,
  type Checksums,
  type Hash,
  type StorageHttp,
  type StorageObject,
} from "../../../sdk/services/storage.ts";

const OURS = "islet";
const PLAIN_NAME = /^[a-z0-9][a-z0-9-]*$/;
/** "=?" would be taken for an encoding. */
const PLAIN_VALUE = /^(?!=\?)[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;
/** What S3 says of objects that were given none. */
const NO_TYPE = "binary/octet-stream";
const MD5 = /^[0-9a-f]{32}$/;

export interface S3Headers {
  readonly ContentType: string;
  readonly ContentLanguage?: string;
  readonly ContentDisposition?: string;
  readonly ContentEncoding?: string;
  readonly CacheControl?: string;
  readonly Expires?: Date;
  readonly Metadata: Record<string, string>;
}

export function toHeaders(
  http: StorageHttp,
  custom: Readonly<Record<string, string>>,
  checksums: Checksums,
): S3Headers {
  return {
    // Always: the SDK would say application/xml of uploads in parts.
    ContentType: http.contentType ?? NO_TYPE,
    ...(http.contentLanguage !== null && { ContentLanguage: http.contentLanguage }),
    ...(http.contentDisposition !== null && { ContentDisposition: http.contentDisposition }),
    ...(http.contentEncoding !== null && { ContentEncoding: http.contentEncoding }),
    ...(http.cacheControl !== null && { CacheControl: http.cacheControl }),
    ...(http.cacheExpiryMs !== null && { Expires: new Date(http.cacheExpiryMs) }),
    Metadata: toMetadata(custom, checksums),
  };
}

function toMetadata(
  custom: Readonly<Record<string, string>>,
  checksums: Checksums,
): Record<string, string> {
  const isPlain = ([name, value]: readonly [string, string]): boolean =>
    name !== OURS && PLAIN_NAME.test(name) && PLAIN_VALUE.test(value);
  const entries = Object.entries(custom);
  const plain = Object.fromEntries(entries.filter(isPlain));
  const other = entries.filter((entry) => !isPlain(entry));
  const sums = HASHES.flatMap((hash) => {
    const sum = checksums[hash];
    // The etag says it.
    return sum === undefined || hash === "md5" ? [] : [[hash, Buffer.from(sum).toString("hex")]];
  });
  if (other.length === 0 && sums.length === 0) return plain;
  const ours = Buffer.from(JSON.stringify([other, sums])).toString("base64");
  return { ...plain, [OURS]: ours };
}

/** The fields of the SDK's answers to HEAD and GET. */
export interface S3Answer {
  readonly ETag?: string | undefined;
  readonly VersionId?: string | undefined;
  readonly LastModified?: Date | undefined;
  readonly ContentType?: string | undefined;
  readonly ContentLanguage?: string | undefined;
  readonly ContentDisposition?: string | undefined;
  readonly ContentEncoding?: string | undefined;
  readonly CacheControl?: string | undefined;
  readonly ExpiresString?: string | undefined;
  readonly Metadata?: Record<string, string> | undefined;
}

export function toObject(key: string, size: number, answer: S3Answer): StorageObject {
  const etag = withoutQuotes(answer.ETag);
  const { custom, checksums } = fromMetadata(answer.Metadata ?? {});
  const expiry = Date.parse(answer.ExpiresString ?? "");
  const type = answer.ContentType ?? NO_TYPE;
  return {
    key,
    version: answer.VersionId ?? etag,
    size,
    etag,
    uploadedMs: answer.LastModified?.getTime() ?? 0,
    http: {
      contentType: type === NO_TYPE ? null : type,
      contentLanguage: answer.ContentLanguage ?? null,
      contentDisposition: answer.ContentDisposition ?? null,
      contentEncoding: answer.ContentEncoding ?? null,
      cacheControl: answer.CacheControl ?? null,
      cacheExpiryMs: Number.isNaN(expiry) ? null : expiry,
    },
    custom,
    checksums: MD5.test(etag) ? { md5: Buffer.from(etag, "hex"), ...checksums } : checksums,
  };
}

export function withoutQuotes(etag: string | undefined): string {
  return (etag ?? "").replace(/^"|"$/g, "");
}

function fromMetadata(metadata: Record<string, string>): {
  custom: Record<string, string>;
  checksums: Checksums;
} {
  const { [OURS]: ours, ...plain } = metadata;
  if (ours === undefined) return { custom: plain, checksums: {} };
  const [other, sums] = readOurs(ours);
  const checksums: { [hash in Hash]?: Uint8Array } = {};
  for (const hash of HASHES) {
    const sum = sums.find(([name]) => name === hash)?.[1];
    if (sum !== undefined) checksums[hash] = Buffer.from(sum, "hex");
  }
  return { custom: { ...plain, ...Object.fromEntries(other) }, checksums };
}

type Pairs = readonly (readonly [string, string])[];

/** Anybody may have written it who may write to the bucket. */
function readOurs(text: string): readonly [other: Pairs, sums: Pairs] {
  try {
    const lists: unknown = JSON.parse(Buffer.from(text, "base64").toString());
    if (Array.isArray(lists)) return [pairsOf(lists[0]), pairsOf(lists[1])];
  } catch {
    // Not ours, then.
  }
  return [[], []];
}

function pairsOf(list: unknown): Pairs {
  if (!Array.isArray(list)) return [];
  return list.filter(
    (pair): pair is [string, string] =>
      Array.isArray(pair) && typeof pair[0] === "string" && typeof pair[1] === "string",
  );
}
