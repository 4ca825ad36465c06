// Caches in Memcached. Keys are hashes: Memcached takes 250 bytes without blanks. Values are text to the package: whole
// numbers as they are, so that the server can add to them, other text behind a "t", bytes behind a "b" in base64. What
// the server has no command for is done by compare-and-swap (meta commands, from Memcached 1.6 on).

import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { EdgeError } from "../../sdk/errors.ts";
import type { CacheBackend, CacheSet } from "../../sdk/services/cache.ts";
import type { MemcachedConfig } from "../../sdk/services/config.ts";
import { MemcachedServers } from "./memcached.ts";
import { addTo, notWhole } from "./number.ts";

/** Memcached takes larger times for dates. */
const RELATIVE_SECONDS_MAX = 30 * 86_400;
/** Others that change the same entry at once; each time one of them gets through. */
const SWAPS_MAX = 100;

export async function openMemcached(
  config: MemcachedConfig,
  signal: AbortSignal,
): Promise<CacheBackend> {
  const cache = new Memcached(config);
  try {
    await cache.probe(signal);
    return cache;
  } catch (error) {
    await cache.close();
    throw error;
  }
}

class Memcached implements CacheBackend {
  readonly streams = null;
  readonly #servers: MemcachedServers;
  readonly #ttlMs: number;

  constructor(config: MemcachedConfig) {
    this.#ttlMs = 1_000 * config.default_ttl_secs;
    this.#servers = new MemcachedServers(config);
  }

