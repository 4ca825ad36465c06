// What the embedded storage does, over its index and its contents (disk.ts puts them together).

import { createHash, randomBytes } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { EdgeError } from "../../../sdk/errors.ts";
import {
  STORAGE_PART_BYTES_MAX,
  STORAGE_PART_BYTES_MIN,
  STORAGE_PUT_BYTES_MAX,
  STORAGE_UPLOAD_MS_MAX,
  type Checksums,
  type StorageBody,
  type StorageConditions,
  type StorageFound,
  type StorageHead,
  type StorageObject,
  type StoragePart,
  type StoragePut,
  type StorageRange,
  type StorageSpan,
} from "../../../sdk/services/storage.ts";
import { readPiece, type BlobFolder, type BlobHash, type Received } from "./blob-folder.ts";
import { CheckedBody } from "../checked-body.ts";
import { holds, spanOf } from "../conditions.ts";
import {
  objectOf,
  type Content,
  type DiskIndex,
  type ObjectRow,
  type PartRow,
  type Place,
  type UploadName,
  type UploadRow,
} from "./disk-index.ts";
import { Pieces } from "../pieces.ts";

/** How often uploads that nobody completes are looked for. */
const EXPIRY_EVERY_MS: number = 60 * 60 * 1_000;
/** An object may be replaced between the look at the index and the opening of its content, but hardly so often. */
const OPEN_ATTEMPTS = 5;
const UPLOAD_ID: RegExp = /^[0-9a-f]{32}$/;

export interface DiskParts {
  readonly blobs: BlobFolder;
  readonly index: DiskIndex;
  /** The wall clock. */
  readonly now: () => number;
}

interface Get {
  readonly range: StorageRange | null;
  readonly conditions: StorageConditions | null;
}

export class DiskStorage {
  readonly #blobs: BlobFolder;
  readonly #index: DiskIndex;
  readonly #now: () => number;
  #expiryAtMs = 0;

  constructor({ blobs, index, now }: DiskParts) {
    this.#blobs = blobs;
    this.#index = index;
    this.#now = now;
  }

  /** Removes what crashes and abandoned uploads left. */
  async tidyUp(): Promise<void> {
    await this.#blobs.sweep((hashes) => this.#collect(hashes));
    await this.#expireUploads();
    await this.#collect(this.#index.unused());
  }

  head(place: Place): StorageObject | null {
    const row = this.#index.object(place);
    return row && objectOf(place.key, row);
  }

  async get(place: Place, { range, conditions }: Get): Promise<StorageFound | null> {
    for (let attempt = 1; ; attempt++) {
      const row = this.#index.object(place);
      if (row === null) return null;
      const object = objectOf(place.key, row);
      if (!holds(conditions, object)) return { object, content: null };
      const span = spanOf(range, row.size);
      const reader = new Reader(this.#blobs, row.contents, span);
      if (await reader.openFirst()) return { object, content: { span, body: new Pieces(reader) } };
      if (attempt === OPEN_ATTEMPTS) throw lost();
    }
  }

  async put(scope: string, put: StoragePut, signal: AbortSignal): Promise<StorageObject | null> {
    const place = { scope, key: put.key };
    const { conditions } = put;
    // Held again against what is there in the end; this spares the writing.
    if (!holds(conditions, this.#index.object(place))) return null;
    const body = new CheckedBody(put.body, {
      expected: put.checksums,
      bytesMax: STORAGE_PUT_BYTES_MAX,
      signal,
    });
    const received = await this.#blobs.receive(body);
    const { hash, size } = received;
    const row = this.#row(put, {
      etag: body.md5,
      contents: [{ hash, size }],
      checksums: body.checksums,
    });
    const stored = await this.#store(received, () =>
      this.#index.put(place, { row, conditions }, () => this.#blobs.ensure(received)),
    );
    await this.#collect(this.#index.unused());
    return stored && objectOf(put.key, stored);
  }

  async delete(scope: string, keys: readonly string[]): Promise<void> {
    await this.#index.delete(scope, keys);
    await this.#collect(this.#index.unused());
  }

