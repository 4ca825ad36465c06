// An endpoint as people see it: the seeds' fields (one address, snake case, their status words), and beside
// them ours (all routes, version, generation, state).

import { routesOf, urlsOf } from "../control/manifest.ts";
import type { RegistryReader } from "../sdk/node.ts";
import type { Deployed, DeploymentRecord, RouteSpec, VersionRecord } from "../sdk/records.ts";

export type State = "created" | "compiled" | "loaded" | "stopped" | "error";

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
  /** Why the last compile failed, also while an earlier version goes on serving. */
  readonly error: string | null;
  readonly routes: readonly RouteSpec[];
  readonly urls: readonly string[];
  readonly version: string | null;
  readonly generation: number | null;
  readonly created_at: string;
  readonly updated_at: string;
}

/** A failed compile leaves the state alone, unless there is nothing else to tell. */
export function stateOf({ endpoint, deployment }: Deployed): State {
  const { enabled, stopped, failure, compiled } = endpoint;
  if (deployment !== null) return stopped || !enabled ? "stopped" : "loaded";
  if (failure !== null) return "error";
  return compiled === undefined ? "created" : "compiled";
}

export function statusWord(state: State): string {
  return state === "loaded" ? "running" : state;
}

export function endpointView(deployed: Deployed, gatewayUrl: string): EndpointView {
  const { endpoint, deployment, versions } = deployed;
  const routes = routesOf(deployed);
  const [first] = routes;
  const state = stateOf(deployed);
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
    error: endpoint.failure?.message ?? null,
    routes,
    urls: urlsOf(routes, gatewayUrl),
    version: versions[0]?.id ?? null,
    generation: deployment?.generation ?? null,
    created_at: endpoint.createdAt,
    updated_at: endpoint.updatedAt,
  };
}

export type VersionView = Omit<VersionRecord, "manifest"> & {
  readonly live: boolean;
  readonly routes: readonly RouteSpec[];
  readonly limits: VersionRecord["manifest"]["limits"];
};

/** Variables are left out: people keep secrets in them. */
export function versionViews(registry: RegistryReader, name: string): readonly VersionView[] {
  const live = new Set(registry.get(name)?.versions.map(({ id }) => id));
  return registry.versions(name).map(({ manifest, ...version }) => ({
    ...version,
    live: live.has(version.id),
    routes: manifest.routes,
    limits: manifest.limits,
  }));
}

export type DeploymentView = DeploymentRecord & { readonly live: boolean };

export function deploymentViews(registry: RegistryReader, name: string): readonly DeploymentView[] {
  return registry
    .deployments(name)
    .map((deployment, index) => ({ ...deployment, live: index === 0 }));
}
