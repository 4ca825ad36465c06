// Storing on S3: whole objects, and uploads in parts. A stream that is longer than one part becomes an upload in parts
// of its own, which nobody sees before it is complete and which is aborted when anything goes wrong.

import { EdgeError } from "../../../sdk/errors.ts";
import {
  STORAGE_PART_BYTES_MAX,
  STORAGE_PUT_BYTES_MAX,
  type StorageBody,
  type StorageConditions,
  type StorageHead,
  type StorageObject,
  type StoragePart,
  type StoragePut,
  type StorageUpload,
} from "../../../sdk/services/storage.ts";
import { CheckedBody } from "../checked-body.ts";
import { holds } from "../conditions.ts";
import { gather, GatherBudget } from "../pieces.ts";
import type { Guard, S3Bucket } from "./bucket.ts";
import { causeName } from "./errors.ts";
import { toHeaders, withoutQuotes, type S3Headers } from "./metadata.ts";

/** Larger than S3 asks for, so that 5 GiB stay far below its 10 000 parts. */
const PART_BYTES: number = 8 * 1_024 ** 2;
/** Of 16 streams at once, or of one large part that a handler streams; as much again may be on its way. */
const GATHER_BYTES_MAX: number = 128 * 1_024 ** 2;

interface Answer {
  readonly ETag?: string | undefined;
  readonly VersionId?: string | undefined;
}

interface Completion {
  readonly upload: StorageUpload;
  readonly parts: readonly StoragePart[];
  readonly conditions: StorageConditions | null;
}

export class S3Writer {
  readonly #bucket: S3Bucket;
  readonly #budget = new GatherBudget(GATHER_BYTES_MAX);
  /** Uploads that are being aborted for nobody who waits. */
  readonly #aborting = new Set<Promise<void>>();

  constructor(bucket: S3Bucket) {
    this.#bucket = bucket;
  }

  async put(scope: string, put: StoragePut, signal: AbortSignal): Promise<StorageObject | null> {
    const body = new CheckedBody(put.body, {
      expected: put.checksums,
      bytesMax: STORAGE_PUT_BYTES_MAX,
      signal,
    });
    const answer = await this.#putBody(scope, put, { body, signal });
    if (answer === null) return null;
    const etag = withoutQuotes(answer.ETag);
    const { md5: _md5, ...others } = body.checksums;
    return {
      key: put.key,
      version: answer.VersionId ?? etag,
      size: body.size,
      etag,
      uploadedMs: Date.now(),
      http: put.http,
      custom: put.custom,
      checksums: etag === body.md5 ? body.checksums : others,
    };
  }

  async createUpload(scope: string, head: StorageHead, signal: AbortSignal): Promise<string> {
    const headers = toHeaders(head.http, head.custom, {});
    return this.#create(scope, head.key, { headers, signal });
  }

  async uploadPart(
    scope: string,
    upload: StorageUpload,
    { number, body }: { readonly number: number; readonly body: StorageBody },
    signal: AbortSignal,
  ): Promise<string> {
    if (body instanceof Uint8Array) {
      return this.#sendPart(scope, upload, { number, bytes: body, signal });
    }
    const checked = new CheckedBody(body, {
      expected: {},
      bytesMax: STORAGE_PART_BYTES_MAX,
      signal,
    });
    // S3 wants to know a part's size before it comes.
    const gathering = { partBytes: STORAGE_PART_BYTES_MAX, budget: this.#budget };
    for await (const { bytes } of gather(checked, gathering)) {
      return await this.#sendPart(scope, upload, { number, bytes, signal });
    }
    throw new EdgeError("CANCELLED");
  }

  /** The new object's version, as far as the server says it; null when the conditions do not hold. */
  async complete(
    scope: string,
    { upload, parts, conditions }: Completion,
    signal: AbortSignal,
  ): Promise<Answer | null> {
    const Parts = parts.map(({ number, etag }) => ({ PartNumber: number, ETag: `"${etag}"` }));
    const place = { ...this.#bucket.locate(scope, upload.key), UploadId: upload.id };
    return this.#bucket.store({ scope, key: upload.key, conditions }, signal, (guard) =>
      this.#bucket.session.ask(
        (s3, options) =>
          s3.completeMultipartUpload({ ...place, ...guard, MultipartUpload: { Parts } }, options),
        { signal },
      ),
    );
  }

