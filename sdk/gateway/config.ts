// The gateway's configuration in normal form: what control/gateway makes of a file, the supervisor hands to every
// worker and runtime/gateway compiles. All defaults are filled in, all times are milliseconds, all files are read.

import type { JsonObject } from "../errors.ts";
import type { RouteSpec } from "../records.ts";
import type { RedisConfig } from "../services/config.ts";
import type { BindingFaults } from "../services/faults.ts";
import type { ConsumerConfig, PolicyConfig } from "./policies.ts";

export interface GatewayConfig {
  readonly upstreams: readonly UpstreamConfig[];
  readonly routes: readonly GatewayRoute[];
  /** Networks whose X-Forwarded-For is believed, as CIDR. */
  readonly trustedProxies: readonly string[];
  /** Networks whose connections begin with a PROXY header, as CIDR. */
  readonly proxyProtocol: readonly string[];
  /** null: the node does not speak TLS. */
  readonly tls: FrontTls | null;
  readonly consumers: readonly ConsumerConfig[];
  readonly stores: readonly StoreConfig[];
  readonly accessLog: AccessLogConfig;
  /** What is made to fail on purpose, by endpoint. */
  readonly faults: { readonly [endpoint: string]: BindingFaults };
}

export const ACCESS_FORMATS = ["json", "logfmt", "combined"] as const;

export const ACCESS_FIELDS = [
  "time",
  "id",
  "address",
  "method",
  "host",
  "path",
  "status",
  "outcome",
  "endpoint",
  "consumer",
  "us",
  "bytes",
  "userAgent",
  "referer",
] as const;
export type AccessField = (typeof ACCESS_FIELDS)[number];

export interface AccessLogConfig {
  readonly format: (typeof ACCESS_FORMATS)[number];
  /** None: those that every node has. */
  readonly fields: readonly AccessField[];
  /** Of requests that went well; all others are in it. */
  readonly share: number;
}

export const ACCESS_LOG: AccessLogConfig = { format: "json", fields: [], share: 1 };

export const EMPTY_GATEWAY: GatewayConfig = {
  upstreams: [],
  routes: [],
  trustedProxies: [],
  proxyProtocol: [],
  tls: null,
  consumers: [],
  stores: [],
  accessLog: ACCESS_LOG,
  faults: {},
};

export const STORE_FAILURES = ["open", "closed", "local"] as const;

/** A Redis in which several nodes count together. */
export interface StoreConfig {
  readonly name: string;
  readonly redis: RedisConfig;
  /** Of a decision. */
  readonly timeoutMs: number;
  /** Without it requests pass, are refused, or are counted by this node alone. */
  readonly onFailure: (typeof STORE_FAILURES)[number];
}

/** How the node itself speaks TLS. */
export interface FrontTls {
  /** At least one; the first is for clients that name no host, or one that no other is for. */
  readonly certificates: readonly FrontCertificate[];
  readonly minVersion: TlsVersion;
  /** Of clients; what is not `none` needs the node listener. */
  readonly clientAuth: ClientAuth;
  /** Authorities that vouch for clients, PEM; "" with `none`. */
  readonly clientCa: string;
  /** Absolute; "" with `none`. */
  readonly clientCaFile: string;
  /** Port in the address that plain requests are sent to; 0: that of the TLS listener; null: they are answered. */
  readonly redirectPort: number | null;
  /** Value of Strict-Transport-Security; "": not sent. */
  readonly hsts: string;
}

export const CLIENT_AUTHS = ["none", "request", "require"] as const;
export type ClientAuth = (typeof CLIENT_AUTHS)[number];

export const TLS_VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;
export type TlsVersion = (typeof TLS_VERSIONS)[number];

export interface FrontCertificate {
  /** Names it is for, lower case, as a.example or *.example. */
  readonly hosts: readonly string[];
  /** Chain and key, PEM. */
  readonly cert: string;
  readonly key: string;
  /** Where they were read, absolute; "" for what no file has. */
  readonly certFile: string;
  readonly keyFile: string;
}

export interface ServerConfig {
  /** "http://HOST:PORT", "https://HOST:PORT" or "unix:/PATH"; nothing behind the port. */
  readonly url: string;
  readonly weight: number;
}

export const BALANCES = [
  "round-robin",
  "weighted",
  "least-connections",
  "p2c",
  "random",
  "hash",
  "sticky",
] as const;
export type Balance = (typeof BALANCES)[number];

/** Where the text that decides comes from. */
export interface HashSource {
  readonly kind: "ip" | "header" | "cookie";
  /** Of the header or cookie. */
  readonly name: string;
}

