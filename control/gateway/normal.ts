// From what the schema took to the normal form: references between the parts, files, names, and the order of
// policies. What does not fit together is found here.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { domainToASCII } from "node:url";
import { EdgeError } from "../../sdk/errors.ts";
import type {
  GatewayConfig,
  GatewayRoute,
  TlsConfig,
  UpstreamConfig,
} from "../../sdk/gateway/config.ts";
import type { PolicyConfig } from "../../sdk/gateway/policies.ts";
import type { RouteSpec } from "../../sdk/records.ts";
import { addressesOf, normaliseRoute, routeText } from "../../sdk/route.ts";
import type { Finding } from "./faults.ts";
import { frontTlsOf } from "./front-tls.ts";
import type { GatewayFields, RouteFields, TlsFiles } from "./schema.ts";
import { checkClaims, checkConsumers, consumersOf } from "./policies/identity.ts";
import { withRevoked } from "./policies/revoked.ts";
import { checkUpstreams } from "./policies/traffic.ts";
import { checkStore, checkStores } from "./stores.ts";
import { withOpenApi } from "./openapi/document.ts";
import { targetOf } from "./targets.ts";
import type { Path } from "./yaml.ts";

export interface Normal {
  readonly config: GatewayConfig;
  /** With any, `config` is not to be used. */
  readonly found: readonly Finding[];
}

/** `folder`: what names of files are relative to. */
export function normalise(fields: GatewayFields, folder: string): Normal {
  const found: Finding[] = [];
  const upstreams = Object.entries(fields.upstreams).map(
    ([name, { tls, ...rest }]): UpstreamConfig => {
      const read = readTls(tls, { folder, path: ["upstreams", name, "tls"] }, found);
      return { name, ...rest, tls: read };
    },
  );
  const consumers = consumersOf(fields.consumers, found);
  const stores = Object.entries(fields.stores).map(([name, store]) => ({ name, ...store }));
  const storeNames = Object.keys(fields.stores);
  for (const { name, limit } of consumers) {
    const path = ["consumers", name, "rateLimit"];
    if (limit !== null) checkStore(limit, { path, stores: storeNames }, found);
  }
  checkStores(fields.policies, { path: ["policies"], stores: storeNames }, found);
  checkPolicies(fields.policies, ["policies"], found);
  const upstreamNames = upstreams.map(({ name }) => name);
  checkUpstreams(fields.policies, { path: ["policies"], upstreams: upstreamNames }, found);
  const place = { folder, path: ["policies"] };
  const common = named(filed(fields.policies, place, found), "policies");
  const routes: GatewayRoute[] = [];
  for (const [index, route] of fields.routes.entries()) {
    const made = routeOf(route, { index, common, fields, folder }, found);
    if (made !== null) routes.push(made);
  }
  checkNames(routes, found);
  const { trustedProxies, accessLog, faults } = fields;
  const tls =
    fields.tls === undefined ? null : frontTlsOf(fields.tls, { folder, path: ["tls"] }, found);
  checkClients(routes, tls, found);
  return {
    config: {
      upstreams,
      routes,
      trustedProxies,
      proxyProtocol: fields.proxyProtocol.from,
      tls,
      consumers,
      stores,
      accessLog,
      faults,
    },
    found,
  };
}

/** Nobody could pass. */
function checkClients(
  routes: readonly GatewayRoute[],
  tls: GatewayConfig["tls"],
  found: Finding[],
): void {
  if (tls !== null && tls.clientAuth !== "none") return;
  for (const [index, { policies }] of routes.entries()) {
    if (!policies.some(({ kind }) => kind === "mtls")) continue;
    const problem = "an mtls policy, but clients are asked for no certificate";
    const expected = "tls with clientAuth: request or require";
    found.push({ path: ["routes", index, "policies"], expected, problem });
  }
}

interface RoutePlace {
  readonly index: number;
  /** Policies of all routes. */
  readonly common: readonly PolicyConfig[];
  readonly fields: GatewayFields;
  /** What names of files are relative to. */
  readonly folder: string;
}

function routeOf(
  route: RouteFields,
  { index, common, fields, folder }: RoutePlace,
  found: Finding[],
): GatewayRoute | null {
  const path: Path = ["routes", index];
  const match = matchOf(route.match, [...path, "match"], found);
  const place = {
    path: [...path, "target"],
    pattern: match?.path ?? null,
    upstreams: Object.keys(fields.upstreams),
  };
  const target = targetOf(route.target, place, found);
  const name = route.name ?? (match === null ? "" : routeText(match));
  checkPolicies(route.policies, [...path, "policies"], found);
  const stores = Object.keys(fields.stores);
  checkStores(route.policies, { path: [...path, "policies"], stores }, found);
  const { upstreams } = place;
  checkUpstreams(route.policies, { path: [...path, "policies"], upstreams }, found);
  const policyPlace = { folder, path: [...path, "policies"] };
  const own = named(filed(route.policies, policyPlace, found), name);
  const policies = ordered([
    ...common.filter(({ kind }) => !own.some((policy) => policy.kind === kind)),
    ...own,
  ]);
  checkClaims(policies, [...path, "policies"], found);
  checkConsumers(policies, { path: [...path, "policies"], consumers: fields.consumers }, found);
  return match === null || target === null ? null : { name, match, target, policies };
}

