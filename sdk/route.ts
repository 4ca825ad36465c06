// Routes as people write them, brought into normal form (records.ts, RouteSpec), and the rule for when two of
// them collide. Used by the CLI, the control plane and the router, so that all three agree.

import { EdgeError, type JsonObject } from "./errors.ts";
import { parsePattern, shapeOf } from "./pattern.ts";
import type { RouteSpec } from "./records.ts";

/** A route as it comes in. Missing host: any. Missing, empty, "ANY" or "*" methods: any. */
export interface RouteText {
  readonly host?: string | undefined;
  readonly path: string;
  readonly methods?: readonly string[] | undefined;
}

export interface OwnedRoute extends RouteSpec {
  readonly endpoint: string;
}

/** Unicode host name to ASCII, "" when it is none: `domainToASCII` of node:url. */
export type ToAscii = (domain: string) => string;

/** RFC 1035: a host name's longest text form. */
const HOST_LENGTH_MAX = 253;
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
const IPV6 = /^\[[0-9a-f:.]+\]$/;
/** Where the node answers by itself, as for presigned addresses of objects. */
const OWN_SEGMENT = ".islet";
/** RFC 9110 token, as far as anybody names methods. */
const METHOD = /^[A-Z][A-Z0-9-]{0,31}$/;

/** Checks and normalises; throws ROUTE_INVALID. The path keeps the author's spelling. */
export function normaliseRoute(input: RouteText, toAscii: ToAscii): RouteSpec {
  const [first] = parsePattern(input.path).segments;
  if (first?.kind === "literal" && first.text === OWN_SEGMENT) {
    throw routeInvalid(input.path, `addresses below /${OWN_SEGMENT} are the node's own`);
  }
  return {
    host: normaliseHost(input.host ?? "*", toAscii),
    path: input.path,
    methods: normaliseMethods(input.methods ?? []),
  };
}

/** "/path" or "host/path", as on the command line and in edge.jsonc. */
export function splitRoute(text: string): RouteText {
  if (text.startsWith("/")) return { path: text };
  const slash = text.indexOf("/");
  if (slash > 0 && text[slash + 1] !== "/") {
    return { host: text.slice(0, slash), path: text.slice(slash) };
  }
  throw routeInvalid(text, 'a route is "/path" or "host/path"');
}

export function normaliseHost(text: string, toAscii: ToAscii): string {
  const bare = text
    .trim()
    .replace(/:\d{1,5}$/, "")
    .replace(/\.$/, "")
    .toLowerCase();
  if (bare === "" || bare === "*" || IPV6.test(bare)) return bare === "" ? "*" : bare;
  const wildcard = bare.startsWith("*.");
  const domain = wildcard ? bare.slice(2) : bare;
  if (domain.includes("*")) {
    throw routeInvalid(
      text,
      'in a host, "*" can only be its whole first label, as in *.example.com',
    );
  }
  if (/[/?#@\s\\[\]:%]/.test(domain)) {
    throw routeInvalid(text, "a host is a name such as api.example.com, without scheme and path");
  }
  const ascii = toAscii(domain);
  const labels = ascii.split(".");
  if (ascii.length > HOST_LENGTH_MAX || !labels.every((label) => LABEL.test(label))) {
    throw routeInvalid(text, "this is no host name");
  }
  return wildcard ? `*.${ascii}` : ascii;
}

/** Upper case, sorted, without doubles; [] for any. */
export function normaliseMethods(methods: readonly string[]): readonly string[] {
  const names = [...new Set(methods.map((method) => method.trim().toUpperCase()))].sort();
  if (names.includes("ANY") || names.includes("*")) return [];
  for (const name of names) {
    if (!METHOD.test(name)) throw routeInvalid(name, "this is no HTTP method");
  }
  return names;
}

/** "GET,POST api.example.com/a/{id}", for messages and tables. */
export function routeText(route: RouteSpec): string {
  const methods = route.methods.length === 0 ? "ANY" : route.methods.join(",");
  return `${methods} ${route.host === "*" ? "" : route.host}${route.path}`;
}

/**
 * Throws ROUTE_CONFLICT naming both routes if two of them have the same host, the same shape (patterns that
 * differ in parameter names or regular expressions only) and a method in common, or no methods both.
 */
export function assertNoConflicts(routes: readonly OwnedRoute[]): void {
  const taken = new Map<string, OwnedRoute>();
  for (const route of routes) {
    for (const address of addressesOf(route)) {
      const other = taken.get(address);
      if (other !== undefined) throw conflict(other, route);
      taken.set(address, route);
    }
  }
}

/** One for each method. Two routes that share one answer the same requests with equal precedence. */
export function addressesOf({ host, path, methods }: RouteSpec): readonly string[] {
  const shape = shapeOf(parsePattern(path));
  return (methods.length === 0 ? ["ANY"] : methods).map((method) => `${method} ${host} ${shape}`);
}

function conflict(first: OwnedRoute, second: OwnedRoute): EdgeError {
  const message =
    `Route "${routeText(second)}" of endpoint ${second.endpoint} answers the same requests as ` +
    `"${routeText(first)}" of endpoint ${first.endpoint}.`;
  const detail = { routes: [conflictDetail(first), conflictDetail(second)] };
  return new EdgeError("ROUTE_CONFLICT", message, { detail });
}

function conflictDetail(route: OwnedRoute): JsonObject {
  const { endpoint, host, path, methods } = route;
  return { endpoint, host, path, methods };
}

function routeInvalid(text: string, problem: string): EdgeError {
  const message = `Route ${JSON.stringify(text)}: ${problem}.`;
  return new EdgeError("ROUTE_INVALID", message, { detail: { pattern: text, problem } });
}
