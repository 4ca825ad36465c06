// Requests that are open over several nodes, counted in one Redis: of each key a sorted set of places, by when they
// are free again should nobody say a word. Who holds some renews them all now and then, so a request may be open for
// hours, and what a node that died held is free after one lease. Whatever goes wrong mends itself by that: a place
// that could not be given back is not renewed any more, one whose request for it failed is given back to be sure.

import { hash, randomBytes } from "node:crypto";
import { EdgeError } from "../../sdk/errors.ts";
import { createScript, type RedisClient } from "../redis.ts";
import { Deadline } from "../deadline.ts";

const PREFIX = "edge:open:";
/** Long enough for a node that stands still for a while, short enough to wait for after one has died. */
export const LEASE_MS = 15_000;
/** In the time of a lease, so that one that fails is no loss. */
const RENEWALS = 3;
/** Of one command: a step of Redis holds up everybody. */
const RENEWED_MAX = 500;

const NOW = `
local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lease = tonumber(ARGV[1])`;

/** KEYS: the places. ARGV: lease in ms, how many there may be, whose. */
const TAKE = createScript(`${NOW}
redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", now)
if redis.call("ZCARD", KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call("ZADD", KEYS[1], now + lease, ARGV[3])
redis.call("PEXPIRE", KEYS[1], lease)
return 1`);

/** KEYS: the places. ARGV: lease in ms, and those that are still held, also if they were taken for free meanwhile. */
const RENEW = createScript(`${NOW}
for at = 2, #ARGV do redis.call("ZADD", KEYS[1], now + lease, ARGV[at]) end
redis.call("PEXPIRE", KEYS[1], lease)
return 1`);

export interface PlacesOptions {
  readonly timeoutMs: number;
  readonly leaseMs?: number;
}

export class RedisPlaces {
  readonly #redis: RedisClient;
  readonly #timeoutMs: number;
  readonly #leaseMs: number;
  readonly #me = randomBytes(9).toString("base64url");
  #next = 0;
  readonly #held = new Map<string, Set<string>>();
  #timer: NodeJS.Timeout | null = null;

  constructor(redis: RedisClient, { timeoutMs, leaseMs = LEASE_MS }: PlacesOptions) {
    this.#redis = redis;
    this.#timeoutMs = timeoutMs;
    this.#leaseMs = leaseMs;
  }

  /** null: `max` are open. Else a place; to be called once, when it is free. */
  async hold(key: string, max: number): Promise<(() => void) | null> {
    // Clients choose keys: hashed, they are of one length.
    const place = PREFIX + hash("sha256", key, "base64url");
    const member = `${this.#me}:${this.#next++}`;
    try {
      const reply = await this.#run((signal) =>
        this.#redis.run(TAKE, [place], [this.#leaseMs, max, member], signal),
      );
      if (reply !== 0 && reply !== 1) {
        throw new EdgeError("SERVICE_FAILED", "Redis has answered with something else.");
      }
      if (reply === 0) return null;
    } catch (error) {
      this.#free(place, member);
      throw error;
    }
    this.#keep(place, member);
    return () => {
      this.#letGo(place, member);
      this.#free(place, member);
    };
  }

  /** Nothing is renewed any more. */
  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#held.clear();
  }

  #keep(place: string, member: string): void {
    const members = this.#held.get(place);
    if (members === undefined) this.#held.set(place, new Set([member]));
    else members.add(member);
    this.#timer ??= setInterval(() => this.#renew(), this.#leaseMs / RENEWALS).unref();
  }

  #letGo(place: string, member: string): void {
    const members = this.#held.get(place);
    members?.delete(member);
    if (members?.size === 0) this.#held.delete(place);
    if (this.#held.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  #renew(): void {
    for (const [place, members] of this.#held) {
      const all = [...members];
      for (let at = 0; at < all.length; at += RENEWED_MAX) {
        const some = all.slice(at, at + RENEWED_MAX);
        // One that fails is made up for by the next.
        this.#run((signal) =>
          this.#redis.run(RENEW, [place], [this.#leaseMs, ...some], signal),
        ).catch(() => {});
      }
    }
  }

  #free(place: string, member: string): void {
    this.#run((signal) => this.#redis.send("ZREM", [place, member], signal)).catch(() => {});
  }

  async #run<T>(ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const deadline = new Deadline(null, this.#timeoutMs, "Redis");
    try {
      return await ask(deadline.signal);
    } finally {
      deadline.clear();
    }
  }
}
