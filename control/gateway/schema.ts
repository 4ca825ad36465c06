// The configuration file's schema. docs/edge.schema.json is printed from it, for editors.

import { z } from "zod";
import {
  ACCESS_FIELDS,
  ACCESS_FORMATS,
  BALANCES,
  FAILURES,
  type AccessLogConfig,
  type BreakerConfig,
  type Failure,
  type GatewayConfig,
  type HashSource,
  type HealthConfig,
  type RetryConfig,
  type UpstreamConfig,
} from "../../sdk/gateway/config.ts";
import type { ConsumerConfig, PolicyConfig } from "../../sdk/gateway/policies.ts";
import { NAME } from "../../sdk/isolation.ts";
import {
  cidrField,
  count,
  duration,
  flag,
  hashField,
  headerPairs,
  hostField,
  list,
  methodField,
  nameField,
  oneOf,
  serverUrl,
  share,
  size,
  text,
} from "./fields.ts";
import { frontTlsSchema, type FrontTlsFields } from "./front-tls.ts";
import { consumer, CONSUMERS_MAX } from "./policies/consumers.ts";
import { policySchema } from "./policies/schema.ts";
import { faultsSchema } from "../services/faults.ts";
import { serviceJsonSchema, servicesSchema, type ServiceFields } from "../services/file.ts";
import { STORES_MAX, storeSchema, type StoreFields } from "./stores.ts";

/** Of an upstream; the file is sent to every worker whole. */
export const SERVERS_MAX = 256;
export const WEIGHT_MAX = 1_000;
const ROUTES_MAX = 10_000;
const UPSTREAMS_MAX = 1_000;
/** Those of a request that its record holds. */
const LOGFMT_FIELDS = ACCESS_FIELDS.filter(
  (field) => !/^(?:address|userAgent|referer)$/.test(field),
);

const server = z
  .union([serverUrl, z.strictObject({ url: serverUrl, weight: count(0, WEIGHT_MAX).default(1) })], {
    error: "a server's address, or { url, weight }",
  })
  .transform((value) => (typeof value === "string" ? { url: value, weight: 1 } : value));

/** YAML reads 502 as a number. */
const failure = z
  .union([oneOf(FAILURES), z.literal([500, 502, 503, 504])], {
    error: `one of ${FAILURES.join(", ")}`,
  })
  .transform((value): Failure => String(value) as Failure);

const failures = list(failure, "failures", 20);

const STATUSES = "a status or a range such as 200-399";
const statuses = z
  .union([z.int().min(100).max(599), text(STATUSES, /^[1-5]\d\d(?:-[1-5]\d\d)?$/)], {
    error: STATUSES,
  })
  .transform(String)
  .refine((value) => value.slice(0, 3) <= value.slice(-3), { error: STATUSES });

const health = z.strictObject({
  path: text("a path that begins with /", /^\/[!-~]*$/).default("/health"),
  interval: duration(100).default(10_000),
  timeout: duration(10).default(2_000),
  unhealthyAfter: count(1, 100).default(3),
  healthyAfter: count(1, 100).default(2),
  expect: statuses.default("200-399"),
});

const failureRate = z.strictObject({
  share: share(0.01),
  window: duration(1_000).default(10_000),
  minimum: count(1, 1_000_000).default(20),
});

const breaker = z.strictObject({
  failures: count(0, 1_000).optional(),
  rate: failureRate.optional(),
  openFor: duration(10).default(30_000),
  openForMax: duration(10).optional(),
  on: failures.default(["connect", "reset", "timeout", "502", "503", "504"]),
  maxOpen: share(0).default(1),
});

const retry = z.strictObject({
  attempts: count(1, 10).default(3),
  on: failures.default(["connect", "reset", "502", "503", "504"]),
  perTryTimeout: duration(10).optional(),
  backoff: duration(0).default(25),
  budget: share(0).default(0.2),
  bodyLimit: size().default(64 * 1024),
});

const timeout = z.strictObject({
  connect: duration().default(5_000),
  firstByte: duration().default(30_000),
  idle: duration().default(60_000),
  total: duration().optional(),
});

const tls = z.strictObject({
  ca: text("a file with certificates in PEM").optional(),
  serverName: text("a host name").optional(),
  cert: text("a file with a certificate in PEM").optional(),
  key: text("a file with a key in PEM").optional(),
  verify: flag().default(true),
});

/** Files, not read yet. */
export interface TlsFiles {
  readonly ca?: string | undefined;
  readonly serverName?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly verify: boolean;
}

export type UpstreamFields = Omit<UpstreamConfig, "name" | "tls"> & { readonly tls: TlsFiles };

