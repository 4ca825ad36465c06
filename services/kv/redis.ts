// KV namespaces in Redis. Each entry is a hash of its value and metadata, expired by Redis itself; each namespace has a
// sorted set of its keys, all of one score, which Redis keeps in the order of their bytes. The set may name entries
// that have expired: listings leave them out and remove them. A namespace lies in one slot of a cluster.

import { EdgeError } from "../../sdk/errors.ts";
import type { RedisConfig } from "../../sdk/services/config.ts";
import type { KvBackend, KvEntry, KvListing } from "../../sdk/services/kv.ts";
import { createScript, openRedis, type RedisClient, type Reply } from "../redis.ts";

/** KEYS: entry, index. ARGV: key, value, expires in ms or "", has metadata, metadata. */
const PUT = createScript(`
redis.call("DEL", KEYS[1])
redis.call("HSET", KEYS[1], "v", ARGV[2])
if ARGV[4] == "1" then redis.call("HSET", KEYS[1], "m", ARGV[5]) end
if ARGV[3] ~= "" then redis.call("PEXPIREAT", KEYS[1], ARGV[3]) end
redis.call("ZADD", KEYS[2], 0, ARGV[1])
return 1`);
/** KEYS: entry, index. ARGV: key. */
const DELETE = createScript(`
redis.call("DEL", KEYS[1])
redis.call("ZREM", KEYS[2], ARGV[1])
return 1`);
/** As DELETE, if the entry is not there any more. */
const FORGET = createScript(`
if redis.call("EXISTS", KEYS[1]) == 0 then redis.call("ZREM", KEYS[2], ARGV[1]) end
return 1`);

export async function openRedisKv(config: RedisConfig, signal: AbortSignal): Promise<KvBackend> {
  return new RedisKv(await openRedis(config, signal));
}

class RedisKv implements KvBackend {
  readonly #redis: RedisClient;

  constructor(redis: RedisClient) {
    this.#redis = redis;
  }

  async get(
    ...[namespace, keys, signal]: Parameters<KvBackend["get"]>
  ): Promise<(KvEntry | null)[]> {
    return Promise.all(
      keys.map(async (key) => {
        const fields = await this.#redis.send("HMGET", [entryOf(namespace, key), "v", "m"], signal);
        const [value, metadata] = listOf(fields);
        if (!Buffer.isBuffer(value)) return null;
        return { value, metadata: textOf(metadata) };
      }),
    );
  }

  async put(...[namespace, put, signal]: Parameters<KvBackend["put"]>): Promise<void> {
    const { key, value, metadata, expiresAtMs } = put;
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    const expires = expiresAtMs === null ? "" : String(Math.ceil(expiresAtMs));
    const args = [key, bytes, expires, metadata === null ? "0" : "1", metadata ?? ""];
    await this.#redis.run(PUT, keysOf(namespace, key), args, signal);
  }

  async delete(...[namespace, keys, signal]: Parameters<KvBackend["delete"]>): Promise<void> {
    await Promise.all(
      keys.map((key) => this.#redis.run(DELETE, keysOf(namespace, key), [key], signal)),
    );
  }

  async list(...[namespace, options, signal]: Parameters<KvBackend["list"]>): Promise<KvListing> {
    const { prefix, limit, cursor } = options;
    const index = indexOf(namespace);
    const end = Buffer.concat([Buffer.from(`(${prefix}`), Buffer.of(0xff)]);
    const keys: KvListing["keys"][number][] = [];
    let start = cursor === null ? `[${prefix}` : `(${prefix}${readCursor(cursor)}`;
    for (;;) {
      const asked = limit + 1 - keys.length;
      const range = [index, start, end, "LIMIT", 0, asked];
      const names = listOf(await this.#redis.send("ZRANGEBYLEX", range, signal)).map(String);
      const found = await Promise.all(names.map((name) => this.#listed(namespace, name, signal)));
      keys.push(...found.filter((key) => key !== null));
      const last = keys[limit - 1];
      if (keys.length > limit && last !== undefined) {
        const rest = last.name.slice(prefix.length);
        return { keys: keys.slice(0, limit), cursor: Buffer.from(rest).toString("base64url") };
      }
      if (names.length < asked) return { keys, cursor: null };
      start = `(${names.at(-1) ?? ""}`;
    }
  }

  async probe(signal: AbortSignal): Promise<{ version: string }> {
    return { version: await this.#redis.version(signal) };
  }

  close(): Promise<void> {
    return this.#redis.close();
  }

  async #listed(
    namespace: string,
    name: string,
    signal: AbortSignal,
  ): Promise<KvListing["keys"][number] | null> {
    const entry = entryOf(namespace, name);
    const [metadata, expires] = await Promise.all([
      this.#redis.send("HGET", [entry, "m"], signal),
      this.#redis.send("PEXPIRETIME", [entry], signal),
    ]);
    const time = Number(expires);
    if (time === NOT_THERE) {
      await this.#redis.run(FORGET, keysOf(namespace, name), [name], signal);
      return null;
    }
    return { name, expiresAtMs: time < 0 ? null : time, metadata: textOf(metadata) };
  }
}

/** What PEXPIRETIME says of a key that is not there. */
const NOT_THERE = -2;

/** The braces make Redis put all of a namespace into one slot. */
function tagOf(namespace: string): string {
  return `islet:kv:{${encodeURIComponent(namespace)}}`;
}

function entryOf(namespace: string, key: string): string {
  return `${tagOf(namespace)}:${key}`;
}

/** No entry's: those have a colon there. */
function indexOf(namespace: string): string {
  return `${tagOf(namespace)}/keys`;
}

function keysOf(namespace: string, key: string): string[] {
  return [entryOf(namespace, key), indexOf(namespace)];
}

function listOf(reply: Reply): readonly Reply[] {
  return Array.isArray(reply) ? (reply as readonly Reply[]) : [];
}

function textOf(reply: Reply | undefined): string | null {
  return Buffer.isBuffer(reply) ? reply.toString() : null;
}

function readCursor(cursor: string): string {
  const name = Buffer.from(cursor, "base64url").toString();
  if (Buffer.from(name).toString("base64url") === cursor) return name;
  throw new EdgeError("SERVICE_INPUT", "The cursor is not one that a listing gave.");
}
