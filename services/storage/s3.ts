// Objects on S3, or on any server that speaks it. One bucket per service, the configured one: a binding whose scope is
// that bucket's name, or "", sees all of it; any other scope is a folder in it (a prefix of the keys).
//
// Bodies are not held whole: what comes in goes on in parts (s3/writer.ts), what goes out is read from the socket as it
// is asked for.

import type { Readable } from "node:stream";
import { EdgeError } from "../../sdk/errors.ts";
import type { MinioConfig } from "../../sdk/services/config.ts";
import type {
  StorageBackend,
  StorageConditions,
  StorageFound,
  StorageListing,
  StorageObject,
  StorageQuery,
  StorageRange,
} from "../../sdk/services/storage.ts";
import { holds, spanOf, unsatisfiable } from "./conditions.ts";
import { Pieces } from "./pieces.ts";
import { isMissing, S3Bucket } from "./s3/bucket.ts";
import { openS3Session } from "./s3/client.ts";
import { causeStatus, s3Error } from "./s3/errors.ts";
import { toObject } from "./s3/metadata.ts";
import { S3Writer } from "./s3/writer.ts";

/** Objects asked for their metadata at once, for a listing. */
const HEADS_AT_ONCE = 10;

export async function openS3(config: MinioConfig): Promise<StorageBackend> {
  const session = await openS3Session(config);
  const bucket = new S3Bucket(session, config.bucket);
  const writer = new S3Writer(bucket);
  return {
    async probe(signal) {
      try {
        await session.ask((s3, options) => s3.headBucket({ Bucket: bucket.name }, options), {
          signal,
        });
      } catch (error) {
        if (causeStatus(error) !== 404) throw error;
        throw new EdgeError("SERVICE_FAILED", `The server has no bucket ${bucket.name}.`);
      }
      return { version: session.serverName };
    },
    async close() {
      await writer.idle();
      session.close();
    },
    head: (scope, key, signal) => bucket.head(scope, key, signal),
    get: (scope, options, signal) => get(bucket, scope, { ...options, signal }),
    put: (scope, put, signal) => writer.put(scope, put, signal),
    delete: (scope, keys, signal) => remove(bucket, scope, { keys, signal }),
    list: (scope, query, signal) => list(bucket, scope, { query, signal }),
    createUpload: (scope, head, signal) => writer.createUpload(scope, head, signal),
    uploadPart: (scope, upload, part, signal) => writer.uploadPart(scope, upload, part, signal),
    async completeUpload(scope, upload, parts, signal) {
      await writer.complete(scope, { upload, parts, conditions: null }, signal);
      const object = await bucket.head(scope, upload.key, signal);
      if (object !== null) return object;
      throw new EdgeError("SERVICE_CONFLICT", "The object was removed as soon as it was there.");
    },
    abortUpload: (scope, upload, signal) => writer.abortUpload(scope, upload, signal),
    async presign(scope, { key, method, seconds, contentType }) {
      const { Bucket, Key } = bucket.locate(scope, key);
      return session.presign({ bucket: Bucket, key: Key, method, seconds, contentType });
    },
  };
}

interface Get {
  readonly key: string;
  readonly range: StorageRange | null;
  readonly conditions: StorageConditions | null;
  readonly signal: AbortSignal;
}

async function get(
  bucket: S3Bucket,
  scope: string,
  { key, range, conditions, signal }: Get,
): Promise<StorageFound | null> {
  const { session } = bucket;
  const request = {
    ...bucket.locate(scope, key),
    ...(range !== null && { Range: rangeHeader(range) }),
    ...etagHeaders(conditions),
  };
  try {
    const answer = await session.ask((s3, options) => s3.getObject(request, options), { signal });
    const size = sizeOf(answer.ContentRange) ?? answer.ContentLength ?? 0;
    const object = toObject(key, size, answer);
    const stream = answer.Body as Readable;
    if (!holds(conditions, object)) {
      stream.destroy();
      return { object, content: null };
    }
    // A server may ignore the range and send all of it.
    const span = spanOf(answer.ContentRange === undefined ? null : range, size);
    const { timeoutMs } = session;
    return {
      object,
      content: { span, body: read(stream, { left: span.length, timeoutMs, signal }) },
    };
  } catch (error) {
    if (isMissing(error)) return null;
    const status = causeStatus(error);
    if (status === 416) throw unsatisfiable(null);
    if (status !== 304 && status !== 412) throw error;
    const object = await bucket.head(scope, key, signal);
    return object && { object, content: null };
  }
}

/** What the server can hold by itself, so that it does not send a body for nothing. */
function etagHeaders(conditions: StorageConditions | null): {
  IfMatch?: string;
  IfNoneMatch?: string;
} {
  const quoted = (etags: readonly string[]): string =>
    etags.map((etag) => (etag === "*" ? etag : `"${etag}"`)).join(", ");
  const { etagMatches = null, etagDoesNotMatch = null } = conditions ?? {};
  return {
    ...(etagMatches !== null && { IfMatch: quoted(etagMatches) }),
    ...(etagDoesNotMatch !== null && { IfNoneMatch: quoted(etagDoesNotMatch) }),
  };
}