const stickyCookie = z.strictObject({
  cookie: text("a cookie's name", /^[\w!#$%&'*+.^`|~-]{1,128}$/),
});

const upstreamFields = z.strictObject({
  /** Empty where all of them register themselves. */
  servers: list(server, "servers", SERVERS_MAX),
  balance: oneOf(BALANCES).default("round-robin"),
  hash: z.strictObject({ on: hashField }).optional(),
  sticky: stickyCookie.optional(),
  health: health.optional(),
  breaker: z
    .union([breaker, z.literal(false)], { error: "breaker settings, or false" })
    .prefault({}),
  retry: z.union([retry, z.literal(false)], { error: "retry settings, or false" }).prefault({}),
  timeout: timeout.prefault({}),
  host: hostField.default("upstream"),
  maxConnections: count(1, 65_535).default(1_024),
  keepAlive: duration().default(4_000),
  requestsPerConnection: count(0, 1_000_000_000).default(0),
  panic: share(0).default(0),
  slowStart: duration(0).optional(),
  tls: tls.prefault({}),
  http2: flag().default(false),
});

const upstream: z.ZodType<UpstreamFields, unknown> = upstreamFields.transform((fields, context) => {
  if (fields.balance === "hash" && fields.hash === undefined) {
    const message = "what to hash, as in { on: ip } or { on: header:x-user }";
    context.addIssue({ code: "custom", path: ["hash"], message });
  }
  return {
    servers: fields.servers,
    balance: fields.balance,
    hash: fields.hash?.on ?? { kind: "ip" as const, name: "" },
    cookie: fields.sticky?.cookie ?? "edge_server",
    health: fields.health === undefined ? null : healthOf(fields.health),
    breaker: fields.breaker === false ? null : breakerOf(fields.breaker),
    retry: retryOf(fields.retry),
    timeout: {
      connectMs: fields.timeout.connect,
      firstByteMs: fields.timeout.firstByte,
      idleMs: fields.timeout.idle,
      totalMs: fields.timeout.total ?? 0,
    },
    host: fields.host,
    maxConnections: fields.maxConnections,
    keepAliveMs: fields.keepAlive,
    requestsPerConnection: fields.requestsPerConnection,
    panic: fields.panic,
    slowStartMs: fields.slowStart ?? 0,
    tls: fields.tls,
    http2: fields.http2,
  };
});

function healthOf(fields: z.output<typeof health>): HealthConfig {
  const { path, interval, timeout: timeoutMs, unhealthyAfter, healthyAfter, expect } = fields;
  const [from = "200", to = from] = expect.split("-");
  return {
    path,
    intervalMs: interval,
    timeoutMs,
    unhealthyAfter,
    healthyAfter,
    statusMin: Number(from),
    statusMax: Number(to),
  };
}

function breakerOf(fields: z.output<typeof breaker>): BreakerConfig {
  const { failures: after, rate, openFor, openForMax, on, maxOpen } = fields;
  return {
    // Where a share is given, some in a row are part of it.
    failures: after ?? (rate === undefined ? 3 : 0),
    rate:
      rate === undefined
        ? null
        : { share: rate.share, windowMs: rate.window, minimum: rate.minimum },
    openForMs: openFor,
    openForMaxMs: Math.max(openFor, openForMax ?? 0),
    on,
    maxOpen,
  };
}

function retryOf(fields: z.output<typeof retry> | false): RetryConfig {
  if (fields === false) {
    return { attempts: 1, on: [], perTryMs: 0, backoffMs: 0, budget: 0, bufferBytes: 0 };
  }
  const { attempts, on, perTryTimeout, backoff, budget, bodyLimit } = fields;
  return {
    attempts,
    on,
    perTryMs: perTryTimeout ?? 0,
    backoffMs: backoff,
    budget,
    bufferBytes: bodyLimit,
  };
}

const match = z.strictObject({
  host: text("a host such as api.example.com or *.example.com").default("*"),
  path: text('a path pattern such as "/users/*"'),
  methods: list(methodField, "methods", 20).default([]),
});

const TARGET = "one target: upstream, endpoint, redirect, respond or split";
/** More are no experiment any more. */
const PARTS_MAX = 20;
const PATH = text("a path that begins with /", /^\/[!"$->@-~]*$/);

const targetFields = {
  upstream: nameField.optional(),
  endpoint: nameField.optional(),
  stripPrefix: PATH.optional(),
  addPrefix: PATH.optional(),
  rewrite: text("a path that begins with /", /^\/[!"$->@-~]*$/).optional(),
  redirect: text("an address or a path", /^[!-~]+$/).optional(),
  status: count(300, 399).optional(),
  respond: z
    .strictObject({
      status: count(200, 599).default(200),
      headers: headerPairs.default([]),
      body: z.string({ error: "a text" }).default(""),
    })
    .optional(),
};

const part = z.strictObject({ weight: count(0, 1_000).default(1), ...targetFields });

const target = z.strictObject(
  {
    ...targetFields,
    split: list(part, "targets", PARTS_MAX).optional(),
    by: hashField.optional(),
    sticky: stickyCookie.optional(),
  },
  { error: TARGET },
);

export interface TargetFields extends SingleTargetFields {
  readonly split?: readonly (SingleTargetFields & { readonly weight: number })[] | undefined;
  readonly by?: HashSource | undefined;
  readonly sticky?: { readonly cookie: string } | undefined;
}

export interface SingleTargetFields {
  readonly upstream?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly stripPrefix?: string | undefined;
  readonly addPrefix?: string | undefined;
  readonly rewrite?: string | undefined;
  readonly redirect?: string | undefined;
  readonly status?: number | undefined;
  readonly respond?:
    | { readonly status: number; readonly headers: [string, string][]; readonly body: string }
    | undefined;
}

export interface RouteFields {
  readonly name?: string | undefined;
  readonly match: {
    readonly host: string;
    readonly path: string;
    readonly methods: readonly string[];
  };
  readonly target: TargetFields;
  readonly policies: readonly PolicyConfig[];
}

const route: z.ZodType<RouteFields, unknown> = z.strictObject({
  name: nameField.optional(),
  match,
  target,
  policies: list(policySchema, "policies", 50).default([]),
});

export interface GatewayFields {
  readonly upstreams: Readonly<Record<string, UpstreamFields>>;
  readonly routes: readonly RouteFields[];
  readonly policies: readonly PolicyConfig[];
  readonly trustedProxies: readonly string[];
  readonly proxyProtocol: { readonly from: readonly string[] };
  readonly tls?: FrontTlsFields | undefined;
  readonly consumers: Readonly<Record<string, Omit<ConsumerConfig, "name">>>;
  readonly stores: Readonly<Record<string, StoreFields>>;
  readonly accessLog: AccessLogConfig;
  readonly services: Readonly<Record<string, ServiceFields>>;
  readonly faults: GatewayConfig["faults"];
}

const accessLog = z
  .strictObject({
    format: oneOf(ACCESS_FORMATS).default("json"),
    fields: list(oneOf(ACCESS_FIELDS), "fields", ACCESS_FIELDS.length).default([]),
    sample: share(0).default(1),
  })
  .refine(({ format, fields }) => format !== "combined" || fields.length === 0, {
    path: ["fields"],
    error: "nothing here: combined has fields of its own",
  })
  .transform(({ format, fields, sample }): AccessLogConfig => {
    // Without fields JSON is what it always was.
    const all = format === "logfmt" && fields.length === 0 ? LOGFMT_FIELDS : fields;
    return { format, fields: all, share: sample };
  });

export const gatewaySchema: z.ZodType<GatewayFields, unknown> = z.strictObject(
  {
    upstreams: z
      .record(nameField, upstream, { error: "upstreams by name" })
      .refine((all) => Object.keys(all).length <= UPSTREAMS_MAX, {
        error: `at most ${UPSTREAMS_MAX} upstreams`,
      })
      .default({}),
    routes: list(route, "routes", ROUTES_MAX).default([]),
    policies: list(policySchema, "policies", 50).default([]),
    trustedProxies: list(cidrField, "networks").default([]),
    proxyProtocol: z
      .strictObject({ from: list(cidrField, "networks") }, { error: "{ from: networks }" })
      .prefault({ from: [] }),
    tls: frontTlsSchema.optional(),
    accessLog: accessLog.prefault({}),
    consumers: z
      .record(nameField, consumer, { error: "consumers by name" })
      .refine((all) => Object.keys(all).length <= CONSUMERS_MAX, {
        error: `at most ${CONSUMERS_MAX} consumers`,
      })
      .default({}),
    stores: z
      .record(nameField, storeSchema, { error: "stores by name" })
      .refine((all) => Object.keys(all).length <= STORES_MAX, {
        error: `at most ${STORES_MAX} stores`,
      })
      .default({}),
    services: servicesSchema.default({}),
    faults: z
      .record(text("an endpoint's name", NAME), faultsSchema, { error: "endpoints by name" })
      .default({}),
  },
  {
    error:
      "upstreams, routes, policies, consumers, stores, services, faults, trustedProxies, proxyProtocol, tls, accessLog",
  },
);

/** For editors: what a file may hold, before defaults are filled in. */
export function gatewayJsonSchema(): object {
  return z.toJSONSchema(gatewaySchema, {
    io: "input",
    override: ({ zodSchema, jsonSchema }) => {
      const service = serviceJsonSchema(zodSchema);
      if (service === null) return;
      for (const key of Object.keys(jsonSchema)) Reflect.deleteProperty(jsonSchema, key);
      Object.assign(jsonSchema, service);
    },
  });
}
