// What a service's configuration may hold, per type: the seeds' fields and defaults (sdk/services/config.ts says what
// they mean), as schemas that fill in what is left out and refuse what nobody reads.

import { z } from "zod";
import { EdgeError, type JsonObject } from "../../sdk/errors.ts";
import type {
  ActorConfig,
  EmailConfig,
  EmbeddedConfig,
  MemcachedConfig,
  MinioConfig,
  PostgresConfig,
  RedisConfig,
  SqliteConfig,
} from "../../sdk/services/config.ts";
import { EMBEDDED } from "../../sdk/services/built-in.ts";
import { SERVICE_TYPES, TYPE_ALIASES, type ServiceType } from "../../sdk/services/service.ts";
import { parseInput } from "../parse.ts";
import { referenceOf } from "./sealing.ts";

/** A connection string's worth; certificates are longer. */
const TEXT_CHARS_MAX = 1_024;
const PEM_CHARS_MAX = 65_536;
const PORT_MAX = 65_535;
/** Connections of one pool in one worker: servers take some hundreds of all clients together. */
const POOL_SIZE_MAX = 100;
const SERVERS_MAX = 64;
/** Time-outs beyond a handler's longest life wait for nobody. */
const TIMEOUT_SECONDS_MAX = 3_600;
const TTL_SECONDS_MAX = 315_360_000;
const ENTRIES_MAX = 10_000_000;
const RETRIES_MAX = 20;
const CALLS_MAX = 1_000;
const QUEUE_MAX = 100_000;

const text = z.string().min(1).max(TEXT_CHARS_MAX);
const pem = z.string().min(1).max(PEM_CHARS_MAX);
const port = z.int().min(1).max(PORT_MAX);
const poolSize = z.int().min(1).max(POOL_SIZE_MAX);
const milliseconds = z
  .int()
  .min(1)
  .max(1_000 * TIMEOUT_SECONDS_MAX);
const seconds = z.number().positive().max(TIMEOUT_SECONDS_MAX);
const ttl = z.int().min(1).max(TTL_SECONDS_MAX);
const server = z.string().regex(/^[^\s:/]+:\d{1,5}$|^\[[\da-fA-F:.]+\]:\d{1,5}$/, "HOST:PORT");
const servers = z.array(server).min(1).max(SERVERS_MAX);

const actor = {
  concurrency: z.int().min(1).max(CALLS_MAX).exactOptional(),
  queue: z.int().min(0).max(QUEUE_MAX).exactOptional(),
  timeout_seconds: seconds.exactOptional(),
};

const embedded: z.ZodType<EmbeddedConfig, unknown> = z.strictObject({
  ...actor,
  default_ttl_secs: ttl.default(3_600),
  max_entries: z.int().min(1).max(ENTRIES_MAX).default(10_000),
});

const sqlite: z.ZodType<SqliteConfig, unknown> = z.strictObject({
  ...actor,
  path: text,
  create_if_missing: z.boolean().default(true),
});

const postgres: z.ZodType<PostgresConfig, unknown> = z
  .strictObject({
    ...actor,
    host: text,
    port: port.default(5_432),
    // "" is what it is stored as where there is none.
    database: z.string().max(TEXT_CHARS_MAX).default(""),
    username: z.string().max(TEXT_CHARS_MAX).default(""),
    password: text.exactOptional(),
    ssl_mode: z
      .enum(["disable", "allow", "prefer", "require", "verify-ca", "verify-full"])
      .default("prefer"),
    ssl_ca: pem.exactOptional(),
    pool_size: poolSize.default(10),
    statement_timeout_ms: milliseconds.default(30_000),
    read_only: z.boolean().default(false),
  })
  .superRefine(({ host, ...config }, context) => {
    const isEmbedded = host === EMBEDDED;
    for (const field of ["database", "username"] as const) {
      if ((config[field] === "") === isEmbedded) continue;
      const message = isEmbedded
        ? "the embedded Postgres makes a database for each scope"
        : "expected text";
      context.addIssue({ code: "custom", message, path: [field] });
    }
    for (const field of ["password", "ssl_ca"] as const) {
      if (!isEmbedded || config[field] === undefined) continue;
      context.addIssue({
        code: "custom",
        message: "the embedded Postgres has none",
        path: [field],
      });
    }
  });

