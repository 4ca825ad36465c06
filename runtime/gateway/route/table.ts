// Which endpoint answers a request: contract.ts says in which order. What that order leaves open:
//
// - The most specific route *that takes the request* answers. A host without a matching path, or a path without
//   the method, falls back to the next less specific route, up to any host. So `GET /a` of one endpoint and
//   `/*` of another share `/a`: GET goes to the first, POST to the second.
// - 405 only where no route takes the method; Allow names all methods that would be answered.
// - `*.example.com` stands for one label or more, not for example.com itself.
// - Spelling of paths, trailing slashes, dot segments: sdk/pattern.ts. A parameter with an invalid percent
//   encoding is handed on as it came; a wildcard's text is decoded as a whole, `%2F` included: who must tell
//   the two apart reads request.url.
//
// Paths without parameters are answered by one map lookup with the raw path and the answer made at compile
// time: nothing is allocated. Everything else, and every miss, walks the tree, which holds all routes;
// table.test.ts compares both with a linear matcher, bench/micro/route.ts measures them.

import { MAYBE_UNCANONICAL, PATTERN_SEGMENTS_MAX } from "../../../sdk/pattern.ts";
import { assertNoConflicts } from "../../../sdk/route.ts";
import type { RouteInput, RouteResult, RouteTable } from "./contract.ts";
import { createNode, insertRoute, pick, resultOf, walk } from "./tree.ts";
import type { Cursor, Node, Terminal } from "./tree.ts";

interface HostRoutes {
  readonly root: Node;
  /** By canonical path, the routes without parameters. */
  readonly literal: Map<string, Terminal>;
}

interface Hosts {
  readonly exact: Map<string, HostRoutes>;
  /** By suffix, without "*.". */
  readonly wildcard: Map<string, HostRoutes>;
  any: HostRoutes | null;
}

const NONE: RouteResult = Object.freeze({ kind: "none" });

/** Routes are in normal form (sdk/route.ts). Throws ROUTE_INVALID or ROUTE_CONFLICT. */
export function compileRoutes(routes: readonly RouteInput[]): RouteTable {
  assertNoConflicts(routes);
  const hosts: Hosts = { exact: new Map(), wildcard: new Map(), any: null };
  for (const route of routes) {
    const host = routesOfHost(hosts, route.host);
    const { terminal, literalPath } = insertRoute(host.root, route);
    if (literalPath !== null) host.literal.set(literalPath, terminal);
  }
  const cursor = createCursor();
  return {
    match: (method, host, path) => match(hosts, cursor, { method, host, path }),
    names: (host) => names(hosts, host),
  };
}

function names({ exact, wildcard }: Hosts, host: string): boolean {
  if (exact.has(host)) return true;
  if (wildcard.size === 0) return false;
  for (let dot = host.indexOf(".", 1); dot !== -1; dot = host.indexOf(".", dot + 1)) {
    if (wildcard.has(host.slice(dot + 1))) return true;
  }
  return false;
}

interface Address {
  readonly method: string;
  readonly host: string;
  readonly path: string;
}

function match(hosts: Hosts, cursor: Cursor, { method, host, path }: Address): RouteResult {
  cursor.method = method;
  cursor.path = path;
  cursor.allow = null;
  const exact = hosts.exact.get(host);
  let result = exact === undefined ? null : matchHost(exact, cursor);
  if (result === null && hosts.wildcard.size > 0) result = matchWildcards(hosts, cursor, host);
  if (result === null && hosts.any !== null) result = matchHost(hosts.any, cursor);
  return result ?? (cursor.allow === null ? NONE : methodResult(cursor.allow));
}

function matchWildcards(hosts: Hosts, cursor: Cursor, host: string): RouteResult | null {
  for (let dot = host.indexOf("."); dot !== -1; dot = host.indexOf(".", dot + 1)) {
    const routes = hosts.wildcard.get(host.slice(dot + 1));
    const result = routes === undefined || dot === 0 ? null : matchHost(routes, cursor);
    if (result !== null) return result;
  }
  return null;
}

function matchHost(routes: HostRoutes, cursor: Cursor): RouteResult | null {
  const terminal = routes.literal.get(cursor.path);
  if (terminal !== undefined) {
    const entry = pick(cursor, terminal);
    if (entry !== null) return resultOf(cursor, entry);
  }
  cursor.uncanonical = MAYBE_UNCANONICAL.test(cursor.path);
  const entry = walk(cursor, routes.root, 1, 0);
  return entry === null ? null : resultOf(cursor, entry);
}

function methodResult(methods: Set<string>): RouteResult {
  if (methods.has("GET")) methods.add("HEAD");
  return { kind: "method", allow: [...methods].sort() };
}

function routesOfHost(hosts: Hosts, host: string): HostRoutes {
  if (host === "*") return (hosts.any ??= createHostRoutes());
  const map = host.startsWith("*.") ? hosts.wildcard : hosts.exact;
  const key = host.startsWith("*.") ? host.slice(2) : host;
  const routes = map.get(key) ?? createHostRoutes();
  map.set(key, routes);
  return routes;
}

function createHostRoutes(): HostRoutes {
  return { root: createNode(), literal: new Map() };
}

function createCursor(): Cursor {
  return {
    path: "",
    method: "",
    uncanonical: false,
    starts: new Int32Array(PATTERN_SEGMENTS_MAX + 1),
    ends: new Int32Array(PATTERN_SEGMENTS_MAX + 1),
    allow: null,
  };
}
