// Configurations of Ferroway: { server, routes: [{ path, backends, auth_required }], rate_limit, auth, cors }.

import { z } from "zod";
import { count, flag, list, serverUrl, text } from "../fields.ts";
import { flow, nameOf, quoted, Raw, type Draft, type DraftRoute, type Notes } from "./draft.ts";
import { jwtPolicy, PORT_MAX, prefixField, secretField, type Source } from "./source.ts";

const HOST = "a host's name or address";

const backend = z
  .union(
    [
      serverUrl,
      z.object({ url: serverUrl }),
      z.object({ host: text(HOST), port: count(1, PORT_MAX).default(80) }),
    ],
    { error: "a backend's address, { url } or { host, port }" },
  )
  .transform((value) => {
    if (typeof value === "string") return value;
    if ("url" in value) return value.url;
    return value.port === 80 ? `http://${value.host}` : `http://${value.host}:${value.port}`;
  });

const TOKENS = "a number of at least 1";
const RATE = "a number above 0";
const SECONDS = "seconds, from 0.1 to 86400";
const seconds = z.number({ error: SECONDS }).min(0.1, SECONDS).max(86_400, SECONDS);

const strings = list(text("a text"), "texts", 100);

export interface Ferroway {
  readonly server: {
    readonly host?: string | undefined;
    readonly port?: number | undefined;
    readonly health_check_interval_secs?: number | undefined;
  };
  readonly routes: readonly {
    readonly path: string;
    readonly backends: readonly string[];
    readonly auth_required: boolean;
  }[];
  readonly rate_limit?: { readonly max_tokens: number; readonly refill_rate: number } | undefined;
  readonly auth?: { readonly jwt_secret?: string | undefined } | undefined;
  readonly cors?:
    | {
        readonly allowed_origins?: readonly string[] | undefined;
        readonly allowed_methods?: readonly string[] | undefined;
        readonly allowed_headers?: readonly string[] | undefined;
        readonly allow_credentials?: boolean | undefined;
        readonly max_age?: number | undefined;
      }
    | undefined;
}

export const ferrowaySchema: z.ZodType<Ferroway, unknown> = z.object({
  server: z
    .object({
      host: text(HOST).optional(),
      port: count(0, PORT_MAX).optional(),
      health_check_interval_secs: seconds.optional(),
    })
    .prefault({}),
  routes: list(
    z.object({
      path: prefixField,
      backends: list(backend, "backends", 256),
      auth_required: flag().default(false),
    }),
    "routes",
    10_000,
  ).default([]),
  rate_limit: z
    .object({
      max_tokens: z.number({ error: TOKENS }).min(1, TOKENS),
      refill_rate: z.number({ error: RATE }).gt(0, RATE),
    })
    .optional(),
  auth: z.object({ jwt_secret: secretField.optional() }).optional(),
  cors: z
    .object({
      allowed_origins: strings.optional(),
      allowed_methods: strings.optional(),
      allowed_headers: strings.optional(),
      allow_credentials: flag().optional(),
      max_age: count(0, 86_400).optional(),
    })
    .optional(),
});

export function importFerroway(fields: Ferroway, source: Source, notes: Notes): Draft {
  const { server, routes, auth } = fields;
  noteServer(server, source, notes);
  const upstreams: [string, string[]][] = [];
  const made: DraftRoute[] = [];
  const names = new Set<string>();
  const taken = new Set<string>();
  const interval = server.health_check_interval_secs ?? 10;
  for (const [index, { path, backends, auth_required: isProtected }] of routes.entries()) {
    const place = source.place(["routes", index, "path"]);
    const prefix = path === "/" ? "" : path.replace(/\/$/, "");
    if (taken.has(prefix)) {
      notes.add(`a second route for ${path} is left out: the first one answered`, place);
      continue;
    }
    taken.add(prefix);
    const name = nameOf(path, names);
    names.add(name);
    upstreams.push([
      name,
      [
        `servers: ${quoted(backends)}`,
        `health: ${flow({ interval: `${Math.round(interval * 1_000)}ms` })}`,
      ],
    ]);
    const policies = isProtected ? [jwtPolicy(auth?.jwt_secret, notes)] : [];
    const routeAt = (at: string, called: string): DraftRoute => ({
      name: called,
      path: at,
      upstream: name,
      policies,
    });
    if (prefix !== "" && path === prefix) {
      const below = nameOf(`${path}-below`, names);
      names.add(below);
      made.push(routeAt(prefix, name), routeAt(`${prefix}/*`, below));
      notes.add(`${path} no longer answers for ${path}x: whole segments are compared`, place);
    } else {
      made.push(routeAt(`${prefix}/*`, name));
    }
  }
  if (routes.length > 1) {
    notes.add("of several routes that fit, the one with the longest prefix answers, not the first");
  }
  if (upstreams.length > 0) {
    notes.add("health checks ask for /health: say health: { path } where a backend has another");
    notes.add(
      "hop-by-hop headers stay behind, and Host is the backend's (host: preserve keeps it)",
    );
  }
  return { upstreams, routes: made, policies: commonPolicies(fields, source, notes) };
}

function noteServer(server: Ferroway["server"], source: Source, notes: Notes): void {
  const flags = [
    ...(server.port === undefined ? [] : [`--port ${server.port}`]),
    ...(server.host === undefined ? [] : [`--host ${server.host}`]),
  ].join(" ");
  if (flags === "") return;
  notes.add(`where it listens is not in this file: edge serve ${flags}`, source.place(["server"]));
}

function commonPolicies(fields: Ferroway, source: Source, notes: Notes): string[] {
  const policies: string[] = [];
  const { rate_limit: limit, cors } = fields;
  if (limit !== undefined) {
    const capacity = Math.floor(limit.max_tokens);
    const rate = { algorithm: new Raw("token-bucket"), capacity, refillPerSec: limit.refill_rate };
    policies.push(`rateLimit: ${flow({ ...rate, key: new Raw("ip") })}`);
    const text =
      "each route has a bucket of its own, a client is its address without the port, and " +
      "X-Forwarded-For counts from trustedProxies alone";
    notes.add(text, source.place(["rate_limit"], true));
  }
  if (cors !== undefined) {
    const origins = cors.allowed_origins ?? ["*"];
    const isAny = origins.includes("*");
    const place = source.place(["cors"], true);
    if (isAny && cors.allow_credentials === true) {
      notes.add("credentials are left out: browsers refuse them for any origin (*)", place);
    }
    const headers = cors.allowed_headers?.filter((name) => name !== "*");
    if (headers?.length !== cors.allowed_headers?.length) {
      notes.add("headers have to be named: * is left out", place);
    }
    const policy = {
      origins,
      methods: cors.allowed_methods,
      headers,
      credentials: isAny ? undefined : cors.allow_credentials,
      maxAge: cors.max_age,
    };
    policies.push(`cors: ${flow(policy)}`);
  }
  return policies;
}
