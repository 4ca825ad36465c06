// The registry's view, folded from its change log.
//
// `applyChange` is the only code that knows what a change means. It runs over any Rows: in memory, over the
// stored view, and over the stored base (the view as it was before the oldest change that is still kept).
// So the stored view can always be rebuilt: base, then every kept change in order. It is deterministic: no
// clock, no randomness, nothing read but the rows. A change that makes no sense is a bug of the writer and
// throws, which aborts the transaction around it.

import assert from "node:assert";
import type {
  Change,
  ChangeOp,
  Deployed,
  DeploymentRecord,
  EndpointRecord,
  SecretRecord,
  VersionRecord,
} from "../../sdk/records.ts";
import type { ServiceRecord } from "../../sdk/services/service.ts";

/** History shown to people; older ones tell nothing that the versions do not. Part of the schema. */
export const DEPLOYMENTS_KEPT = 100;

/** A version with the revision that stored it last, which orders versions. */
export interface VersionRow {
  readonly revision: number;
  readonly version: VersionRecord;
}

/** Keys are ASCII, in that order. A prefix is "" or ends in a slash. */
export interface Table<T> {
  get(key: string): T | null;
  put(key: string, value: T): void;
  remove(key: string): void;
  under(prefix: string): readonly { readonly key: string; readonly value: T }[];
  /** The value of the last key under the prefix. */
  last(prefix: string): T | null;
}

export interface Rows {
  readonly endpoints: Table<EndpointRecord>;
  readonly versions: Table<VersionRow>;
  readonly deployments: Table<DeploymentRecord>;
  /** Survives the endpoint: a generation never comes back. */
  readonly generations: Table<number>;
  readonly services: Table<ServiceRecord>;
  readonly secrets: Table<SecretRecord>;
}

export const TABLES = [
  "endpoints",
  "versions",
  "deployments",
  "generations",
  "services",
  "secrets",
] as const;

export function applyChange(rows: Rows, change: Change): void {
  for (const op of change.ops) applyOp(rows, op, change.revision);
}

function applyOp(rows: Rows, op: ChangeOp, revision: number): void {
  switch (op.op) {
    case "endpoint.put":
      rows.endpoints.put(op.endpoint.name, op.endpoint);
      return;
    case "endpoint.delete":
      rows.endpoints.remove(op.name);
      removeUnder(rows.versions, `${op.name}/`);
      removeUnder(rows.deployments, `${op.name}/`);
      removeUnder(rows.secrets, `${op.name}/`);
      return;
    case "version.put": {
      const { endpoint, id } = op.version;
      assert(rows.endpoints.get(endpoint) !== null, "version of an unknown endpoint");
      rows.versions.put(versionKey(endpoint, id), { revision, version: op.version });
      return;
    }
    case "version.delete":
      assert(
        !isDeployed(rows, op.endpoint, op.id),
        "a deployed version is deleted with its endpoint only",
      );
      rows.versions.remove(versionKey(op.endpoint, op.id));
      return;
    case "deployment.put":
      deploy(rows, op.deployment);
      return;
    case "service.put":
      putService(rows, op.service);
      return;
    case "service.delete":
      rows.services.remove(op.id);
      return;
    case "secret.put": {
      const { endpoint, name } = op.secret;
      const isKnown = endpoint === null || rows.endpoints.get(endpoint) !== null;
      assert(isKnown, "secret of an unknown endpoint");
      rows.secrets.put(secretKey(endpoint, name), op.secret);
      return;
    }
    case "secret.delete":
      rows.secrets.remove(secretKey(op.endpoint, op.name));
      return;
    default:
      op satisfies never;
      assert.fail("unknown change");
  }
}

function deploy(rows: Rows, deployment: DeploymentRecord): void {
  const { endpoint, generation } = deployment;
  assert(rows.endpoints.get(endpoint) !== null, "deployment of an unknown endpoint");
  assert(generation > generationOf(rows, endpoint), "a generation comes back");
  for (const { version } of deployment.versions) {
    const stored = rows.versions.get(versionKey(endpoint, version));
    assert(stored !== null, "deployment of an unknown version");
  }
  rows.generations.put(endpoint, generation);
  rows.deployments.put(deploymentKey(endpoint, generation), deployment);
  const kept = rows.deployments.under(`${endpoint}/`);
  for (const { key } of kept.slice(0, Math.max(0, kept.length - DEPLOYMENTS_KEPT))) {
    rows.deployments.remove(key);
  }
}

/** Bindings name services, so no two have one name. */
function putService(rows: Rows, service: ServiceRecord): void {
  const same = rows.services.under("").find(({ value }) => value.name === service.name);
  assert(same === undefined || same.key === service.id, "two services of one name");
  rows.services.put(service.id, service);
}

function isDeployed(rows: Rows, endpoint: string, id: string): boolean {
  const current = rows.deployments.last(`${endpoint}/`);
  return current?.versions.some(({ version }) => version === id) ?? false;
}

