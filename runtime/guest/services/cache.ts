// A cache binding: `ctx.services.cache("NAME")` with the seeds' verbs. Times are seconds. What an entry is without a
// time of its own, and how many there may be, is the service's configuration.

import type { Value } from "../../../sdk/services/values.ts";
import { bytesOf } from "../buffer-source.ts";
import { exposeInterface } from "../interface.ts";
import { decodeUtf8 } from "../utf8.ts";
import type { ServiceClient } from "./client.ts";

const parse = JSON.parse;
const stringify = JSON.stringify;
const isArray = Array.isArray;
const apply = Reflect.apply;
const copy = Uint8Array.prototype.slice;
/** Only what is made here has it. */
const INTERNAL = {};
/** A lock that nobody gives back ends by itself. */
const LOCK_SECONDS = 30;

const AS_TEXT = true;
type Found = string | Uint8Array | null;

let createWith: (client: ServiceClient) => CacheService;

function keyOf(key: unknown): string {
  return `${key as string}`;
}

function keysOf(keys: unknown): string[] {
  if (!isArray(keys)) return [keyOf(keys)];
  const list = keys as readonly unknown[];
  const names: string[] = [];
  for (let at = 0; at < list.length; at++) names[at] = keyOf(list[at]);
  return names;
}

function first(found: Value): Found {
  return (found as readonly Found[])[0] ?? null;
}

/** The host has decoded what is short. */
function textOf(value: Found): string | null {
  if (value === null || typeof value === "string") return value;
  return decodeUtf8(value, { ignoreBom: true });
}

/** Numbers as text, so that incr can add to them. */
function valueOf(value: unknown): Value {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "bigint") return `${value}`;
  const bytes = bytesOf(value);
  if (bytes !== null) return apply(copy, bytes, []) as Uint8Array;
  throw new TypeError("A cache takes strings, numbers, ArrayBuffers and views; use setJson.");
}

function jsonOf(value: unknown): string {
  const text = stringify(value) as string | undefined;
  if (text !== undefined) return text;
  throw new TypeError("The value cannot be said as JSON.");
}

function secondsOf(seconds: unknown): Value {
  return seconds === undefined || seconds === null ? null : +(seconds as number);
}

class CacheService {
  readonly #client: ServiceClient;

  constructor(internal: unknown, client: ServiceClient) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    this.#client = client;
  }

  static {
    createWith = (client) => new CacheService(INTERNAL, client);
  }

  /** As text; null when it is not there. */
  async get(key: unknown): Promise<string | null> {
    return textOf(first(await this.#client.call("get", [[keyOf(key)], AS_TEXT])));
  }

  async getJson(key: unknown): Promise<unknown> {
    const text = textOf(first(await this.#client.call("get", [[keyOf(key)], AS_TEXT])));
    return text === null ? null : parse(text);
  }

  async getBytes(key: unknown): Promise<ArrayBufferLike | null> {
    const value = first(await this.#client.call("get", [[keyOf(key)]])) as Uint8Array | null;
    return value === null ? null : (apply(copy, value, []) as Uint8Array).buffer;
  }

  /** In the order of the keys. */
  async mget(keys: unknown): Promise<(string | null)[]> {
    const found = await this.#client.call("get", [keysOf(keys), AS_TEXT]);
    const texts: (string | null)[] = [];
    for (let at = 0; at < (found as readonly Found[]).length; at++) {
      texts[at] = textOf((found as readonly Found[])[at] ?? null);
    }
    return texts;
  }

  async set(key: unknown, value: unknown, ttl: unknown = undefined): Promise<void> {
    await this.#client.call("set", [keyOf(key), valueOf(value), secondsOf(ttl), false]);
  }

  async setJson(key: unknown, value: unknown, ttl: unknown = undefined): Promise<void> {
    await this.#client.call("set", [keyOf(key), jsonOf(value), secondsOf(ttl), false]);
  }

  /** Only if it is not there; whether it was set. */
  async setNx(key: unknown, value: unknown, ttl: unknown = undefined): Promise<boolean> {
    const args: readonly Value[] = [keyOf(key), valueOf(value), secondsOf(ttl), true];
    return (await this.#client.call("set", args)) as boolean;
  }

  /** A key or a list of keys; how many were there. */
  async delete(key: unknown): Promise<number> {
    return (await this.#client.call("delete", [keysOf(key)])) as number;
  }

  async exists(key: unknown): Promise<boolean> {
    return (await this.#client.call("ttl", [keyOf(key)])) !== null;
  }

  /** The sum. What is not there counts as 0. */
  async incr(key: unknown, amount: unknown = 1): Promise<number> {
    return (await this.#client.call("add", [keyOf(key), +(amount as number)])) as number;
  }

  async decr(key: unknown, amount: unknown = 1): Promise<number> {
    return (await this.#client.call("add", [keyOf(key), -(amount as number)])) as number;
  }

  /** Whether it is there. */
  async expire(key: unknown, seconds: unknown): Promise<boolean> {
    return (await this.#client.call("expire", [keyOf(key), +(seconds as number)])) as boolean;
  }

  /** Seconds; -1 when it has no end, null when it is not there. */
  async ttl(key: unknown): Promise<number | null> {
    return (await this.#client.call("ttl", [keyOf(key)])) as number | null;
  }

  /** A token to unlock it with; null while somebody else has it. */
  async lock(key: unknown, ttl: unknown = LOCK_SECONDS): Promise<string | null> {
    return (await this.#client.call("lock", [keyOf(key), +(ttl as number)])) as string | null;
  }

  /** False: the lock has ended, and may be somebody else's. */
  async unlock(key: unknown, token: unknown): Promise<boolean> {
    return (await this.#client.call("unlock", [keyOf(key), `${token as string}`])) as boolean;
  }

  /** What answers, as it names itself. */
  async health(): Promise<string> {
    return (await this.#client.call("health", [])) as string;
  }
}

exposeInterface(CacheService, "CacheService");

export function createCache(client: ServiceClient): object {
  return createWith(client);
}
