// Which backend serves which kind of which type of service: one row each. Drivers are loaded by the first service that
// needs them: the AWS SDK alone takes longer to load than a worker to start.

import { join } from "node:path";
import { EdgeError } from "../sdk/errors.ts";
import type {
  EmailConfig,
  EmbeddedConfig,
  MemcachedConfig,
  RedisConfig,
  MinioConfig,
  PostgresConfig,
  ServicePlaces,
  SharedPlaces,
  SqliteConfig,
} from "../sdk/services/config.ts";
import type { DatabaseBackend } from "../sdk/services/database.ts";
import type { CacheBackend } from "../sdk/services/cache.ts";
import type { EmailBackend } from "../sdk/services/email.ts";
import type { KvBackend } from "../sdk/services/kv.ts";
import type { QueueBackend } from "../sdk/services/queue.ts";
import type { RateBackend } from "../sdk/services/ratelimit.ts";
import type { StorageBackend } from "../sdk/services/storage.ts";
import { EMBEDDED } from "../sdk/services/built-in.ts";
import { SERVICE_TYPES, type ServiceType } from "../sdk/services/service.ts";

/** What opening a kind gives. */
export interface Backends {
  readonly email: EmailBackend;
  readonly kv: KvBackend;
  readonly database: DatabaseBackend;
  readonly queue: QueueBackend;
  readonly storage: StorageBackend;
  readonly cache: CacheBackend;
  /** Embedded only: what it counts is this node's. */
  readonly ratelimit: RateBackend;
}

export type BackendKind = keyof Backends;

export interface OpenOptions {
  /** The service's. */
  readonly id: string;
  readonly places: ServicePlaces;
  readonly shared: SharedPlaces;
  /** For the node's log. */
  readonly notice: (text: string) => void;
  readonly signal: AbortSignal;
}

/** `config`: whole and in clear, as the schema of its type (control/services) leaves it. */
type Open<B> = (config: never, options: OpenOptions) => Promise<B>;

type Openers = {
  readonly [kind in BackendKind]: { readonly [type in ServiceType]?: Open<Backends[kind]> };
};

const OPENERS: Openers = {
  email: {
    email: async (config: EmailConfig) => (await import("./email/smtp.ts")).openSmtp(config),
    embedded: async (config: EmbeddedConfig, options) =>
      (await import("./email/outbox.ts")).openOutbox(config, options),
  },
  queue: {
    embedded: async (_config: object, options) =>
      (await import("./queue/lmdb.ts")).openLmdbQueue(options),
    redis: async (config: RedisConfig, options) =>
      (await import("./queue/redis.ts")).openRedisQueue(config, options),
  },
  kv: {
    embedded: async (_config: EmbeddedConfig, { places }) =>
      (await import("./kv/lmdb.ts")).openLmdbKv({ places }),
    redis: async (config: RedisConfig, { signal }) =>
      (await import("./kv/redis.ts")).openRedisKv(config, signal),
  },
  cache: {
    embedded: async (config: EmbeddedConfig, options) =>
      (await import("./cache/lmdb.ts")).openLmdbCache(config, options),
    redis: async (config: RedisConfig, { signal }) =>
      (await import("./cache/redis.ts")).openRedisCache(config, signal),
    memcached: async (config: MemcachedConfig, { signal }) =>
      (await import("./cache/memcached-cache.ts")).openMemcached(config, signal),
  },
  ratelimit: {
    embedded: async (_config: object, options) =>
      (await import("./ratelimit/lmdb.ts")).openLmdbRates(options),
  },
  database: {
    async embedded(_config: object, { places }) {
      const { openSqlite } = await import("./database/sqlite.ts");
      return openSqlite({ place: { folder: join(places.folder, "sqlite") } });
    },
    async sqlite({ path, create_if_missing: create }: SqliteConfig) {
      const { openSqlite } = await import("./database/sqlite.ts");
      return openSqlite({ place: { path, create } });
    },
    async postgres(config: PostgresConfig, { id, shared, notice, signal }) {
      if (config.host !== EMBEDDED) {
        return (await import("./database/postgres.ts")).openPostgres(config, { signal });
      }
      const place = { folder: shared.postgres, notice };
      const { openEmbeddedPostgres } = await import("./database/embedded-postgres.ts");
      return openEmbeddedPostgres(config, { service: id, place });
    },
  },
  storage: {
    async embedded(_config: object, { id, places, shared }) {
      const [{ openDisk }, { createPresign }] = await Promise.all([
        import("./storage/disk.ts"),
        import("./storage/disk/address.ts"),
      ]);
      const presign = createPresign(shared.addressKey, { service: id, now: Date.now });
      return openDisk({ folder: join(places.folder, "storage"), presign });
    },
    minio: async (config: MinioConfig) => (await import("./storage/s3.ts")).openS3(config),
  },
};

export interface OpenRequest extends OpenOptions {
  readonly type: ServiceType;
  readonly config: object;
}

/** Rejects with an EdgeError of the SERVICE codes. */
export async function openService<K extends BackendKind>(
  kind: K,
  { type, config, ...options }: OpenRequest,
): Promise<Backends[K]> {
  const open: Open<Backends[K]> | undefined = OPENERS[kind][type];
  if (open !== undefined) return open(config as never, options);
  throw new EdgeError("SERVICE_UNAVAILABLE", `This release opens no ${kind} on ${type}.`);
}

/** The kind that a service of the type is opened as when it is only to be asked whether it answers. */
export function probedKind(type: ServiceType): BackendKind | null {
  const opened = SERVICE_TYPES[type].find(
    (kind) => kind in OPENERS && OPENERS[kind as BackendKind][type] !== undefined,
  );
  return (opened as BackendKind | undefined) ?? null;
}
