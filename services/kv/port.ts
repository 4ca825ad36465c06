// The calls of a KV binding (runtime/guest/services/kv.ts makes them): checks what they say and asks the backend.
//
//   get     [keys, asText]                       -> a list of null | [value, metadata]; short values as text
//   put     [key, value, { expiresAtMs, ttlSeconds, metadata }]
//   delete  [keys]
//   list    [{ prefix, limit, cursor }]          -> { keys: [[name, expiresAtMs, metadata]], cursor }

import { EdgeError } from "../../sdk/errors.ts";
import {
  KV_BULK_MAX,
  KV_KEY_BYTES_MAX,
  KV_LIST_MAX,
  KV_METADATA_BYTES_MAX,
  KV_TTL_SECONDS_MIN,
  KV_VALUE_BYTES_MAX,
  type KvBackend,
  type KvEntry,
} from "../../sdk/services/kv.ts";
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
  readFields,
  readInteger,
  readList,
  readText,
  type Fields,
} from "../arguments.ts";
import { createPort } from "../port.ts";
import { shortText } from "../short-text.ts";

/** Ten thousand years: what a date can say, and more than anybody means. */
const EXPIRES_AT_MS_MAX = 253_402_300_800_000;
const TTL_SECONDS_MAX: number = EXPIRES_AT_MS_MAX / 1_000;

export interface KvPortOptions {
  readonly actor: ServiceActor<KvBackend>;
  readonly namespace: string;
  /** The endpoint. */
  readonly caller: string;
  /** The wall clock. */
  readonly now: () => number;
}

export function createKvPort({ actor, namespace, caller, now }: KvPortOptions): ServicePort {
  const ask = <T>(
    { signal }: CallContext,
    work: (backend: KvBackend, signal: AbortSignal) => Promise<T>,
  ): Promise<T> => actor.run(work, { caller, signal });

  return createPort({
    now: {
      get([keys, asText], context) {
        const names = readKeys(keys);
        const found = actor.runNow((kv) => kv.getNow?.(namespace, names) ?? null);
        return found && { value: answerOf(context, found, asText) };
      },
    },
    methods: {
      async get([keys, asText], context) {
        const names = readKeys(keys);
        const found = await ask(context, (kv, signal) => kv.get(namespace, names, signal));
        return answerOf(context, found, asText);
      },
      async put([key, value, options], context) {
        const fields = readFields(options, "options");
        const put = {
          key: readKey(key),
          value: limitBytes(readBytes(value, "value"), "The value", KV_VALUE_BYTES_MAX),
          metadata: optional(fields["metadata"], "metadata", readMetadata),
          expiresAtMs: readExpiry(fields, now()),
        };
        await ask(context, (kv, signal) => kv.put(namespace, put, signal));
        return undefined;
      },
      async delete([keys], context) {
        const names = readKeys(keys);
        await ask(context, (kv, signal) => kv.delete(namespace, names, signal));
        return undefined;
      },
      async list([options], context) {
        const fields = readFields(options, "options");
        const query = {
          prefix: optional(fields["prefix"], "prefix", readText) ?? "",
          cursor: optional(fields["cursor"], "cursor", readText),
          limit: optional(fields["limit"], "limit", readLimit) ?? KV_LIST_MAX,
        };
        const { keys, cursor } = await ask(context, (kv, signal) =>
          kv.list(namespace, query, signal),
        );
        return {
          keys: keys.map(({ name, expiresAtMs, metadata }) => [name, expiresAtMs, metadata]),
          cursor,
        };
      },
    },
  });
}

function answerOf(
  context: Pick<CallContext, "hold">,
  found: readonly (KvEntry | null)[],
  asText: Value,
): Value {
  for (const entry of found) holdOrRefuse(context, "The values are", entry?.value.byteLength ?? 0);
  const valueOf = asText === true ? shortText : (value: Uint8Array): Uint8Array => value;
  return found.map((entry) => entry && [valueOf(entry.value), entry.metadata]);
}

function readKeys(value: Value): readonly string[] {
  return limitCount(readList(value, "keys"), "keys", KV_BULK_MAX).map(readKey);
}

function readKey(value: Value): string {
  const key = limitText(readText(value, "key"), "The key", KV_KEY_BYTES_MAX);
  if (key !== "" && key !== "." && key !== ".." && key.isWellFormed()) return key;
  throw new EdgeError("SERVICE_INPUT", `A key is a text that is not "", "." or "..".`);
}

function readMetadata(value: Value, what: string): string {
  return limitText(readText(value, what), "The metadata", KV_METADATA_BYTES_MAX);
}

function readLimit(value: Value, what: string): number {
  return readInteger(value, what, { min: 1, max: KV_LIST_MAX });
}

function readExpiry(fields: Fields, nowMs: number): number | null {
  const ttl = optional(fields["ttlSeconds"], "expirationTtl", (value, what) =>
    readInteger(value, what, { min: KV_TTL_SECONDS_MIN, max: TTL_SECONDS_MAX }),
  );
  if (ttl !== null) return nowMs + 1_000 * ttl;
  const at = optional(fields["expiresAtMs"], "expiration", (value, what) =>
    readInteger(value, what, { min: 0, max: EXPIRES_AT_MS_MAX }),
  );
  if (at === null || at >= nowMs + 1_000 * KV_TTL_SECONDS_MIN) return at;
  const text = `expiration lies less than ${KV_TTL_SECONDS_MIN} s in the future.`;
  throw new EdgeError("SERVICE_INPUT", text);
}