export interface UpstreamConfig {
  readonly name: string;
  readonly servers: readonly ServerConfig[];
  readonly balance: Balance;
  /** Of `hash`. */
  readonly hash: HashSource;
  /** Name of the cookie of `sticky`. */
  readonly cookie: string;
  readonly health: HealthConfig | null;
  readonly breaker: BreakerConfig | null;
  readonly retry: RetryConfig;
  readonly timeout: UpstreamTimeouts;
  /** What the upstream sees as Host: "upstream", "preserve" or a name. */
  readonly host: string;
  /** Of requests that are open at once, to each server, in each worker. */
  readonly maxConnections: number;
  readonly keepAliveMs: number;
  /** 0: as many as there are. */
  readonly requestsPerConnection: number;
  /** Below this share of usable servers all are used; 0: never. */
  readonly panic: number;
  /** How long a server that came back is given less; 0: not. */
  readonly slowStartMs: number;
  readonly tls: TlsConfig;
  /** Spoken to servers: agreed on over TLS, taken for granted without. */
  readonly http2: boolean;
}

export interface HealthConfig {
  readonly path: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly unhealthyAfter: number;
  readonly healthyAfter: number;
  readonly statusMin: number;
  readonly statusMax: number;
}

export const FAILURES = ["connect", "reset", "timeout", "500", "502", "503", "504"] as const;
/** How an attempt can fail. */
export type Failure = (typeof FAILURES)[number];

export interface BreakerConfig {
  /** Consecutive ones, over all workers; 0: however many. */
  readonly failures: number;
  /** null: the share of failures does not matter. */
  readonly rate: FailureRate | null;
  readonly openForMs: number;
  /** Each probe that fails doubles `openForMs`, up to this. */
  readonly openForMaxMs: number;
  readonly on: readonly Failure[];
  /** Share of servers that may be open at once; the first always may. */
  readonly maxOpen: number;
}

export interface FailureRate {
  /** Of requests within the window. */
  readonly share: number;
  readonly windowMs: number;
  /** Fewer say nothing. */
  readonly minimum: number;
}

export interface RetryConfig {
  /** With the first one. */
  readonly attempts: number;
  readonly on: readonly Failure[];
  /** 0: none of its own. */
  readonly perTryMs: number;
  readonly backoffMs: number;
  /** Retries that may be open at once, as a share of open requests. */
  readonly budget: number;
  /** A longer request body is streamed, and then nothing is tried again. */
  readonly bufferBytes: number;
}

export interface UpstreamTimeouts {
  readonly connectMs: number;
  /** From the request's last byte to the reply's head. */
  readonly firstByteMs: number;
  /** Between two pieces of the reply. */
  readonly idleMs: number;
  /** Of the whole exchange; 0: none. */
  readonly totalMs: number;
}

export interface TlsConfig {
  /** PEM, "" for the system's. */
  readonly ca: string;
  /** "" for the server's host. */
  readonly serverName: string;
  readonly cert: string;
  readonly key: string;
  readonly verify: boolean;
}

export interface GatewayRoute {
  readonly name: string;
  readonly match: RouteSpec;
  readonly target: TargetConfig;
  readonly policies: readonly PolicyConfig[];
}

/** What is done to the path on its way to an upstream or endpoint. */
export interface PathChange {
  /** Segments that are taken away from the front. */
  readonly stripSegments: number;
  /** Put in front; "" for nothing. */
  readonly addPrefix: string;
  /** Takes the path's place; {name} stands for a parameter. null: not. */
  readonly rewrite: string | null;
}

export type TargetConfig = SingleTarget | SplitTarget;

/** Requests go to one of several. */
export interface SplitTarget {
  readonly kind: "split";
  /** Weights are not all 0. */
  readonly parts: readonly { readonly weight: number; readonly target: SingleTarget }[];
  /** The same text, the same part; null: by chance. */
  readonly by: HashSource | null;
  /** That keeps a client at its part; "" for none. */
  readonly cookie: string;
}

export type SingleTarget =
  | { readonly kind: "upstream"; readonly upstream: string; readonly path: PathChange }
  | { readonly kind: "endpoint"; readonly endpoint: string; readonly path: PathChange }
  | { readonly kind: "redirect"; readonly location: string; readonly status: number }
  | {
      readonly kind: "respond";
      readonly status: number;
      readonly headers: readonly (readonly [string, string])[];
      readonly body: string;
    };

/** One thing that is wrong with a configuration file. */
export interface ConfigFault extends JsonObject {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** As routes[0].match.path. */
  readonly field: string;
  readonly problem: string;
  readonly expected: string;
  readonly suggestion: string;
}