const redis: z.ZodType<RedisConfig, unknown> = z
  .strictObject({
    ...actor,
    // "" is what it is stored as where there is none.
    host: z.string().max(TEXT_CHARS_MAX).default(""),
    port: port.default(6_379),
    username: text.exactOptional(),
    password: text.exactOptional(),
    database: z.int().min(0).max(1_023).default(0),
    use_tls: z.boolean().default(false),
    tls_ca: pem.exactOptional(),
    pool_size: poolSize.default(10),
    sentinels: servers.exactOptional(),
    sentinel_master: text.exactOptional(),
    cluster: servers.exactOptional(),
    default_ttl_secs: ttl.default(3_600),
  })
  .refine(
    ({ host, sentinels, cluster }) =>
      [host !== "", sentinels !== undefined, cluster !== undefined].filter(Boolean).length === 1,
    { message: "one of host, sentinels and cluster is needed, and only one", path: ["host"] },
  )
  .refine((config) => (config.sentinels === undefined) === (config.sentinel_master === undefined), {
    message: "sentinels and sentinel_master go together",
    path: ["sentinel_master"],
  });

const memcached: z.ZodType<MemcachedConfig, unknown> = z.strictObject({
  ...actor,
  servers,
  pool_size: poolSize.default(5),
  timeout_ms: milliseconds.default(1_000),
  default_ttl_secs: ttl.default(3_600),
});

const minio: z.ZodType<MinioConfig, unknown> = z
  .strictObject({
    ...actor,
    endpoint: text,
    access_key: text,
    secret_key: text,
    bucket: text,
    use_ssl: z.boolean().exactOptional(),
    region: text.default("us-east-1"),
    path_style: z.boolean().default(true),
  })
  .transform(({ use_ssl: asked = true, ...config }) => {
    const [, scheme] = /^(https?):\/\//.exec(config.endpoint) ?? [];
    return { ...config, use_ssl: scheme === undefined ? asked : scheme === "https" };
  });

const SMTP_PORTS = { none: 25, starttls: 587, tls: 465 } as const;

const email: z.ZodType<EmailConfig, unknown> = z
  .strictObject({
    ...actor,
    host: text,
    port: port.exactOptional(),
    username: text.exactOptional(),
    password: text.exactOptional(),
    encryption: z.enum(["none", "starttls", "tls"]).default("starttls"),
    from_address: text,
    from_name: text.exactOptional(),
    reply_to: text.exactOptional(),
    timeout_seconds: seconds.default(30),
    max_retries: z.int().min(0).max(RETRIES_MAX).default(3),
    retry_delay_ms: milliseconds.default(1_000),
    pool_size: poolSize.default(5),
    tls_ca: pem.exactOptional(),
  })
  .transform((config) => ({ ...config, port: config.port ?? SMTP_PORTS[config.encryption] }));

export const CONFIG_SCHEMAS: Readonly<Record<ServiceType, z.ZodType<ActorConfig, unknown>>> = {
  embedded,
  sqlite,
  postgres,
  redis,
  memcached,
  minio,
  email,
};

/** Under all of their names. */
export const TYPE_NAMES: readonly string[] = [
  ...Object.keys(SERVICE_TYPES),
  ...Object.keys(TYPE_ALIASES),
];

/** null: it is none, also not under another name. */
export function typeNamed(name: string): ServiceType | null {
  const lower = name.toLowerCase();
  const type = Object.hasOwn(TYPE_ALIASES, lower) ? TYPE_ALIASES[lower] : lower;
  return type !== undefined && Object.hasOwn(SERVICE_TYPES, type) ? (type as ServiceType) : null;
}

/** Throws INPUT_INVALID for a type that is none. */
export function parseType(name: string): ServiceType {
  const type = typeNamed(name);
  if (type !== null) return type;
  const problem = `"${name}" is no type of service; there are ${TYPE_NAMES.join(", ")}`;
  const detail = { fields: [{ field: "service_type", text: problem }] };
  throw new EdgeError("INPUT_INVALID", `service_type: ${problem}`, { detail });
}

/** Whole and with defaults. Throws INPUT_INVALID, which names every field that is wrong, as "config.port". */
export function parseConfig(type: ServiceType, input: JsonObject): JsonObject {
  assertReferences(input);
  const schema = z.strictObject({ config: CONFIG_SCHEMAS[type] });
  return parseInput(schema, { config: input }).config as unknown as JsonObject;
}

function assertReferences(config: JsonObject): void {
  for (const [field, value] of Object.entries(config)) {
    if (typeof value !== "string" || !value.includes("${secret:") || referenceOf(value) !== null) {
      continue;
    }
    const problem = "${secret:NAME} stands for the whole text, or not at all";
    const detail = { fields: [{ field: `config.${field}`, text: problem }] };
    throw new EdgeError("INPUT_INVALID", `config.${field}: ${problem}`, { detail });
  }
}