function removeUnder<T>(table: Table<T>, prefix: string): void {
  for (const { key } of table.under(prefix)) table.remove(key);
}

// Names hold no slash (see parse.ts), so a prefix that ends in one belongs to one endpoint.
function versionKey(endpoint: string, id: string): string {
  return `${endpoint}/${id}`;
}

function deploymentKey(endpoint: string, generation: number): string {
  return `${endpoint}/${String(generation).padStart(16, "0")}`;
}

/** No endpoint is called so. */
const NODE = "*";

function secretKey(endpoint: string | null, name: string): string {
  return `${endpoint ?? NODE}/${name}`;
}

export function generationOf(rows: Rows, endpoint: string): number {
  return rows.generations.get(endpoint) ?? 0;
}

export function endpointsOf(rows: Rows): readonly Deployed[] {
  return rows.endpoints.under("").map(({ value }) => deployedOf(rows, value));
}

export function deployedOf(rows: Rows, endpoint: EndpointRecord): Deployed {
  const deployment = rows.deployments.last(`${endpoint.name}/`);
  const versions: VersionRecord[] = [];
  for (const { version } of deployment?.versions ?? []) {
    const row = rows.versions.get(versionKey(endpoint.name, version));
    assert(row !== null, "a deployed version is missing");
    versions.push(row.version);
  }
  return { endpoint, deployment, versions };
}

/** Newest first. */
export function versionsOf(rows: Rows, endpoint: string): readonly VersionRecord[] {
  return rows.versions
    .under(`${endpoint}/`)
    .map(({ value }) => value)
    .toSorted((a, b) => b.revision - a.revision || (a.version.id < b.version.id ? -1 : 1))
    .map(({ version }) => version);
}

export function versionOf(rows: Rows, endpoint: string, id: string): VersionRecord | null {
  return rows.versions.get(versionKey(endpoint, id))?.version ?? null;
}

/** Newest first. */
export function deploymentsOf(rows: Rows, endpoint: string): readonly DeploymentRecord[] {
  return rows.deployments
    .under(`${endpoint}/`)
    .map(({ value }) => value)
    .toReversed();
}

/** In the order of their names. */
export function servicesOf(rows: Rows): readonly ServiceRecord[] {
  return rows.services
    .under("")
    .map(({ value }) => value)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Of an endpoint, or the node's own, in the order of their names. */
export function secretsOf(rows: Rows, endpoint: string | null): readonly SecretRecord[] {
  return rows.secrets.under(secretKey(endpoint, "")).map(({ value }) => value);
}

/** Names of the endpoints that a change touches. */
export function touchedBy(change: Change): readonly string[] {
  return change.ops.flatMap((op) => {
    switch (op.op) {
      case "endpoint.put":
        return op.endpoint.name;
      case "endpoint.delete":
        return op.name;
      case "version.put":
        return op.version.endpoint;
      case "version.delete":
        return op.endpoint;
      case "deployment.put":
        return op.deployment.endpoint;
      case "secret.put":
        return op.secret.endpoint ?? [];
      case "secret.delete":
        return op.endpoint ?? [];
      case "service.put":
      case "service.delete":
        return [];
    }
  });
}

/** Everything in rows as plain data, to compare two of them. */
export function contentOf(rows: Rows): string {
  return JSON.stringify(TABLES.map((table) => rows[table].under("")));
}

export function memoryRows(): Rows {
  return {
    endpoints: memoryTable(),
    versions: memoryTable(),
    deployments: memoryTable(),
    generations: memoryTable(),
    services: memoryTable(),
    secrets: memoryTable(),
  };
}

// Grouped by endpoint, so that a long log folds in linear time.
function memoryTable<T>(): Table<T> {
  const groups = new Map<string, Map<string, T>>();
  const under = (prefix: string): { key: string; value: T }[] => {
    const chosen =
      prefix === "" ? [...groups.values()] : [groups.get(prefix) ?? new Map<string, T>()];
    return chosen
      .flatMap((group) => [...group])
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => ({ key, value }));
  };
  return {
    get: (key) => groups.get(groupOf(key))?.get(key) ?? null,
    put: (key, value) => {
      const group = groups.get(groupOf(key)) ?? new Map<string, T>();
      groups.set(groupOf(key), group.set(key, value));
    },
    remove: (key) => {
      const group = groups.get(groupOf(key));
      group?.delete(key);
      if (group?.size === 0) groups.delete(groupOf(key));
    },
    under,
    last: (prefix) => under(prefix).at(-1)?.value ?? null,
  };
}

function groupOf(key: string): string {
  return key.slice(0, key.indexOf("/") + 1);
}

/** The view after the changes, oldest first. */
export function fold(changes: Iterable<Change>, onto: Rows = memoryRows()): Rows {
  for (const change of changes) applyChange(onto, change);
  return onto;
}
