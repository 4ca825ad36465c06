// The face of object storage: Workers' R2Bucket, and the seeds' verbs beside it.

import { STREAM, type Value } from "../../../sdk/services/values.ts";
import { extractBody, takeForHost } from "../body.ts";
import { GuestDate } from "../clock.ts";
import { encodeUtf8 } from "../encoding.ts";
import { exposeInterface } from "../interface.ts";
import type { OpenAnswer, ServiceClient } from "./client.ts";
import { isPulled, sendStream } from "./sent-stream.ts";
import {
  bodyOfAnswer,
  bodyOfBytes,
  createObject,
  createObjectBody,
  type R2Object,
  type R2ObjectBody,
  type Span,
  type WireObject,
} from "./storage/object.ts";
import { checksumsOf, conditionsOf, fieldsOf, metadataOf, rangeOf } from "./storage/options.ts";

const isArray = Array.isArray;
const toIso = Date.prototype.toISOString;
const apply = Reflect.apply;
/** Only what is made here has it. */
const INTERNAL = {};

let createBucket: (client: ServiceClient) => R2Bucket;
let createUpload: (client: ServiceClient, key: string, id: string) => R2MultipartUpload;

/** The seeds' description of an object. */
interface ObjectInfo {
  readonly key: string;
  readonly size: number;
  readonly last_modified: string;
  readonly etag: string;
  readonly content_type: string | null;
}

interface WireListing {
  readonly objects: readonly WireObject[];
  readonly prefixes: readonly string[];
  readonly cursor: string | null;
}

interface Listing {
  objects: R2Object[];
  truncated: boolean;
  cursor?: string;
  delimitedPrefixes: readonly string[];
}

class R2Bucket {
  readonly #client: ServiceClient;

