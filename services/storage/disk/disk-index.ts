// What lies in the embedded storage: objects, uploads in parts, and how often each content is in use. All changes are
// transactions that exclude each other over all processes of the node, so that conditions are held against what they
// replace, and content that is in use is always there.
//
//   o SCOPE KEY       object            p UPLOAD NUMBER   part
//   u SCOPE UPLOAD    upload in parts   r HASH            how often the content is in use
//                                       g HASH            content that is in use no more, and may still be there
//
// SCOPE is a hash of fixed length: whatever a scope looks like, it is no prefix of another one.

import { createHash } from "node:crypto";
import type {
  StorageConditions,
  StorageHead,
  StorageHttp,
  StorageObject,
} from "../../../sdk/services/storage.ts";
import type { BlobHash } from "./blob-folder.ts";
import { holds } from "../conditions.ts";
import type { Row, Rows } from "./rows.ts";

export interface Content {
  readonly hash: BlobHash;
  readonly size: number;
}

export interface ObjectRow {
  readonly version: string;
  readonly size: number;
  readonly etag: string;
  readonly uploadedMs: number;
  readonly http: StorageHttp;
  readonly custom: readonly (readonly [string, string])[];
  /** In hex. */
  readonly checksums: readonly (readonly [string, string])[];
  /** One after the other. */
  readonly contents: readonly Content[];
}

export interface UploadRow extends Pick<StorageHead, "key" | "http"> {
  readonly custom: ObjectRow["custom"];
  readonly createdMs: number;
}

export interface PartRow extends Content {
  readonly etag: string;
}

const SCOPE_BYTES = 16;
/** No UTF-8 text has this byte. */
const BEYOND = Buffer.from([0xff]);
const NOTHING = Buffer.alloc(0);

export class DiskIndex {
  readonly #rows: Rows;

  constructor(rows: Rows) {
    this.#rows = rows;
  }

  /** As all that is public here: of what any process has done until now. */
  object({ scope, key }: Place): ObjectRow | null {
    this.#rows.refresh();
    return this.#object(scope, key);
  }

  /** Objects of a scope whose keys (as bytes) lie from `from` to before `to`, in order. */
  *objects(
    scope: string,
    { from, to }: { readonly from: Buffer; readonly to: Buffer | null },
  ): Iterable<{ readonly key: Buffer; readonly row: () => ObjectRow }> {
    this.#rows.refresh();
    const before = keyOf("o", scopeOf(scope));
    const start = Buffer.concat([before, from]);
    const end = Buffer.concat([before, to ?? BEYOND]);
    for (const { key, value } of this.#rows.range(start, end)) {
      yield { key: key.subarray(before.byteLength), row: () => parse<ObjectRow>(value) };
    }
  }

  /** null when the conditions do not hold. `ensure` makes sure that the contents are on the disk. */
  put(
    place: Place,
    put: { readonly row: ObjectRow; readonly conditions: StorageConditions | null },
    ensure: () => void,
  ): Promise<ObjectRow | null> {
    return this.#rows.change(() => {
      if (!holds(put.conditions, this.#object(place.scope, place.key))) return null;
      ensure();
      for (const { hash } of put.row.contents) this.#use(hash);
      this.#replace(place, put.row);
      return put.row;
    });
  }

