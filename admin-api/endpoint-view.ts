// An endpoint as people see it: the seeds' fields (one address, snake case, their status words), and beside
// them ours (all routes, version, generation, state).

import { routesOf, urlsOf } from "../control/manifest.ts";
import { quarantineOf, strikesOf } from "../control/quarantine.ts";
import type { Isolation } from "../sdk/isolation.ts";
import type { RegistryReader } from "../sdk/node.ts";
import type {
  Deployed,
  DeploymentRecord,
  Quarantine,
  RouteSpec,
  Strike,
  VersionRecord,
} from "../sdk/records.ts";
import type { Binding } from "../sdk/services/service.ts";

export type State = "created" | "compiled" | "loaded" | "quarantined" | "stopped" | "error";

export interface EndpointView {
  readonly id: string;
  readonly name: string;
  readonly domain: string;
  readonly path: string;
  readonly method: string;
  readonly description: string;
  readonly compiled: boolean;
  readonly enabled: boolean;
  /** The seeds' word for the state: `running` for `loaded`. */
  readonly status: string;
  readonly state: State;
  /** Why the last compile failed, also while an earlier version goes on serving; or why the version is quarantined. */
  readonly error: string | null;
  readonly routes: readonly RouteSpec[];
  readonly urls: readonly string[];
  readonly version: string | null;
  readonly generation: number | null;
  /** Of the deployed version. */
  readonly isolation: Isolation;
  /** Of the deployed version, while they count. */
  readonly strikes: readonly Strike[];
  readonly quarantine: Quarantine | null;
  readonly created_at: string;
  readonly updated_at: string;
}

/** A failed compile leaves the state alone, unless there is nothing else to tell. */
export function stateOf({ endpoint, deployment }: Deployed): State {
  const { enabled, stopped, failure, compiled } = endpoint;
  if (deployment !== null) {
    if (stopped || !enabled) return "stopped";
    const [live] = deployment.versions;
    return quarantineOf(endpoint, live?.version) === null ? "loaded" : "quarantined";
  }
  if (failure !== null) return "error";
  return compiled === undefined ? "created" : "compiled";
}

/** The seeds know no quarantine. */
export function statusWord(state: State): string {
  if (state === "loaded") return "running";
  return state === "quarantined" ? "error" : state;
}

function quarantineText({ since, strikes }: Quarantine): string {
  const reasons = strikes.map(({ reason, at }) => `${reason} at ${at}`).join(", ");
  return `Quarantined since ${since}: it brought down ${strikes.length} workers (${reasons}).`;
}

export function endpointView(
  deployed: Deployed,
  { gatewayUrl, nowMs }: { readonly gatewayUrl: string; readonly nowMs: number },
): EndpointView {
  const { endpoint, deployment, versions } = deployed;
  const routes = routesOf(deployed);
  const [first] = routes;
  const state = stateOf(deployed);
  const live = versions[0]?.id;
  const quarantine = quarantineOf(endpoint, live);
  return {
    id: endpoint.id,
    name: endpoint.name,
    domain: first?.host ?? "*",
    path: first?.path ?? "",
    method: first?.methods.length === 1 ? (first.methods[0] ?? "ANY") : "ANY",
    description: endpoint.description,
    compiled: versions.length > 0 || endpoint.compiled !== undefined,
    enabled: endpoint.enabled,
    status: statusWord(state),
    state,
    error: endpoint.failure?.message ?? (quarantine === null ? null : quarantineText(quarantine)),
    routes,
    urls: urlsOf(routes, gatewayUrl),
    version: live ?? null,
    generation: deployment?.generation ?? null,
    isolation: versions[0]?.manifest.isolation ?? "shared",
    strikes: quarantine?.strikes ?? strikesOf(endpoint, live, nowMs),
    quarantine,
    created_at: endpoint.createdAt,
    updated_at: endpoint.updatedAt,
  };
}

export type VersionView = Omit<VersionRecord, "manifest"> & {
  readonly live: boolean;
  readonly quarantined: boolean;
  readonly routes: readonly RouteSpec[];
  readonly limits: VersionRecord["manifest"]["limits"];
  readonly bindings: readonly Binding[];
  readonly isolation: Isolation;
};

/** Variables are left out: people keep secrets in them. */
export function versionViews(registry: RegistryReader, name: string): readonly VersionView[] {
  const found = registry.get(name);
  const live = new Set(found?.versions.map(({ id }) => id));
  return registry.versions(name).map(({ manifest, ...version }) => ({
    ...version,
    live: live.has(version.id),
    quarantined: found !== null && quarantineOf(found.endpoint, version.id) !== null,
    routes: manifest.routes,
    limits: manifest.limits,
    bindings: manifest.bindings ?? [],
    isolation: manifest.isolation ?? "shared",
  }));
}

export type DeploymentView = DeploymentRecord & { readonly live: boolean };

export function deploymentViews(registry: RegistryReader, name: string): readonly DeploymentView[] {
  return registry
    .deployments(name)
    .map((deployment, index) => ({ ...deployment, live: index === 0 }));
}