  async get(
    ...[scope, keys, signal]: Parameters<CacheBackend["get"]>
  ): Promise<(Uint8Array | null)[]> {
    const hashes = keys.map((key) => hashOf(scope, key));
    const byServer = Map.groupBy(new Set(hashes), (hash) => this.#servers.of(hash));
    const found = new Map<string, string>();
    await Promise.all(
      Array.from(byServer, async ([server, asked]) => {
        for (const [hash, text] of await server.get(asked, signal)) found.set(hash, text);
      }),
    );
    return hashes.map((hash) => {
      const text = found.get(hash);
      return text === undefined ? null : decode(text);
    });
  }

  async set(...[scope, set, signal]: Parameters<CacheBackend["set"]>): Promise<boolean> {
    return this.#store(hashOf(scope, set.key), set, signal);
  }

  async delete(...[scope, keys, signal]: Parameters<CacheBackend["delete"]>): Promise<number> {
    const replies = await Promise.all(
      keys.map((key) => this.#send(hashOf(scope, key), (hash) => `delete ${hash}`, signal)),
    );
    return replies.filter((reply) => reply === "DELETED").length;
  }

  async add(...[scope, { key, amount }, signal]: Parameters<CacheBackend["add"]>): Promise<number> {
    const hash = hashOf(scope, key);
    const set = {
      value: Buffer.from(String(addTo(null, amount))),
      ttlMs: null,
      onlyIfAbsent: true,
    };
    for (let attempt = 0; attempt < SWAPS_MAX; attempt++) {
      const sum = amount > 0 ? await this.#increase(hash, amount, signal) : "other";
      if (typeof sum === "number") return sum;
      if (sum === "other") {
        const swapped = await this.#swap(hash, amount, signal);
        if (swapped !== null) return swapped;
      }
      if ((await this.#send(hash, (own) => `mg ${own} t`, signal)) !== "EN") continue;
      if (await this.#store(hash, set, signal)) return amount;
    }
    throw contended();
  }

  async expire(
    ...[scope, { key, ttlMs }, signal]: Parameters<CacheBackend["expire"]>
  ): Promise<boolean> {
    const reply = await this.#send(
      hashOf(scope, key),
      (hash) => `touch ${hash} ${expiryOf(ttlMs)}`,
      signal,
    );
    return reply === "TOUCHED";
  }

  async ttlMs(...[scope, key, signal]: Parameters<CacheBackend["ttlMs"]>): Promise<number | null> {
    const reply = await this.#send(hashOf(scope, key), (hash) => `mg ${hash} t`, signal);
    const seconds = flagOf(reply, "t");
    if (seconds === null) return null;
    return Number(seconds) < 0 ? Infinity : 1_000 * Number(seconds);
  }

  async deleteIf(
    ...[scope, { key, value }, signal]: Parameters<CacheBackend["deleteIf"]>
  ): Promise<boolean> {
    const hash = hashOf(scope, key);
    for (let attempt = 0; attempt < SWAPS_MAX; attempt++) {
      const seen = await this.#look(hash, signal);
      if (seen === null || Buffer.compare(decode(seen.text), value) !== 0) return false;
      const reply = await this.#send(hash, (own) => `md ${own} C${seen.cas}`, signal);
      if (reply === "HD") return true;
    }
    throw contended();
  }

  async probe(signal: AbortSignal): Promise<{ version: string }> {
    const all = await Promise.all(
      this.#servers.all.map((server) => server.send("version", signal)),
    );
    return { version: `Memcached ${String(all[0]).replace(/^VERSION /, "")}` };
  }

  async close(): Promise<void> {
    this.#servers.close();
  }

  async #store(
    hash: string,
    { value, ttlMs, onlyIfAbsent }: Omit<CacheSet, "key">,
    signal: AbortSignal,
  ): Promise<boolean> {
    const verb = onlyIfAbsent ? "add" : "set";
    const text = encode(value);
    const head = `${verb} ${hash} 0 ${expiryOf(ttlMs ?? this.#ttlMs)} ${Buffer.byteLength(text)}`;
    return (await this.#send(hash, () => `${head}\r\n${text}`, signal)) === "STORED";
  }

  /** The sum; "absent", or "other": not what the server could add to. */
  async #increase(
    hash: string,
    amount: number,
    signal: AbortSignal,
  ): Promise<number | "absent" | "other"> {
    try {
      const sum = await this.#send(hash, () => `incr ${hash} ${amount}`, signal);
      if (sum === "NOT_FOUND") return "absent";
      if (Number.isSafeInteger(sum)) return Number(sum);
      await this.#send(hash, () => `decr ${hash} ${amount}`, signal);
    } catch (error) {
      if (error instanceof EdgeError && error.detail?.["reply"] === "CLIENT_ERROR") return "other";
      throw error;
    }
    throw notWhole();
  }

  /** null: it is not there, or has been changed meanwhile. */
  async #swap(hash: string, amount: number, signal: AbortSignal): Promise<number | null> {
    const seen = await this.#look(hash, signal);
    if (seen === null) return null;
    const sum = addTo(decode(seen.text), amount);
    const text = encode(Buffer.from(String(sum)));
    const head = `ms ${hash} ${Buffer.byteLength(text)} C${seen.cas} T${Math.max(0, seen.ttl)}`;
    const reply = await this.#send(hash, () => `${head}\r\n${text}`, signal);
    return reply === "HD" ? sum : null;
  }

  /** The mark first: if the entry is changed before it is read, nothing is done by that mark. */
  async #look(
    hash: string,
    signal: AbortSignal,
  ): Promise<{ text: string; cas: string; ttl: number } | null> {
    const server = this.#servers.of(hash);
    const [marks, found] = await Promise.all([
      server.send(`mg ${hash} c t`, signal),
      server.get([hash], signal),
    ]);
    const cas = flagOf(marks, "c");
    const text = found.get(hash);
    return cas === null || text === undefined
      ? null
      : { text, cas, ttl: Number(flagOf(marks, "t")) };
  }

  #send(hash: string, command: (hash: string) => string, signal: AbortSignal): Promise<unknown> {
    return this.#servers.of(hash).send(command(hash), signal);
  }
}

function contended(): EdgeError {
  return new EdgeError("SERVICE_CONFLICT", "Too many others change the entry at the same time.");
}

function hashOf(scope: string, key: string): string {
  return createHash("sha256")
    .update(JSON.stringify([scope, key]))
    .digest("base64url");
}

/** Up to what adds to a safe integer. */
const COUNTER = /^(?:0|[1-9]\d{0,15})$/;

function encode(value: Uint8Array): string {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (!isUtf8(bytes)) return `b${bytes.toString("base64")}`;
  const text = bytes.toString();
  return COUNTER.test(text) ? text : `t${text}`;
}

function decode(text: string): Buffer {
  if (text.startsWith("t")) return Buffer.from(text.slice(1));
  if (text.startsWith("b")) return Buffer.from(text.slice(1), "base64");
  // The server pads numbers that got shorter.
  return Buffer.from(text.trimEnd());
}

/** Of a reply of the meta commands: "HD c17 t99". */
function flagOf(reply: unknown, flag: string): string | null {
  const parts = String(reply).split(" ");
  if (parts[0] !== "HD") return null;
  return parts.find((part) => part.startsWith(flag))?.slice(1) ?? null;
}

function expiryOf(ttlMs: number): number {
  const seconds = Math.ceil(ttlMs / 1_000);
  return seconds <= RELATIVE_SECONDS_MAX ? seconds : Math.ceil(Date.now() / 1_000) + seconds;
}
