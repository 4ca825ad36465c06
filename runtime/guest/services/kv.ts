// A KV binding: Workers' KVNamespace. The host checks keys and sizes (services/kv/port.ts); here values become what the
// author asked for.

import type { Value } from "../../../sdk/services/values.ts";
import { Body, extractBody, streamOf, takeBytes } from "../body.ts";
import { bytesOf } from "../buffer-source.ts";
import { exposeInterface } from "../interface.ts";
import { isReadableStream } from "../streams.ts";
import { decodeUtf8 } from "../utf8.ts";
import type { ServiceClient } from "./client.ts";
import { ServiceError } from "./service-error.ts";

const parse = JSON.parse;
const stringify = JSON.stringify;
const isArray = Array.isArray;
const NativeMap = Map;
const toText = String;
const apply = Reflect.apply;
const setInMap = Reflect.get(Map.prototype, "set") as (this: unknown) => unknown;
const copy = Uint8Array.prototype.slice;
const create = Object.create as (prototype: null) => Record<string, Value>;
/** Only what is made here has it. */
const INTERNAL = {};

let createWith: (client: ServiceClient) => KvNamespace;

type Type = "text" | "json" | "arrayBuffer" | "stream";
/** As the host answers: bytes, or text if that was wanted and is short; and metadata as JSON. */
type Found = readonly [value: string | Uint8Array, metadata: string | null] | null;

function typeOf(given: unknown): Type {
  const type: unknown =
    typeof given === "object" && given !== null ? Reflect.get(given, "type") : given;
  if (type === undefined || type === null) return "text";
  if (type === "text" || type === "json" || type === "arrayBuffer" || type === "stream") {
    return type;
  }
  throw new TypeError(
    `Unknown response type. Possible types are "text", "arrayBuffer", "json", and "stream".`,
  );
}

function bulkTypeOf(given: unknown): Type {
  const type = typeOf(given);
  if (type === "text" || type === "json") return type;
  throw new TypeError(`"${type}" is not a valid type. Use "json" or "text" for several keys.`);
}

function valueOf(found: Found, type: Type): unknown {
  if (found === null) return null;
  if (type === "text") return textOf(found[0]);
  if (type === "json") return parse(textOf(found[0]));
  const bytes = found[0] as Uint8Array;
  switch (type) {
    case "arrayBuffer":
      return (apply(copy, bytes, []) as Uint8Array).buffer;
    case "stream":
      return streamOf(new Body(null, bytes, null, null));
  }
}

function textOf(value: string | Uint8Array): string {
  return typeof value === "string" ? value : decodeUtf8(value, { ignoreBom: true });
}

function isText(type: Type): boolean {
  return type === "text" || type === "json";
}

function metadataOf(found: Found): unknown {
  const metadata = found?.[1] ?? null;
  return metadata === null ? null : parse(metadata);
}

function withMetadata(found: Found, type: Type): object {
  return { value: valueOf(found, type), metadata: metadataOf(found), cacheStatus: null };
}

function keyOf(key: unknown): string {
  const text = `${key as string}`;
  if (text === "") throw new TypeError("Key name cannot be empty.");
  if (text === "." || text === "..") throw new TypeError(`"${text}" is not allowed as a key name.`);
  return text;
}

function keysOf(keys: readonly unknown[]): string[] {
  const names: string[] = [];
  for (let at = 0; at < keys.length; at++) names[at] = keyOf(keys[at]);
  return names;
}

/** A number as given, for the host to check; undefined when there is none. */
function numberOf(options: object, name: string): number | undefined {
  const value: unknown = Reflect.get(options, name);
  return value === undefined || value === null ? undefined : +(value as number);
}

function putOptions(given: unknown): Record<string, Value> {
  const options = typeof given === "object" && given !== null ? given : {};
  const fields = create(null);
  const expiration = numberOf(options, "expiration");
  const ttl = numberOf(options, "expirationTtl");
  const metadata: unknown = Reflect.get(options, "metadata");
  if (ttl !== undefined) fields["ttlSeconds"] = ttl;
  else if (expiration !== undefined) fields["expiresAtMs"] = 1_000 * expiration;
  if (metadata !== undefined) fields["metadata"] = stringify(metadata) ?? "null";
  return fields;
}