  async abortUpload(scope: string, upload: StorageUpload, signal: AbortSignal): Promise<void> {
    const place = { ...this.#bucket.locate(scope, upload.key), UploadId: upload.id };
    try {
      await this.#bucket.session.ask((s3, options) => s3.abortMultipartUpload(place, options), {
        signal,
      });
    } catch (error) {
      if (causeName(error) !== "NoSuchUpload") throw error;
    }
  }

  /** Resolves when nothing is sent any more. */
  async idle(): Promise<void> {
    await Promise.all(this.#aborting);
  }

  async #putBody(
    scope: string,
    put: StoragePut,
    { body, signal }: { body: CheckedBody; signal: AbortSignal },
  ): Promise<Answer | null> {
    if (put.body instanceof Uint8Array) {
      for await (const _piece of body);
      return this.#putWhole(scope, put, { bytes: put.body, signal });
    }
    const parts: StoragePart[] = [];
    let upload: StorageUpload | null = null;
    // While one part is on its way, the next is gathered.
    let sending: Promise<void> = Promise.resolve();
    try {
      const gathering = { partBytes: PART_BYTES, budget: this.#budget };
      for await (const { bytes, isLast } of gather(body, gathering)) {
        await sending;
        if (upload === null && isLast) return await this.#putWhole(scope, put, { bytes, signal });
        if (upload === null) {
          upload = await this.#begin(scope, put, signal);
          if (upload === null) return null;
        }
        const number = parts.length + 1;
        const part = { number, etag: "" };
        parts.push(part);
        sending = this.#sendPart(scope, upload, { number, bytes, signal }).then((etag) => {
          part.etag = etag;
        });
        sending.catch(() => undefined);
      }
      await sending;
      if (upload === null) throw new EdgeError("CANCELLED");
      const completion = { upload, parts, conditions: put.conditions };
      const answer = await this.complete(scope, completion, signal);
      if (answer === null) this.#abandon(scope, upload, sending);
      return answer;
    } catch (error) {
      if (upload !== null) this.#abandon(scope, upload, sending);
      throw error;
    }
  }

  async #putWhole(
    scope: string,
    put: StoragePut,
    { bytes, signal }: { bytes: Uint8Array; signal: AbortSignal },
  ): Promise<Answer | null> {
    const object = {
      ...this.#bucket.locate(scope, put.key),
      ...toHeaders(put.http, put.custom, put.checksums),
      Body: bytes,
    };
    const send = (guard: Guard): Promise<Answer> =>
      this.#bucket.session.ask((s3, options) => s3.putObject({ ...object, ...guard }, options), {
        signal,
        bytes: bytes.byteLength,
      });
    return this.#bucket.store({ scope, key: put.key, conditions: put.conditions }, signal, send);
  }

  /** null when the conditions do not hold: they are asked before everything is uploaded for nothing. */
  async #begin(scope: string, put: StoragePut, signal: AbortSignal): Promise<StorageUpload | null> {
    const { key, conditions } = put;
    if (conditions !== null) {
      if (!holds(conditions, await this.#bucket.head(scope, key, signal))) return null;
    }
    const headers = toHeaders(put.http, put.custom, put.checksums);
    return { key, id: await this.#create(scope, key, { headers, signal }) };
  }

  async #create(
    scope: string,
    key: string,
    { headers, signal }: { headers: S3Headers; signal: AbortSignal },
  ): Promise<string> {
    const upload = { ...this.#bucket.locate(scope, key), ...headers };
    const { UploadId } = await this.#bucket.session.ask(
      (s3, options) => s3.createMultipartUpload(upload, options),
      { signal },
    );
    if (UploadId !== undefined) return UploadId;
    throw new EdgeError("SERVICE_UNAVAILABLE", "The S3 server's reply names no upload.");
  }

  async #sendPart(
    scope: string,
    upload: StorageUpload,
    { number, bytes, signal }: { number: number; bytes: Uint8Array; signal: AbortSignal },
  ): Promise<string> {
    const part = {
      ...this.#bucket.locate(scope, upload.key),
      UploadId: upload.id,
      PartNumber: number,
      Body: bytes,
    };
    const { ETag } = await this.#bucket.session.ask((s3, options) => s3.uploadPart(part, options), {
      signal,
      bytes: bytes.byteLength,
    });
    return withoutQuotes(ETag);
  }

  /** Nobody waits for it; when the server is away its own rules for unfinished uploads apply. */
  #abandon(scope: string, upload: StorageUpload, sending: Promise<void>): void {
    const aborting = sending
      .catch(() => undefined)
      .then(() => this.abortUpload(scope, upload, new AbortController().signal))
      .catch(() => undefined)
      .finally(() => this.#aborting.delete(aborting));
    this.#aborting.add(aborting);
  }
}
