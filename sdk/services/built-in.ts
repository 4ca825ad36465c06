// Services that every node has, which nobody has to add.

import type { EmbeddedConfig, PostgresConfig } from "./config.ts";
import type { ServiceRecord } from "./service.ts";

/** The service that bindings mean which name none. */
export const EMBEDDED = "embedded";
/** The node's own Postgres (services/database/embedded-postgres.ts). */
export const EMBEDDED_POSTGRES = "embedded-postgres";

/** The defaults of control/services/config.ts. */
const EMBEDDED_CONFIG: EmbeddedConfig = { default_ttl_secs: 3_600, max_entries: 10_000 };
const POSTGRES_CONFIG: PostgresConfig = {
  host: EMBEDDED,
  port: 5_432,
  database: "",
  username: "",
  ssl_mode: "disable",
  pool_size: 10,
  statement_timeout_ms: 30_000,
  read_only: false,
};

const ALWAYS = { state: "available", createdAt: "", updatedAt: "" } as const;

export const BUILT_IN: readonly ServiceRecord[] = [
  { id: EMBEDDED, name: EMBEDDED, type: "embedded", config: { ...EMBEDDED_CONFIG }, ...ALWAYS },
  {
    id: EMBEDDED_POSTGRES,
    name: EMBEDDED_POSTGRES,
    type: "postgres",
    config: { ...POSTGRES_CONFIG },
    ...ALWAYS,
  },
];

/** null: it is one that an operator has added, or none. */
export function builtIn(name: string): ServiceRecord | null {
  return BUILT_IN.find((each) => each.name === name) ?? null;
}

/** A service of type postgres that is the node's own server. */
export function isEmbeddedPostgres({
  type,
  config,
}: Pick<ServiceRecord, "type" | "config">): boolean {
  return type === "postgres" && config["host"] === EMBEDDED;
}
