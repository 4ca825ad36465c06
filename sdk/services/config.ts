// The configuration of services, per type: the seeds' field names. control/services fills in the defaults and refuses
// what does not fit, so that whoever opens a backend finds every field here as it should be. Secret fields are sealed
// in the registry and never shown; a backend gets them in clear.

/** Of every type: the actor's limits (services/actor.ts). */
export interface ActorConfig {
  readonly concurrency?: number;
  readonly queue?: number;
  readonly timeout_seconds?: number;
}

export interface EmbeddedConfig extends ActorConfig {
  /** Of the cache: what a `set` without a time means, and how many entries are kept. */
  readonly default_ttl_secs: number;
  readonly max_entries: number;
}

export interface SqliteConfig extends ActorConfig {
  readonly path: string;
  readonly create_if_missing: boolean;
}

export interface PostgresConfig extends ActorConfig {
  /** A name, an address, or the folder of a Unix socket; "embedded": the node's own server. */
  readonly host: string;
  readonly port: number;
  /** "" of the node's own server, which has one per scope. */
  readonly database: string;
  readonly username: string;
  readonly password?: string;
  readonly ssl_mode: "disable" | "allow" | "prefer" | "require" | "verify-ca" | "verify-full";
  /** PEM; for verify-ca and verify-full where the system does not know the authority. */
  readonly ssl_ca?: string;
  /** Per worker. */
  readonly pool_size: number;
  readonly statement_timeout_ms: number;
  readonly read_only: boolean;
}

export interface RedisConfig extends ActorConfig {
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  readonly database: number;
  readonly use_tls: boolean;
  /** PEM; where the system does not know the server's authority. */
  readonly tls_ca?: string;
  readonly pool_size: number;
  /** Instead of host and port. "HOST:PORT". */
  readonly sentinels?: readonly string[];
  readonly sentinel_master?: string;
  /** Instead of host and port: some nodes of a cluster. "HOST:PORT". */
  readonly cluster?: readonly string[];
  /** As EmbeddedConfig. */
  readonly default_ttl_secs: number;
}

export interface MemcachedConfig extends ActorConfig {
  /** "HOST:PORT". */
  readonly servers: readonly string[];
  readonly pool_size: number;
  readonly timeout_ms: number;
  readonly default_ttl_secs: number;
}

export interface MinioConfig extends ActorConfig {
  /** "HOST:PORT", or an address with its scheme. */
  readonly endpoint: string;
  readonly access_key: string;
  readonly secret_key: string;
  readonly bucket: string;
  readonly use_ssl: boolean;
  readonly region: string;
  readonly path_style: boolean;
}

export interface EmailConfig extends ActorConfig {
  readonly host: string;
  /** 587 with starttls, 465 with tls, 25 with none. */
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  readonly encryption: "none" | "starttls" | "tls";
  readonly from_address: string;
  readonly from_name?: string;
  readonly reply_to?: string;
  readonly timeout_seconds: number;
  readonly max_retries: number;
  readonly retry_delay_ms: number;
  readonly pool_size: number;
  /** PEM; where the system does not know the server's authority. */
  readonly tls_ca?: string;
}

/** What embedded backends need of the node: a folder of their own, which all workers share. */
export interface ServicePlaces {
  readonly folder: string;
}

/** What the node has one of, whichever services use it. */
export interface SharedPlaces {
  readonly postgres: string;
  /** Signs the addresses of objects in embedded storages. */
  readonly addressKey: Uint8Array;
}
