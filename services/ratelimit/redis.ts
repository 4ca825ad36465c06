// Rate limits of several nodes, counted in one Redis: the gateway's algorithms as a script, one round trip a decision.
// It says number for number what runtime/gateway/policies/limits/limiters.ts says; a test holds the two together. The
// time is the server's, since clocks of nodes differ. What is known of a key is one text of four numbers, which Redis
// forgets when the limit is as if nobody had asked: there is nothing to sweep.

import { hash } from "node:crypto";
import { EdgeError } from "../../sdk/errors.ts";
import type { Decision, LimiterOptions, SharedLimits } from "../../sdk/gateway/limits.ts";
import type { RedisConfig } from "../../sdk/services/config.ts";
import { Deadline } from "../deadline.ts";
import { createRedis, createScript, type RedisClient, type Reply } from "../redis.ts";
import { RedisPlaces } from "./redis-open.ts";

const PREFIX = "edge:limit:";
/** Kept for longer than it counts: a server that takes another's place may have a clock that is ahead. */
const GRACE_MS = 60_000;
/** Of what fills slower than anybody waits; Redis takes no number of any size. */
const KEPT_MS_MAX = 30 * 86_400_000;

/** KEYS: the cell. ARGV: algorithm, capacity, refillPerSec, windowMs, now in ms or "" for the server's time. */
const TAKE = createScript(`
local algorithm = ARGV[1]
local capacity, window_ms = tonumber(ARGV[2]), tonumber(ARGV[4])
local now = tonumber(ARGV[5])
if not now then
  local time = redis.call("TIME")
  now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
end
local function text(number)
  return number == math.huge and "Infinity" or string.format("%.17g", number)
end
local cell = {}
for number in string.gmatch(redis.call("GET", KEYS[1]) or "", "%S+") do
  cell[#cell + 1] = tonumber(number)
end
local fresh = #cell ~= 4
local a, b, c, at = cell[1] or 0, cell[2] or 0, cell[3] or 0, cell[4] or 0
local allowed, remaining, reset, retry

if algorithm == "token-bucket" then
  local per_ms = tonumber(ARGV[3]) / 1000
  local stored = fresh and capacity or a + math.max(0, now - at) * per_ms
  local tokens = math.min(capacity, stored)
  allowed = tokens >= 1 - 1e-9
  local left = allowed and math.max(0, tokens - 1) or tokens
  a = left
  remaining = math.floor(left + 1e-9)
  reset = (capacity - left) / per_ms
  retry = capacity < 1 and math.huge or (1 - left) / per_ms
elseif algorithm == "fixed-window" then
  local current = math.floor(now / window_ms)
  local used = (fresh or b ~= current) and 0 or a
  allowed = used < capacity
  reset = (current + 1) * window_ms - now
  a, b = used + 1, current
  remaining = math.max(0, capacity - used - (allowed and 1 or 0))
  retry = reset
elseif algorithm == "sliding-window" then
  local window = math.floor(now / window_ms)
  local current, before = 0, 0
  if not fresh and b == window then current, before = a, c
  elseif not fresh and b == window - 1 then before = a end
  local passed = now / window_ms - window
  local used = before * (1 - passed) + current
  allowed = used + 1 <= capacity + 1e-9
  a, b, c = current + 1, window, before
  reset = (window + ((current > 0 or allowed) and 2 or 1)) * window_ms - now
  local after = allowed and used + 1 or used
  remaining = math.max(0, math.floor(capacity - after + 1e-9))
  local room = capacity - 1
  if room < 0 then retry = math.huge
  elseif current <= room and before > 0 then
    retry = math.max(0, 1 - (room - current) / before - passed) * window_ms
  else
    retry = (1 - passed + math.max(0, 1 - room / math.max(1, current))) * window_ms
  end
else
  local interval = 1000 / tonumber(ARGV[3])
  local tolerance = (capacity - 1) * interval
  local due = fresh and now or math.max(now, a)
  local early = due - now
  allowed = capacity > 0 and early <= tolerance + 1e-6
  local next_due = allowed and due + interval or due
  a = next_due
  remaining = math.max(0, math.floor((tolerance + interval - (next_due - now)) / interval + 1e-9))
  reset = next_due - now
  retry = capacity > 0 and early - tolerance or math.huge
end

if allowed then
  retry = 0
  local kept = math.min(${KEPT_MS_MAX}, math.ceil(reset)) + ${GRACE_MS}
  local stored = table.concat({ text(a), text(b), text(c), text(now) }, " ")
  redis.call("SET", KEYS[1], stored, "PX", string.format("%.0f", kept))
end
return { allowed and 1 or 0, text(remaining), text(reset), text(retry) }`);

/** Dials when it is first asked, and again by itself: opening never fails. */
export function openRedisLimits(config: RedisConfig, timeoutMs: number): SharedLimits {
  return new RedisLimits(createRedis(config), timeoutMs);
}

class RedisLimits implements SharedLimits {
  readonly #redis: RedisClient;
  readonly #timeoutMs: number;
  readonly #asked = new Set<Promise<unknown>>();
  readonly #places: RedisPlaces;

  constructor(redis: RedisClient, timeoutMs: number) {
    this.#redis = redis;
    this.#timeoutMs = timeoutMs;
    this.#places = new RedisPlaces(redis, { timeoutMs });
  }

  take(key: string, options: LimiterOptions): Promise<Decision> {
    return this.#counted(this.#ask(key, options));
  }

  hold(key: string, max: number): Promise<(() => void) | null> {
    return this.#counted(this.#places.hold(key, max));
  }

  async #counted<T>(asked: Promise<T>): Promise<T> {
    this.#asked.add(asked);
    try {
      return await asked;
    } finally {
      this.#asked.delete(asked);
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#asked);
    this.#places.close();
    await this.#redis.close();
  }

  async #ask(key: string, options: LimiterOptions): Promise<Decision> {
    const deadline = new Deadline(null, this.#timeoutMs, "Redis");
    try {
      return await takeInRedis(this.#redis, { ...options, key }, deadline.signal);
    } finally {
      deadline.clear();
    }
  }
}

export interface Take extends LimiterOptions {
  readonly key: string;
  /** In ms; the server's without. */
  readonly now?: number;
}

export async function takeInRedis(
  redis: RedisClient,
  { key, algorithm, capacity, refillPerSec, windowMs, now }: Take,
  signal: AbortSignal,
): Promise<Decision> {
  // Clients choose keys: hashed, they are of one length. Algorithms mean different things by the numbers.
  const place = PREFIX + hash("sha256", `${algorithm}\n${key}`, "base64url");
  const args = [algorithm, capacity, refillPerSec, windowMs, now === undefined ? "" : String(now)];
  return decisionOf(await redis.run(TAKE, [place], args, signal));
}

function decisionOf(reply: Reply): Decision {
  if (!Array.isArray(reply) || reply.length !== 4) {
    throw new EdgeError("SERVICE_FAILED", "Redis has answered with something else.");
  }
  const [allowed, remaining, resetMs, retryMs] = reply.map((one: Reply) => Number(one));
  return {
    allowed: allowed === 1,
    remaining: remaining ?? 0,
    resetMs: resetMs ?? 0,
    retryMs: retryMs ?? 0,
  };
}
