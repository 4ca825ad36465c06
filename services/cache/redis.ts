// Caches in Redis. A key is the scope, a colon and the author's key; whatever Redis does not do in one command is a
// script.

import { EdgeError } from "../../sdk/errors.ts";
import type { CacheBackend } from "../../sdk/services/cache.ts";
import type { RedisConfig } from "../../sdk/services/config.ts";
import { createScript, openRedis, type RedisClient } from "../redis.ts";
import { notWhole } from "./number.ts";

/** ARGV: amount, default time to live in ms. */
const ADD = createScript(`
local sum = redis.call("INCRBY", KEYS[1], ARGV[1])
if math.abs(sum) > 9007199254740991 then
  redis.call("DECRBY", KEYS[1], ARGV[1])
  return redis.error_reply("ERR not an integer or out of range")
end
if redis.call("PTTL", KEYS[1]) == -1 then redis.call("PEXPIRE", KEYS[1], ARGV[2]) end
-- As text: an integer reply is read with less than its 53 bits.
return redis.call("GET", KEYS[1])`);
/** ARGV: value. */
const DELETE_IF = createScript(`
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call("DEL", KEYS[1])`);

/** What PTTL says of a key without an end, and of none. */
const NO_END = -1;

export async function openRedisCache(
  config: RedisConfig,
  signal: AbortSignal,
): Promise<CacheBackend> {
  return new RedisCache(await openRedis(config, signal), 1_000 * config.default_ttl_secs);
}

class RedisCache implements CacheBackend {
  readonly streams = null;
  readonly #redis: RedisClient;
  readonly #ttlMs: number;

  constructor(redis: RedisClient, ttlMs: number) {
    this.#redis = redis;
    this.#ttlMs = ttlMs;
  }

  /** One by one, and so from whichever nodes of a cluster; they cross in one go. */
  async get(
    ...[scope, keys, signal]: Parameters<CacheBackend["get"]>
  ): Promise<(Uint8Array | null)[]> {
    return Promise.all(
      keys.map(async (key) => {
        const reply = await this.#redis.send("GET", [keyOf(scope, key)], signal);
        return Buffer.isBuffer(reply) ? reply : null;
      }),
    );
  }

  async set(...[scope, set, signal]: Parameters<CacheBackend["set"]>): Promise<boolean> {
    const { key, value, ttlMs, onlyIfAbsent } = set;
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    const args = [keyOf(scope, key), bytes, "PX", Math.ceil(ttlMs ?? this.#ttlMs)];
    const reply = await this.#redis.send("SET", onlyIfAbsent ? [...args, "NX"] : args, signal);
    return reply !== null;
  }

  async delete(...[scope, keys, signal]: Parameters<CacheBackend["delete"]>): Promise<number> {
    const counts = await Promise.all(
      keys.map((key) => this.#redis.send("DEL", [keyOf(scope, key)], signal)),
    );
    return counts.reduce<number>((sum, count) => sum + Number(count), 0);
  }

  async add(...[scope, { key, amount }, signal]: Parameters<CacheBackend["add"]>): Promise<number> {
    try {
      return Number(await this.#redis.run(ADD, [keyOf(scope, key)], [amount, this.#ttlMs], signal));
    } catch (error) {
      const isInput =
        error instanceof EdgeError && /integer|overflow|WRONGTYPE/.test(error.message);
      throw isInput ? notWhole() : error;
    }
  }

  async expire(
    ...[scope, { key, ttlMs }, signal]: Parameters<CacheBackend["expire"]>
  ): Promise<boolean> {
    return (await this.#redis.send("PEXPIRE", [keyOf(scope, key), Math.ceil(ttlMs)], signal)) === 1;
  }

  async ttlMs(...[scope, key, signal]: Parameters<CacheBackend["ttlMs"]>): Promise<number | null> {
    const reply = Number(await this.#redis.send("PTTL", [keyOf(scope, key)], signal));
    if (reply === NO_END) return Infinity;
    return reply < 0 ? null : reply;
  }

  async deleteIf(
    ...[scope, { key, value }, signal]: Parameters<CacheBackend["deleteIf"]>
  ): Promise<boolean> {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    return (await this.#redis.run(DELETE_IF, [keyOf(scope, key)], [bytes], signal)) === 1;
  }

  async probe(signal: AbortSignal): Promise<{ version: string }> {
    return { version: await this.#redis.version(signal) };
  }

  close(): Promise<void> {
    return this.#redis.close();
  }
}

/** The scope's colons are escaped, so that its end is known. */
function keyOf(scope: string, key: string): string {
  return `${scope.replaceAll(/[%:]/g, encodeURIComponent)}:${key}`;
}