  delete(scope: string, keys: readonly string[]): Promise<void> {
    return this.#rows.change(() => {
      for (const key of keys) this.#replace({ scope, key }, null);
    });
  }

  createUpload(scope: string, id: string, row: UploadRow): Promise<void> {
    return this.#rows.change(() => this.#write(keyOf("u", scopeOf(scope), id), row));
  }

  /** Of any scope, older than that. */
  expiredUploads(beforeMs: number): readonly UploadPlace[] {
    this.#rows.refresh();
    const expired: UploadPlace[] = [];
    for (const { key, value } of this.#all(keyOf("u"))) {
      const { createdMs } = parse<UploadRow>(value);
      if (createdMs < beforeMs) expired.push({ row: key, id: key.subarray(1 + SCOPE_BYTES) });
    }
    return expired;
  }

  upload(name: UploadName): UploadRow | null {
    this.#rows.refresh();
    return this.#upload(name);
  }

  /** null when there is no such upload. */
  putPart(
    name: UploadName,
    { number, row }: { readonly number: number; readonly row: PartRow },
    ensure: () => void,
  ): Promise<PartRow | null> {
    return this.#rows.change(() => {
      if (this.#upload(name) === null) return null;
      ensure();
      const key = keyOf("p", name.id, numberOf(number));
      const old = this.#read<PartRow>(key);
      this.#use(row.hash);
      if (old !== null) this.#unuse(old.hash);
      this.#write(key, row);
      return row;
    });
  }

  /** Makes the object that `compose` makes of the upload and its parts, which end with it. */
  complete(
    name: UploadName,
    compose: (upload: UploadRow | null, part: (number: number) => PartRow | null) => ObjectRow,
  ): Promise<ObjectRow> {
    return this.#rows.change(() => {
      const part = (number: number): PartRow | null =>
        this.#read<PartRow>(keyOf("p", name.id, numberOf(number)));
      const object = compose(this.#upload(name), part);
      for (const { hash } of object.contents) this.#use(hash);
      this.#replace(name, object);
      this.#endUpload(this.#placeOf(name));
      return object;
    });
  }

  abort(name: UploadName): Promise<void> {
    return this.#rows.change(() => {
      if (this.#upload(name) !== null) this.#endUpload(this.#placeOf(name));
    });
  }

  abortExpired(place: UploadPlace): Promise<void> {
    return this.#rows.change(() => this.#endUpload(place));
  }

  /** Content that is in use no more. */
  unused(): readonly BlobHash[] {
    this.#rows.refresh();
    return this.#all(keyOf("g")).map(({ key }) => key.subarray(1).toString());
  }

  /** `remove` is called for what nobody uses, while nobody can begin to. */
  collect(hashes: readonly BlobHash[], remove: (hash: BlobHash) => void): Promise<void> {
    return this.#rows.change(() => {
      for (const hash of hashes) {
        if (this.#rows.get(keyOf("r", hash)) !== null) continue;
        remove(hash);
        this.#rows.remove(keyOf("g", hash));
      }
    });
  }

  #object(scope: string, key: string): ObjectRow | null {
    return this.#read<ObjectRow>(keyOf("o", scopeOf(scope), key));
  }

  #upload({ scope, key, id }: UploadName): UploadRow | null {
    const row = this.#read<UploadRow>(keyOf("u", scopeOf(scope), id));
    return row?.key === key ? row : null;
  }

  #read<T>(key: Buffer): T | null {
    const bytes = this.#rows.get(key);
    return bytes === null ? null : parse<T>(bytes);
  }

  #write(key: Buffer, row: ObjectRow | PartRow | UploadRow | number): void {
    this.#rows.put(key, Buffer.from(JSON.stringify(row)));
  }

  /** Whose keys begin so. */
  #all(prefix: Buffer): readonly Row[] {
    return [...this.#rows.range(prefix, Buffer.concat([prefix, BEYOND]))];
  }

  #replace({ scope, key }: Place, row: ObjectRow | null): void {
    const old = this.#object(scope, key);
    const name = keyOf("o", scopeOf(scope), key);
    if (row !== null) this.#write(name, row);
    else if (old !== null) this.#rows.remove(name);
    for (const { hash } of old?.contents ?? []) this.#unuse(hash);
  }

  #placeOf({ scope, id }: UploadName): UploadPlace {
    return { row: keyOf("u", scopeOf(scope), id), id: Buffer.from(id) };
  }

  #endUpload({ row, id }: UploadPlace): void {
    for (const { key, value } of this.#all(keyOf("p", id))) {
      this.#unuse(parse<PartRow>(value).hash);
      this.#rows.remove(key);
    }
    this.#rows.remove(row);
  }

  #use(hash: BlobHash): void {
    const key = keyOf("r", hash);
    const uses = this.#read<number>(key) ?? 0;
    this.#write(key, uses + 1);
    if (uses === 0) this.#rows.remove(keyOf("g", hash));
  }

  #unuse(hash: BlobHash): void {
    const key = keyOf("r", hash);
    const uses = this.#read<number>(key) ?? 0;
    if (uses > 1) return this.#write(key, uses - 1);
    this.#rows.remove(key);
    this.#rows.put(keyOf("g", hash), NOTHING);
  }
}

export interface Place {
  readonly scope: string;
  readonly key: string;
}

export interface UploadName extends Place {
  readonly id: string;
}

/** An upload by its row alone: its scope cannot be told from that. */
export interface UploadPlace {
  readonly row: Buffer;
  readonly id: Buffer;
}

export function objectOf(key: string, row: ObjectRow): StorageObject {
  const { version, size, etag, uploadedMs, http } = row;
  return {
    key,
    version,
    size,
    etag,
    uploadedMs,
    http,
    custom: Object.fromEntries(row.custom),
    checksums: Object.fromEntries(
      row.checksums.map(([name, hex]) => [name, Buffer.from(hex, "hex")]),
    ),
  };
}

function keyOf(kind: "g" | "o" | "p" | "r" | "u", ...parts: readonly (string | Buffer)[]): Buffer {
  const bytes = parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part));
  return Buffer.concat([Buffer.from(kind), ...bytes]);
}

function scopeOf(scope: string): Buffer {
  return createHash("sha256").update(scope).digest().subarray(0, SCOPE_BYTES);
}

function parse<T>(bytes: Buffer): T {
  return JSON.parse(bytes.toString()) as T;
}

function numberOf(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number);
  return bytes;
}