function rangeHeader(range: StorageRange): string {
  if ("suffix" in range) return `bytes=-${range.suffix}`;
  const { offset, length } = range;
  return `bytes=${offset}-${length === null ? "" : offset + length - 1}`;
}

/** "bytes 0-9/100" */
function sizeOf(contentRange: string | undefined): number | null {
  const size = /\/(\d+)$/.exec(contentRange ?? "")?.[1];
  return size === undefined ? null : Number(size);
}

/** Each piece has its time, from when it is asked for: whoever reads slowly is not the server's fault. */
function read(
  stream: Readable,
  { left, timeoutMs, signal }: { left: number; timeoutMs: number; signal: AbortSignal },
): Pieces {
  const abort = (): void => void stream.destroy(s3Error(null, signal));
  // Without it an error that nobody reads any more would end the process.
  stream.on("error", () => undefined);
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  const pieces = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, undefined>;
  return new Pieces({
    async next() {
      const timer = setTimeout(() => {
        const text = `The S3 server sent nothing for ${timeoutMs} ms.`;
        stream.destroy(new EdgeError("SERVICE_TIMEOUT", text));
      }, timeoutMs);
      try {
        const { done, value } = await pieces.next();
        if (done === true || value === undefined) {
          if (left === 0) return null;
          throw new EdgeError("SERVICE_UNAVAILABLE", "The S3 server's reply broke off.");
        }
        left -= value.byteLength;
        return value;
      } catch (error) {
        throw s3Error(error, signal);
      } finally {
        clearTimeout(timer);
      }
    },
    end() {
      signal.removeEventListener("abort", abort);
      stream.destroy();
    },
  });
}

async function remove(
  bucket: S3Bucket,
  scope: string,
  { keys, signal }: { keys: readonly string[]; signal: AbortSignal },
): Promise<void> {
  const places = keys.map((key) => bucket.locate(scope, key));
  const [first] = places;
  if (first === undefined) return;
  if (places.length === 1) {
    await bucket.session.ask((s3, options) => s3.deleteObject(first, options), { signal });
    return;
  }
  const Objects = places.map(({ Key }) => ({ Key }));
  const request = { Bucket: bucket.name, Delete: { Objects, Quiet: true } };
  const { Errors = [] } = await bucket.session.ask(
    (s3, options) => s3.deleteObjects(request, options),
    { signal },
  );
  const failed = Errors.find(({ Code }) => Code !== "NoSuchKey");
  if (failed === undefined) return;
  throw new EdgeError(
    failed.Code === "AccessDenied" ? "SERVICE_REFUSED" : "SERVICE_FAILED",
    `S3 did not delete ${Errors.length} of ${keys.length} objects (${failed.Code ?? "no reason"}).`,
  );
}

async function list(
  bucket: S3Bucket,
  scope: string,
  { query, signal }: { query: StorageQuery; signal: AbortSignal },
): Promise<StorageListing> {
  const folder = bucket.prefixOf(scope);
  const { delimiter, cursor, startAfter } = query;
  const request = {
    Bucket: bucket.name,
    Prefix: folder + query.prefix,
    MaxKeys: query.limit,
    // Keys that XML cannot hold.
    EncodingType: "url" as const,
    ...(delimiter !== null && { Delimiter: delimiter }),
    ...(cursor !== null && { ContinuationToken: cursor }),
    ...(cursor === null && startAfter !== null && { StartAfter: folder + startAfter }),
  };
  const answer = await bucket.session.ask((s3, options) => s3.listObjectsV2(request, options), {
    signal,
  });
  const keyOf = (text: string | undefined): string => decodeKey(text ?? "").slice(folder.length);
  const found = (answer.Contents ?? []).map((each) =>
    toObject(keyOf(each.Key), each.Size ?? 0, { ETag: each.ETag, LastModified: each.LastModified }),
  );
  return {
    objects: query.withMetadata ? await withMetadata(bucket, scope, { found, signal }) : found,
    prefixes: (answer.CommonPrefixes ?? []).map(({ Prefix }) => keyOf(Prefix)),
    cursor: answer.IsTruncated === true ? (answer.NextContinuationToken ?? null) : null,
  };
}

function decodeKey(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    // Of a server that does not encode.
    return text;
  }
}

/** Without those that have gone meanwhile. */
async function withMetadata(
  bucket: S3Bucket,
  scope: string,
  { found, signal }: { found: readonly StorageObject[]; signal: AbortSignal },
): Promise<readonly StorageObject[]> {
  const objects: StorageObject[] = [];
  for (let at = 0; at < found.length; at += HEADS_AT_ONCE) {
    const some = found.slice(at, at + HEADS_AT_ONCE);
    const heads = await Promise.all(some.map(({ key }) => bucket.head(scope, key, signal)));
    objects.push(...heads.filter((head) => head !== null));
  }
  return objects;
}