  constructor(internal: unknown, client: ServiceClient) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    this.#client = client;
  }

  static {
    createBucket = (client) => new R2Bucket(INTERNAL, client);
  }

  async head(key: unknown): Promise<R2Object | null> {
    const found = await this.#client.call("head", [text(key)]);
    return found === null ? null : createObject(found as unknown as WireObject, null);
  }

  /** Without a body when `onlyIf` does not hold. */
  async get(key: unknown, options: unknown = undefined): Promise<R2Object | null> {
    const { range, onlyIf } = fieldsOf(options, "options");
    const wanted: Value = { range: rangeOf(range), onlyIf: conditionsOf(onlyIf) };
    const answer = await this.#client.open("get", [text(key), wanted]);
    return objectOf(answer);
  }

  /** null when `onlyIf` does not hold. In the seeds' form `options` is the content type. */
  async put(key: unknown, value: unknown, options: unknown = undefined): Promise<R2Object | null> {
    const fields =
      typeof options === "string"
        ? { httpMetadata: { contentType: options } }
        : fieldsOf(options, "options");
    const stored = metadataOf(fields);
    stored["checksums"] = checksumsOf(fields);
    stored["onlyIf"] = conditionsOf((fields as { onlyIf?: unknown }).onlyIf);
    const made = await send(this.#client, { method: "put", before: [text(key)], value }, stored);
    return made === null ? null : createObject(made as unknown as WireObject, null);
  }

  async delete(keys: unknown): Promise<void> {
    const list: string[] = [];
    if (isArray(keys)) for (let at = 0; at < keys.length; at++) list[at] = text(keys[at]);
    else list[0] = text(keys);
    await this.#client.call("delete", [list]);
  }

  /** With a text for a prefix, as the seeds have it: what is there, as a list. */
  async list(options: unknown = undefined): Promise<Listing | ObjectInfo[]> {
    if (typeof options === "string") return listAll(this.#client, options);
    const fields = fieldsOf(options, "options");
    const include = fields["include"];
    const listing = await this.#client.call("list", [
      {
        prefix: textOrNull(fields["prefix"]),
        delimiter: textOrNull(fields["delimiter"]),
        cursor: textOrNull(fields["cursor"]),
        startAfter: textOrNull(fields["startAfter"]),
        limit: fields["limit"] === undefined ? null : +(fields["limit"] as number),
        withMetadata: isArray(include) && include.length > 0,
      },
    ]);
    return listingOf(listing as unknown as WireListing);
  }

  async createMultipartUpload(
    key: unknown,
    options: unknown = undefined,
  ): Promise<R2MultipartUpload> {
    const name = text(key);
    const fields = fieldsOf(options, "options");
    const id = await this.#client.call("createUpload", [name, metadataOf(fields)]);
    return createUpload(this.#client, name, id as string);
  }

  /** Asks nobody: an upload that is not there is noticed by what follows. */
  resumeMultipartUpload(key: unknown, uploadId: unknown): R2MultipartUpload {
    return createUpload(this.#client, text(key), text(uploadId));
  }

  async exists(key: unknown): Promise<boolean> {
    return (await this.#client.call("head", [text(key)])) !== null;
  }

  /** An address by which anybody may get the object for so many seconds; with method PUT, store it. */
  async presign(key: unknown, seconds: unknown, options: unknown = undefined): Promise<string> {
    const { method = "GET", contentType } = fieldsOf(options, "options");
    const wanted = {
      seconds: +(seconds as number),
      method: text(method),
      contentType: textOrNull(contentType),
    };
    return (await this.#client.call("presign", [text(key), wanted])) as string;
  }

  presignedUrl(key: unknown, seconds: unknown, options: unknown = undefined): Promise<string> {
    return this.presign(key, seconds, options);
  }

  /** Does not reject. */
  async health(): Promise<object> {
    try {
      return { ok: true, version: await this.#client.call("health", []) };
    } catch (error) {
      const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
      return { ok: false, code, message };
    }
  }

  async listObjects(bucket: unknown = null, prefix: unknown = ""): Promise<ObjectInfo[]> {
    checkBucket(bucket);
    return listAll(this.#client, text(prefix));
  }

  async getObject(bucket: unknown, key: unknown): Promise<Uint8Array | null> {
    checkBucket(bucket);
    const found = objectOf(await this.#client.open("get", [text(key), {}]));
    return found === null ? null : (found as R2ObjectBody).bytes();
  }

  async putObject(
    bucket: unknown,
    key: unknown,
    value: unknown,
    type: unknown = undefined,
  ): Promise<void> {
    checkBucket(bucket);
    const fields = type === undefined ? {} : { httpMetadata: { contentType: type } };
    const stored = metadataOf(fields);
    await send(this.#client, { method: "put", before: [text(key)], value }, stored);
  }

  async deleteObject(bucket: unknown, key: unknown): Promise<void> {
    checkBucket(bucket);
    await this.#client.call("delete", [[text(key)]]);
  }
}

class R2MultipartUpload {
  readonly key: string;
  readonly uploadId: string;
  readonly #client: ServiceClient;
  readonly #key: string;
  readonly #id: string;

  constructor(internal: unknown, client: ServiceClient, at: { key: string; id: string }) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    this.#client = client;
    this.#key = at.key;
    this.#id = at.id;
    this.key = at.key;
    this.uploadId = at.id;
  }

  static {
    createUpload = (client, key, id) => new R2MultipartUpload(INTERNAL, client, { key, id });
  }

  async uploadPart(
    partNumber: unknown,
    value: unknown,
  ): Promise<{ partNumber: number; etag: string }> {
    const number = +(partNumber as number);
    const before = [this.#key, this.#id, number];
    const etag = await send(this.#client, { method: "uploadPart", before, value });
    return { partNumber: number, etag: etag as string };
  }

  async abort(): Promise<void> {
    await this.#client.call("abortUpload", [this.#key, this.#id]);
  }

  async complete(uploadedParts: unknown): Promise<R2Object> {
    if (!isArray(uploadedParts)) throw new TypeError("complete takes a list of parts.");
    const parts: Value[] = [];
    for (let at = 0; at < uploadedParts.length; at++) {
      const { partNumber, etag } = fieldsOf(uploadedParts[at], "A part");
      parts[at] = [+(partNumber as number), text(etag)];
    }
    const made = await this.#client.call("completeUpload", [this.#key, this.#id, parts]);
    return createObject(made as unknown as WireObject, null);
  }
}

exposeInterface(R2Bucket, "R2Bucket");
exposeInterface(R2MultipartUpload, "R2MultipartUpload");

export function createStorage(client: ServiceClient): object {
  return createBucket(client);
}

interface Sent {
  readonly method: string;
  /** The arguments before the body. */
  readonly before: readonly Value[];
  readonly value: unknown;
}

/** A call with a body, as a whole where it is at hand, else piece by piece. */
async function send(
  client: ServiceClient,
  { method, before, value }: Sent,
  ...after: readonly Value[]
): Promise<Value> {
  const args: Value[] = [];
  const add = (each: Value): void => {
    args[args.length] = each;
  };
  for (let at = 0; at < before.length; at++) add(before[at]);
  const body = value === null || value === undefined ? "" : takeForHost(extractBody(value));
  if (isPulled(body)) add(STREAM);
  else add(typeof body === "string" ? encodeUtf8(body) : body);
  for (let at = 0; at < after.length; at++) add(after[at]);
  return isPulled(body) ? sendStream(client, { method, args, body }) : client.call(method, args);
}

function objectOf(answer: OpenAnswer): R2Object | null {
  if (answer.head === null) return null;
  const [wire, span, bytes] = answer.head as unknown as readonly [
    WireObject,
    readonly [number, number] | null,
    Uint8Array | null,
  ];
  if (span === null) return createObject(wire, null);
  const range: Span = { offset: span[0], length: span[1] };
  const body = bytes === null ? bodyOfAnswer(answer) : bodyOfBytes(bytes);
  return createObjectBody(wire, range, body);
}

function listingOf({ objects, prefixes, cursor }: WireListing): Listing {
  const listing: Listing = {
    objects: [],
    truncated: cursor !== null,
    delimitedPrefixes: prefixes,
  };
  if (cursor !== null) listing.cursor = cursor;
  for (let at = 0; at < objects.length; at++) {
    listing.objects[at] = createObject(objects[at] as WireObject, null);
  }
  return listing;
}

/** The first page: as many as one call tells. */
async function listAll(client: ServiceClient, prefix: string): Promise<ObjectInfo[]> {
  const { objects } = (await client.call("list", [{ prefix }])) as unknown as WireListing;
  const infos: ObjectInfo[] = [];
  for (let at = 0; at < objects.length; at++) {
    const { key, size, etag, uploadedMs, http } = objects[at] as WireObject;
    const last_modified = apply(toIso, new GuestDate(uploadedMs), []) as string;
    const type = http["contentType"];
    const content_type = typeof type === "string" ? type : null;
    infos[at] = { key, size, last_modified, etag, content_type };
  }
  return infos;
}

/** A binding has one bucket. The seeds' verbs name it; what they name has to be that one. */
function checkBucket(bucket: unknown): void {
  if (bucket === undefined || bucket === null || bucket === "") return;
  throw new TypeError("The binding has one bucket: leave its name out (null).");
}

function text(value: unknown): string {
  return `${value as string}`;
}

function textOrNull(value: unknown): string | null {
  return value === undefined || value === null ? null : text(value);
}
