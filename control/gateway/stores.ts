// Where nodes count together.

import { z } from "zod";
import { STORE_FAILURES, type StoreConfig } from "../../sdk/gateway/config.ts";
import type { PolicyConfig, RateLimitPolicy } from "../../sdk/gateway/policies.ts";
import type { RedisConfig } from "../../sdk/services/config.ts";
import type { Finding } from "./faults.ts";
import { duration, oneOf } from "./fields.ts";
import { nearest } from "./suggestion.ts";
import type { Path } from "./yaml.ts";

export const STORES_MAX = 16;
const URL_TEXT = "a Redis such as redis://10.0.0.5:6379/0, rediss:// for TLS, or a variable";
const PORT = 6_379;
/** Per worker; decisions on one are pipelined. */
const CONNECTIONS = 4;
/** A request waits for it; longer, and the store is down for all that matters. */
const TIMEOUT_MS = 50;

export type StoreFields = Omit<StoreConfig, "name">;

export const storeSchema: z.ZodType<StoreFields, unknown> = z
  .strictObject({
    url: z
      .string({ error: URL_TEXT })
      .max(1_024, URL_TEXT)
      .transform((value, context): RedisConfig => {
        const redis = parseUrl(value);
        if (redis !== null) return redis;
        context.addIssue({ code: "custom", message: URL_TEXT });
        return z.NEVER;
      }),
    timeout: duration(5).default(TIMEOUT_MS),
    onFailure: oneOf(STORE_FAILURES).default("local"),
  })
  .transform(({ url, timeout, onFailure }) => ({ redis: url, timeoutMs: timeout, onFailure }));

/** Before the first slash of the path, which names the database by its number. */
function parseUrl(value: string): RedisConfig | null {
  const url = /^rediss?:\/\//.test(value) && URL.canParse(value) ? new URL(value) : null;
  const database = /^\/?(\d{0,4})$/.exec(url?.pathname ?? "-")?.[1];
  if (url === null || database === undefined || url.hostname === "") return null;
  if (url.search !== "" || url.hash !== "") return null;
  const username = decoded(url.username);
  const password = decoded(url.password);
  if (username === null || password === null) return null;
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? PORT : Number(url.port),
    ...(username !== "" && { username }),
    ...(password !== "" && { password }),
    database: Number(database),
    use_tls: url.protocol === "rediss:",
    pool_size: CONNECTIONS,
    default_ttl_secs: 0,
  };
}

/** null: it is not encoded as addresses are. */
function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** Those that limits name are there. */
export function checkStores(
  policies: readonly PolicyConfig[],
  { path, stores }: { readonly path: Path; readonly stores: readonly string[] },
  found: Finding[],
): void {
  for (const [index, policy] of policies.entries()) {
    if (policy.kind !== "rateLimit" && policy.kind !== "concurrency") continue;
    checkStore(policy, { path: [...path, index, policy.kind], stores }, found);
  }
}

export function checkStore(
  { store }: Pick<RateLimitPolicy, "store">,
  { path, stores }: { readonly path: Path; readonly stores: readonly string[] },
  found: Finding[],
): void {
  if (store === "" || stores.includes(store)) return;
  found.push({
    path: [...path, "store"],
    expected: stores.length === 0 ? "one below stores" : `one of ${stores.join(", ")}`,
    problem: `no store is called "${store}"`,
    suggestion: nearest(store, stores) ?? "",
  });
}