function isValue(value: unknown): boolean {
  return typeof value === "string" || bytesOf(value) !== null || isReadableStream(value);
}

/** A key as the host lists it. */
type Listed = readonly [name: string, expiresAtMs: number | null, metadata: string | null];

function listedKey([name, expiresAtMs, metadata]: Listed): object {
  return {
    name,
    ...(expiresAtMs !== null && { expiration: (expiresAtMs - (expiresAtMs % 1_000)) / 1_000 }),
    ...(metadata !== null && { metadata: parse(metadata) as unknown }),
  };
}

class KvNamespace {
  readonly #client: ServiceClient;

  constructor(internal: unknown, client: ServiceClient) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    this.#client = client;
  }

  static {
    createWith = (client) => new KvNamespace(INTERNAL, client);
  }

  /** The value, null when it is not there; of a list of keys a Map. */
  get(key: unknown, type: unknown = undefined): Promise<unknown> {
    return this.#read(key, type, valueOf);
  }

  getWithMetadata(key: unknown, type: unknown = undefined): Promise<unknown> {
    return this.#read(key, type, withMetadata);
  }

  async put(key: unknown, value: unknown, options: unknown = undefined): Promise<void> {
    const name = keyOf(key);
    if (!isValue(value)) {
      throw new TypeError(
        "KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and ReadableStreams as values.",
      );
    }
    const fields = putOptions(options);
    const content = typeof value === "string" ? value : await takeBytes(extractBody(value));
    await this.#call("PUT", "put", [name, content, fields]);
  }

  /** A key or a list of keys. What is not there is no error. */
  async delete(key: unknown): Promise<void> {
    await this.#call("DELETE", "delete", [isArray(key) ? keysOf(key) : [keyOf(key)]]);
  }

  async list(options: unknown = undefined): Promise<object> {
    const given = typeof options === "object" && options !== null ? options : {};
    const fields = create(null);
    const prefix: unknown = Reflect.get(given, "prefix");
    const cursor: unknown = Reflect.get(given, "cursor");
    const limit = numberOf(given, "limit");
    if (prefix !== undefined && prefix !== null) fields["prefix"] = toText(prefix);
    if (cursor !== undefined && cursor !== null && cursor !== "") fields["cursor"] = toText(cursor);
    if (limit !== undefined) fields["limit"] = limit;
    const answer = (await this.#call("LIST", "list", [fields])) as {
      readonly keys: readonly Listed[];
      readonly cursor: string | null;
    };
    const keys: object[] = [];
    for (let at = 0; at < answer.keys.length; at++) keys[at] = listedKey(answer.keys[at] as Listed);
    return answer.cursor === null
      ? { keys, list_complete: true, cacheStatus: null }
      : { keys, list_complete: false, cursor: answer.cursor, cacheStatus: null };
  }

  async #read(
    key: unknown,
    type: unknown,
    show: (found: Found, type: Type) => unknown,
  ): Promise<unknown> {
    if (!isArray(key)) {
      const wanted = typeOf(type);
      const args = [[keyOf(key)], isText(wanted)];
      const found = (await this.#call("GET", "get", args)) as readonly Found[];
      return show(found[0] ?? null, wanted);
    }
    const wanted = bulkTypeOf(type);
    const names = keysOf(key);
    const found = (await this.#call("GET", "get", [names, true])) as readonly Found[];
    const map = new NativeMap<string, unknown>();
    for (let at = 0; at < names.length; at++) {
      apply(setInMap, map, [names[at], show(found[at] ?? null, wanted)] as never);
    }
    return map;
  }

  async #call(verb: string, method: string, args: readonly Value[]): Promise<Value> {
    try {
      return await this.#client.call(method, args);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      throw new ServiceError(error.code, `KV ${verb} failed: ${error.message}`);
    }
  }
}

exposeInterface(KvNamespace, "KvNamespace");

export function createKv(client: ServiceClient): object {
  return createWith(client);
}