  async createUpload(scope: string, { key, http, custom }: StorageHead): Promise<string> {
    if (this.#now() >= this.#expiryAtMs) await this.#expireUploads();
    const id = randomBytes(16).toString("hex");
    const row = { key, http, custom: Object.entries(custom), createdMs: this.#now() };
    await this.#index.createUpload(scope, id, row);
    return id;
  }

  async uploadPart(
    name: UploadName,
    { number, body }: { readonly number: number; readonly body: StorageBody },
    signal: AbortSignal,
  ): Promise<string> {
    this.#assertUpload(name);
    const checked = new CheckedBody(body, {
      expected: {},
      bytesMax: STORAGE_PART_BYTES_MAX,
      signal,
    });
    const received = await this.#blobs.receive(checked);
    const { hash, size } = received;
    const part = { number, row: { hash, size, etag: checked.md5 } };
    const stored = await this.#store(received, () =>
      this.#index.putPart(name, part, () => this.#blobs.ensure(received)),
    );
    await this.#collect(this.#index.unused());
    if (stored === null) throw noUpload();
    return checked.md5;
  }

  async complete(name: UploadName, parts: readonly StoragePart[]): Promise<StorageObject> {
    this.#assertUpload(name);
    const row = await this.#index.complete(name, (upload, part) => {
      if (upload === null) throw noUpload();
      return this.#compose(upload, parts, part);
    });
    await this.#collect(this.#index.unused());
    return objectOf(name.key, row);
  }

  async abort(name: UploadName): Promise<void> {
    if (!UPLOAD_ID.test(name.id)) return;
    await this.#index.abort(name);
    await this.#collect(this.#index.unused());
  }

  #compose(
    upload: UploadRow,
    parts: readonly StoragePart[],
    find: (number: number) => PartRow | null,
  ): ObjectRow {
    const found = parts.map(({ number, etag }, at) => {
      const part = find(number);
      const before = parts[at - 1]?.number ?? 0;
      if (part === null || part.etag !== etag) {
        throw new EdgeError("SERVICE_INPUT", `Part ${number} was not uploaded with this etag.`);
      }
      if (number <= before) {
        throw new EdgeError("SERVICE_INPUT", "Parts are named in the order of their numbers.");
      }
      if (part.size < STORAGE_PART_BYTES_MIN && at + 1 < parts.length) {
        const text = `Part ${number} has ${part.size} bytes; all but the last need ${STORAGE_PART_BYTES_MIN}.`;
        throw new EdgeError("SERVICE_INPUT", text);
      }
      return part;
    });
    if (found.length === 0) throw new EdgeError("SERVICE_INPUT", "An object has parts.");
    // As S3 makes it of parts, so that it cannot be taken for an MD5 of the whole.
    const all = createHash("md5");
    for (const { etag } of found) all.update(Buffer.from(etag, "hex"));
    return this.#row(
      { key: upload.key, http: upload.http, custom: Object.fromEntries(upload.custom) },
      {
        etag: `${all.digest("hex")}-${found.length}`,
        contents: found.map(({ hash, size }) => ({ hash, size })),
        checksums: {},
      },
    );
  }

  #row(
    { http, custom }: StorageHead,
    made: {
      readonly etag: string;
      readonly contents: readonly Content[];
      readonly checksums: Checksums;
    },
  ): ObjectRow {
    return {
      version: randomBytes(16).toString("hex"),
      size: made.contents.reduce((sum, { size }) => sum + size, 0),
      etag: made.etag,
      uploadedMs: this.#now(),
      http,
      custom: Object.entries(custom),
      checksums: Object.entries(made.checksums).map(([name, sum]) => [
        name,
        Buffer.from(sum).toString("hex"),
      ]),
      contents: made.contents,
    };
  }

  /** `commit` names the content in the index; null when it does not. */
  async #store<T>(received: Received, commit: () => Promise<T | null>): Promise<T | null> {
    let stored: T | null = null;
    try {
      await this.#blobs.add(received);
      stored = await commit();
      return stored;
    } finally {
      if (stored === null) await this.#collect([received.hash]);
      await this.#blobs.release(received);
    }
  }

  async #collect(hashes: readonly BlobHash[]): Promise<void> {
    if (hashes.length > 0) await this.#index.collect(hashes, (hash) => this.#blobs.remove(hash));
  }

  async #expireUploads(): Promise<void> {
    const nowMs = this.#now();
    this.#expiryAtMs = nowMs + EXPIRY_EVERY_MS;
    for (const place of this.#index.expiredUploads(nowMs - STORAGE_UPLOAD_MS_MAX)) {
      await this.#index.abortExpired(place);
    }
  }

  #assertUpload(name: UploadName): void {
    if (!UPLOAD_ID.test(name.id) || this.#index.upload(name) === null) throw noUpload();
  }
}

/** Contents one behind the other, of which a span is read. One file is open at a time. */
class Reader {
  readonly #blobs: BlobFolder;
  readonly #contents: readonly Content[];
  #at = 0;
  #offset: number;
  #left: number;
  #file: FileHandle | null = null;

  constructor(blobs: BlobFolder, contents: readonly Content[], { offset, length }: StorageSpan) {
    this.#blobs = blobs;
    this.#contents = contents;
    this.#offset = offset;
    this.#left = length;
    for (const { size } of contents) {
      if (this.#offset < size) break;
      this.#offset -= size;
      this.#at++;
    }
  }

  /** False when the content has gone meanwhile. */
  async openFirst(): Promise<boolean> {
    return this.#left === 0 || this.#open();
  }

  async next(): Promise<Uint8Array | null> {
    if (this.#left === 0) return null;
    let content = this.#contents[this.#at];
    if (content !== undefined && this.#offset === content.size) {
      this.#at++;
      this.#offset = 0;
      await this.end();
      content = this.#contents[this.#at];
    }
    if (this.#file === null && !(await this.#open())) throw lost();
    if (content === undefined || this.#file === null) throw lost();
    const left = Math.min(this.#left, content.size - this.#offset);
    const piece = await readPiece(this.#file, this.#offset, left);
    this.#offset += piece.byteLength;
    this.#left -= piece.byteLength;
    return piece;
  }

  async end(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.close();
  }

  async #open(): Promise<boolean> {
    const content = this.#contents[this.#at];
    this.#file = content === undefined ? null : await this.#blobs.open(content.hash);
    return this.#file !== null;
  }
}

function lost(): EdgeError {
  return new EdgeError("SERVICE_CONFLICT", "The object was removed while it was read.");
}

function noUpload(): EdgeError {
  return new EdgeError("SERVICE_INPUT", "There is no such upload: it was completed, or aborted.");
}
