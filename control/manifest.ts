// What follows from a manifest without asking anybody: a version's id, its routes, its addresses.

import { createHash } from "node:crypto";
import type { Json } from "../sdk/errors.ts";
import type {
  BlobHash,
  BundleFormat,
  Deployed,
  Manifest,
  RouteSpec,
  VersionId,
} from "../sdk/records.ts";

/** Hex digits of a version's id: 64 bits tell apart what one endpoint will ever have. */
const VERSION_DIGITS = 16;

/** A route and whose it is: what the router's own check takes. */
export interface RouteClaim extends RouteSpec {
  readonly endpoint: string;
}

export function defaultRoutes(name: string): readonly RouteSpec[] {
  return [
    { host: "*", path: `/${name}`, methods: [] },
    { host: "*", path: `/${name}/*`, methods: [] },
  ];
}

export function routesOrDefault(name: string, routes: readonly RouteSpec[]): readonly RouteSpec[] {
  return routes.length > 0 ? routes : defaultRoutes(name);
}

/** A deployed version's manifest wins over what the record says. */
export function routesOf({ endpoint, versions }: Deployed): readonly RouteSpec[] {
  return versions[0]?.manifest.routes ?? routesOrDefault(endpoint.name, endpoint.routes);
}

export function claimsOf(all: readonly Deployed[]): readonly RouteClaim[] {
  return all.flatMap((each) =>
    routesOf(each).map((route) => ({ ...route, endpoint: each.endpoint.name })),
  );
}

export interface VersionContent {
  readonly bundle: BlobHash;
  readonly format: BundleFormat;
  readonly manifest: Manifest;
}

export function versionIdOf({ bundle, format, manifest }: VersionContent): VersionId {
  const text = canonical({ bundle, format, manifest: { ...manifest } as unknown as Json });
  return createHash("sha256").update(text).digest("hex").slice(0, VERSION_DIGITS);
}

/** JSON with sorted keys: the same content gives the same text. */
function canonical(value: Json): string {
  return JSON.stringify(value, (_key, inner: Json) => {
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** `base` as "http://127.0.0.1:9080". Patterns stay patterns: people see what they wrote. */
export function urlsOf(routes: readonly RouteSpec[], base: string): readonly string[] {
  const url = new URL(base);
  const port = url.port === "" ? "" : `:${url.port}`;
  return routes.map(({ host, path }) => {
    const authority = host === "*" ? url.host : `${host}${port}`;
    return `${url.protocol}//${authority}${path}`;
  });
}