function matchOf(match: RouteFields["match"], path: Path, found: Finding[]): RouteSpec | null {
  try {
    return normaliseRoute(match, domainToASCII);
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    const field = "pattern" in (error.detail ?? {}) ? "path" : "host";
    const expected = "what requests can ask for: a route that is none of it never matches";
    found.push({ path: [...path, field], expected, problem: error.message.replace(/\.$/, "") });
    return null;
  }
}

/** One name, and one address, for one route. */
function checkNames(routes: readonly GatewayRoute[], found: Finding[]): void {
  const names = new Set<string>();
  const taken = new Map<string, string>();
  for (const [index, { name, match }] of routes.entries()) {
    const path: Path = ["routes", index];
    const addresses = addressesOf(match);
    const owner = addresses.map((address) => taken.get(address)).find((one) => one !== undefined);
    if (owner !== undefined) {
      const problem = `this route can never match: ${routeText(match)} is answered by "${owner}"`;
      found.push({ path: [...path, "match"], expected: "another host, path or method", problem });
    } else if (names.has(name)) {
      const problem = `two routes are called "${name}"`;
      found.push({ path: [...path, "name"], expected: "a name of its own", problem });
    }
    names.add(name);
    for (const address of addresses) taken.set(address, name);
  }
}

function checkPolicies(policies: readonly PolicyConfig[], path: Path, found: Finding[]): void {
  for (const [index, { kind }] of policies.entries()) {
    // Of limits several may hold at once, and policies of one's own are each another.
    const isSeveral = isCounted(kind) || kind === "custom";
    if (isSeveral || policies.findIndex((one) => one.kind === kind) === index) continue;
    const problem = `a second ${kind}`;
    found.push({ path: [...path, index], expected: "one of each kind", problem });
  }
}

/** With what stands in files of their own. */
function filed(
  policies: readonly PolicyConfig[],
  place: Parameters<typeof withOpenApi>[1],
  found: Finding[],
): PolicyConfig[] {
  return withOpenApi(withRevoked(policies, place, found), place, found);
}

/** Keys of limits that only a verified credential gives. */
const BY_NAME: ReadonlySet<string> = new Set(["jwt", "consumer", "apiKey"]);

/** What limits are counted under lasts as long as the route's name and their order. */
function named(policies: readonly PolicyConfig[], owner: string): PolicyConfig[] {
  const counts = { rateLimit: 0, concurrency: 0 };
  return policies.map((policy) =>
    policy.kind === "rateLimit" || policy.kind === "concurrency"
      ? { ...policy, id: `${owner}#${counts[policy.kind]++}` }
      : policy,
  );
}

function isCounted(kind: PolicyConfig["kind"]): boolean {
  return kind === "rateLimit" || kind === "concurrency";
}

/**
 * As written, but: the request's id first, which every reply has; then cors, since browsers ask without credentials;
 * and limits by who asks after that was verified, so that nobody can use up the limit of somebody else. What keeps
 * replies comes last: it gives them only to those whom all others let through. Behind it there is only what is told of
 * requests that reach the target.
 */
function ordered(policies: readonly PolicyConfig[]): PolicyConfig[] {
  const rank = (policy: PolicyConfig): number => {
    if (policy.kind === "requestId") return -1;
    if (policy.kind === "cors") return 0;
    if (policy.kind === "mirror") return 4;
    if (policy.kind === "cache" || policy.kind === "idempotency") return 3;
    const isByName =
      (policy.kind === "rateLimit" || policy.kind === "concurrency") &&
      policy.key.some(({ kind }) => BY_NAME.has(kind));
    return isByName ? 2 : 1;
  };
  return policies.toSorted((a, b) => rank(a) - rank(b));
}

function readTls(
  files: TlsFiles,
  { folder, path }: { readonly folder: string; readonly path: Path },
  found: Finding[],
): TlsConfig {
  const read = (name: "ca" | "cert" | "key"): string => {
    const file = files[name];
    if (file === undefined) return "";
    try {
      return readFileSync(resolve(folder, file), "utf8");
    } catch {
      const problem = `${resolve(folder, file)} cannot be read`;
      found.push({ path: [...path, name], expected: "a file in PEM", problem });
      return "";
    }
  };
  const tls = { ca: read("ca"), cert: read("cert"), key: read("key") };
  if ((files.cert === undefined) !== (files.key === undefined)) {
    found.push({ path, expected: "cert and key together", problem: "one of the two is missing" });
  }
  return { ...tls, serverName: files.serverName ?? "", verify: files.verify };
}
