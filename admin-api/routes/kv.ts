// Keys of KV namespaces by an operator, values up to 4 MiB. `{name}` is a namespace as bindings name it, or a service
// with `?scope=`. Whatever is no UTF-8 text goes in and out as `base64` instead of `value`.

import { isUtf8 } from "node:buffer";
import type { Hono } from "hono";
import { parseInput } from "../../control/parse.ts";
import { EdgeError, type Json, type JsonObject } from "../../sdk/errors.ts";
import { OPERATOR_BYTES_MAX } from "../../sdk/services/service.ts";
import type { Value } from "../../sdk/services/values.ts";
import { readJson } from "../body.ts";
import type { AdminDeps } from "../deps.ts";
import { succeed, type AdminContext, type AdminEnv } from "../envelope.ts";
import { findPart } from "../part.ts";
import { kvPutSchema } from "../schemas.ts";

const KEYS = "/api/kv/:name/keys";
const VALUE = "/api/kv/:name/values/:key{.+}";
/** As base64 in JSON, and the fields beside it. */
const BODY_BYTES_MAX: number = Math.ceil((OPERATOR_BYTES_MAX * 4) / 3) + 64 * 1_024;

/** As services/kv/port.ts gives it. */
interface Listing {
  readonly keys: readonly (readonly [
    name: string,
    expiresAtMs: number | null,
    metadata: string | null,
  ])[];
  readonly cursor: string | null;
}

export function addKvRoutes(app: Hono<AdminEnv>, deps: AdminDeps): void {
  const ask = (context: AdminContext, method: string, args: readonly Value[]): Promise<Value> => {
    const name = context.req.param("name") ?? "";
    const part = findPart(deps, "kv", { name, scope: context.req.query("scope") });
    return deps.callService({ kind: "kv", ...part, method }, args);
  };

  app.get(KEYS, async (context) => {
    const { prefix = null, cursor = null, limit } = context.req.query();
    const options = { prefix, cursor, limit: limit === undefined ? null : Number(limit) };
    const listing = (await ask(context, "list", [options])) as unknown as Listing;
    return succeed(context, { keys: listing.keys.map(keyView), cursor: listing.cursor });
  });

  app.get(VALUE, async (context) => {
    const key = keyOf(context);
    const found = (await ask(context, "get", [[key]])) as readonly Value[];
    if (!Array.isArray(found[0])) throw new EdgeError("KEY_NOT_FOUND");
    const [bytes, metadata] = found[0] as unknown as readonly [Uint8Array, string | null];
    return succeed(context, { key, ...contentOf(bytes), metadata: parsed(metadata) });
  });

  app.put(VALUE, async (context) => {
    const body = await readJson(context.req.raw, BODY_BYTES_MAX);
    const { value, base64, ...more } = parseInput(kvPutSchema, body, {});
    const { metadata, expiration, expiration_ttl: ttlSeconds } = more;
    const key = keyOf(context);
    const bytes = base64 === undefined ? Buffer.from(value ?? "") : Buffer.from(base64, "base64");
    if (bytes.byteLength > OPERATOR_BYTES_MAX) {
      const detail = { bytesMax: OPERATOR_BYTES_MAX };
      throw new EdgeError("BODY_TOO_LARGE", undefined, { detail });
    }
    const options = {
      ...(metadata === undefined ? {} : { metadata: JSON.stringify(metadata) }),
      ...(expiration === undefined ? {} : { expiresAtMs: 1_000 * expiration }),
      ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    };
    await ask(context, "put", [key, bytes, options]);
    return succeed(context, { key, bytes: bytes.byteLength });
  });

  app.delete(VALUE, async (context) => {
    const key = keyOf(context);
    await ask(context, "delete", [[key]]);
    return succeed(context, { key, deleted: true });
  });
}

function keyOf(context: AdminContext): string {
  return context.req.param("key") ?? "";
}

function contentOf(bytes: Uint8Array): JsonObject {
  const buffer = Buffer.from(bytes);
  return isUtf8(buffer)
    ? { value: buffer.toString("utf8") }
    : { base64: buffer.toString("base64") };
}

function keyView([name, expiresAtMs, metadata]: Listing["keys"][number]): JsonObject {
  return {
    name,
    ...(expiresAtMs === null ? {} : { expiration: Math.floor(expiresAtMs / 1_000) }),
    ...(metadata === null ? {} : { metadata: parsed(metadata) }),
  };
}

function parsed(metadata: string | null): Json {
  return metadata === null ? null : (JSON.parse(metadata) as Json);
}
