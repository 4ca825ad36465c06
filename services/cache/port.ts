// The calls of a cache binding (runtime/guest/services/cache.ts makes them): checks what they say and asks the backend.
// Those of the Cache API are in responses.ts.
//
//   get     [keys, asText]                   -> a list of null | value; short ones as text
//   set     [key, value, seconds, isNew]     -> false: it was to be new, and is not
//   delete  [keys]                           -> how many were there
//   add     [key, amount]                    -> the sum
//   expire  [key, seconds]                   -> whether it is there
//   ttl     [key]                            -> seconds, -1: without an end, null: not there
//   lock    [key, seconds]                   -> a token, null: somebody has it
//   unlock  [key, token]                     -> whether it was this token's
//   health  []                               -> the server's version

import { randomUUID } from "node:crypto";
import { EdgeError } from "../../sdk/errors.ts";
import {
  CACHE_KEY_BYTES_MAX,
  CACHE_MANY_MAX,
  CACHE_TTL_SECONDS_MAX,
  CACHE_VALUE_BYTES_MAX,
  type CacheBackend,
} from "../../sdk/services/cache.ts";
import type { CallContext, ServicePort } from "../../sdk/services/service.ts";
import type { Value } from "../../sdk/services/values.ts";
import type { ServiceActor } from "../actor.ts";
import {
  holdOrRefuse,
  limitBytes,
  limitCount,
  limitText,
  optional,
  readBytes,
  readInteger,
  readList,
  readText,
} from "../arguments.ts";
import { createPort, type Method } from "../port.ts";
import { shortText } from "../short-text.ts";
import { responseMethods } from "./responses.ts";

export interface CachePortOptions {
  readonly actor: ServiceActor<CacheBackend>;
  readonly scope: string;
  /** The endpoint. */
  readonly caller: string;
  /** The wall clock. */
  readonly now: () => number;
  /** For tests (responses.ts). */
  readonly bodyBytesMax?: number;
}

export function createCachePort(options: CachePortOptions): ServicePort {
  const { actor, scope } = options;
  return createPort({
    methods: { ...verbs(options), ...responseMethods(options) },
    now: {
      get([keys, asText], context) {
        const names = readKeys(keys);
        const found = actor.runNow(
          (cache) => cache.getNow?.(scope, names, asText === true) ?? null,
        );
        return found && { value: holdAll(context, found) };
      },
    },
  });
}

function holdAll<T extends readonly (string | Uint8Array | null)[]>(
  context: Pick<CallContext, "hold">,
  found: T,
): T {
  for (const value of found) holdOrRefuse(context, "The values are", value?.length ?? 0);
  return found;
}

function verbs({ actor, scope, caller }: CachePortOptions): Readonly<Record<string, Method>> {
  const ask = <T>(
    { signal }: CallContext,
    work: (cache: CacheBackend, signal: AbortSignal) => Promise<T>,
  ): Promise<T> => actor.run(work, { caller, signal });

  return {
    async get([keys, asText], context) {
      const names = readKeys(keys);
      const found = await ask(context, (cache, signal) => cache.get(scope, names, signal));
      const all = holdAll(context, found);
      return asText === true ? all.map((value) => value && shortText(value)) : all;
    },
    set([key, value, seconds, isNew], context) {
      const ttlMs = optional(seconds, "ttl", readTtlMs);
      const onlyIfAbsent = isNew === true;
      const set = { key: readKey(key), value: readValue(value), ttlMs, onlyIfAbsent };
      return ask(context, (cache, signal) => cache.set(scope, set, signal));
    },
    delete([keys], context) {
      const names = readKeys(keys);
      return ask(context, (cache, signal) => cache.delete(scope, names, signal));
    },
    add([key, amount], context) {
      const change = { key: readKey(key), amount: readInteger(amount, "amount", WHOLE) };
      return ask(context, (cache, signal) => cache.add(scope, change, signal));
    },
    expire([key, seconds], context) {
      const change = { key: readKey(key), ttlMs: readTtlMs(seconds, "ttl") };
      return ask(context, (cache, signal) => cache.expire(scope, change, signal));
    },
    async ttl([key], context) {
      const name = readKey(key);
      const ttlMs = await ask(context, (cache, signal) => cache.ttlMs(scope, name, signal));
      if (ttlMs === null) return null;
      return ttlMs === Infinity ? -1 : Math.max(1, Math.ceil(ttlMs / 1_000));
    },
    async lock([key, seconds], context) {
      const token = randomUUID();
      const ttlMs = readTtlMs(seconds, "ttl");
      const set = { key: readKey(key), value: Buffer.from(token), ttlMs, onlyIfAbsent: true };
      const isMine = await ask(context, (cache, signal) => cache.set(scope, set, signal));
      return isMine ? token : null;
    },
    unlock([key, token], context) {
      const entry = { key: readKey(key), value: Buffer.from(readText(token, "token")) };
      return ask(context, (cache, signal) => cache.deleteIf(scope, entry, signal));
    },
    async health(_args, context) {
      return (await ask(context, (cache, signal) => cache.probe(signal))).version;
    },
  };
}

const WHOLE = { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER };

function readKeys(value: Value): readonly string[] {
  return limitCount(readList(value, "keys"), "keys", CACHE_MANY_MAX).map(readKey);
}

function readKey(value: Value): string {
  const key = limitText(readText(value, "key"), "The key", CACHE_KEY_BYTES_MAX);
  if (key !== "" && key.isWellFormed()) return key;
  throw new EdgeError("SERVICE_INPUT", "A key is a text that is not empty.");
}

function readValue(value: Value): Uint8Array {
  return limitBytes(readBytes(value, "value"), "The value", CACHE_VALUE_BYTES_MAX);
}

function readTtlMs(value: Value, what: string): number {
  return 1_000 * readInteger(value, what, { min: 1, max: CACHE_TTL_SECONDS_MAX });
}
