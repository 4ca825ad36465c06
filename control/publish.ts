// From code to live: check, store, load beside the old in every worker, commit, wait until every worker routes
// by it. Until the commit nothing is visible to anybody but a blob that will be collected; the commit is one
// registry transaction. If the workers cannot follow even so, what was live before is deployed again under a
// new generation: no failure leaves a node between two versions.

import { EdgeError, type JsonObject } from "../sdk/errors.ts";
import { CORDONS_MAX, cordonOf, cordonsOf } from "../sdk/isolation.ts";
import {
  BUNDLE_BYTES_MAX,
  DRAIN_TIMEOUT_MS_DEFAULT,
  isInRange,
  limitRange,
  MAP_BYTES_MAX,
  type LimitName,
} from "../sdk/limits.ts";
import type { CheckResult, HandlerNeed } from "../sdk/node.ts";
import type { PublishRequest, PublishResult, PublishStage } from "../sdk/publish.ts";
import { CLIENT_ADDRESS_HEADER } from "../sdk/records.ts";
import type {
  BundleFormat,
  ChangeOp,
  EndpointRecord,
  Manifest,
  VersionRecord,
} from "../sdk/records.ts";
import { packEnvironment } from "../sdk/services/environment.ts";
import { hashOf } from "./blobs.ts";
import { timestamp } from "./clock.ts";
import { claimsOf, routesOrDefault, urlsOf, versionIdOf } from "./manifest.ts";
import type { ControlPorts } from "./ports.ts";
import {
  assertBindings,
  bindingsOf,
  completeBinding,
  completeConsumer,
} from "./services/bindings.ts";

/** Per endpoint; older ones are forgotten, and their blobs collected. */
export const VERSIONS_KEPT = 50;

/** No secret reaches code that nobody has checked yet; not empty, because libraries look for that. */
const SECRET_SHOWN = "a secret that is not shown while a module is checked";

/** Code on its way to a version. */
export interface Candidate {
  readonly manifest: Manifest;
  readonly format: BundleFormat;
  readonly code: string;
  readonly map: string | null;
  readonly message: string;
}

export interface Stored {
  readonly version: VersionRecord;
  readonly check: CheckResult;
}

export type OnStage = (stage: PublishStage) => void;

export interface Live {
  readonly generation: number;
  readonly liveMs: number;
}

/** Throws UPLOAD_CORRUPT, BUNDLE_TOO_LARGE or BINDING_INVALID. */
export function candidateOf({ registry }: ControlPorts, request: PublishRequest): Candidate {
  const bytes = Buffer.from(request.code);
  assertSize("bundle", bytes.length, BUNDLE_BYTES_MAX);
  if (request.map !== null) assertSize("map", Buffer.byteLength(request.map), MAP_BYTES_MAX);
  const actual = hashOf(bytes);
  if (actual !== request.codeSha256) {
    const detail: JsonObject = { expected: request.codeSha256, actual, bytes: bytes.length };
    throw new EdgeError("UPLOAD_CORRUPT", undefined, { detail });
  }
  const { name, vars, limits, trust, egress, crons = [], isolation = "shared" } = request;
  const { faults = {} } = request;
  const { drainTimeoutMs = DRAIN_TIMEOUT_MS_DEFAULT } = request;
  const routes = routesOrDefault(name, request.routes);
  const bindings = (request.bindings ?? []).map((each) => completeBinding(registry, name, each));
  const consumers = (request.consumers ?? []).map(completeConsumer);
  const manifest = { name, routes, vars, limits, drainTimeoutMs };
  return {
    manifest: {
      ...manifest,
      ...(trust === undefined ? {} : { trust }),
      // Defaults are left out, so that versions keep the ids they had before the fields were there.
      ...(isolation === "shared" ? {} : { isolation }),
      ...(egress === undefined || egress.length === 0 ? {} : { egress }),
      ...(bindings.length === 0 ? {} : { bindings }),
      ...(consumers.length === 0 ? {} : { consumers }),
      ...(crons.length === 0 ? {} : { crons }),
      ...(Object.keys(faults).length === 0 ? {} : { faults }),
    },
    format: request.format,
    code: request.code,
    map: request.map,
    message: request.message ?? "",
  };
}

function assertSize(what: string, bytes: number, bytesMax: number): void {
  if (bytes <= bytesMax) return;
  const text = `The ${what} has ${bytes} bytes; the limit is ${bytesMax}`;
  throw new EdgeError("BUNDLE_TOO_LARGE", text, { detail: { what, bytes, bytesMax } });
}

/** Throws ROUTE_INVALID or ROUTE_CONFLICT when the endpoint could not have these routes now. */
export function assertRoutes(
  ports: ControlPorts,
  manifest: Pick<Manifest, "name" | "routes">,
): void {
  const others = ports.registry.all().filter(({ endpoint }) => endpoint.name !== manifest.name);
  const own = manifest.routes.map((route) => ({ ...route, endpoint: manifest.name }));
  ports.checkRoutes([...claimsOf(others), ...own]);
}

/** Throws CORDON_LIMIT when the endpoint would need one cordon more than a node keeps. */
export function assertCordons({ registry }: ControlPorts, manifest: Manifest): void {
  const own = cordonOf(manifest);
  if (own === null) return;
  const others = registry.all().filter(({ endpoint }) => endpoint.name !== manifest.name);
  const names = new Set([...cordonsOf(others), own]);
  if (names.size <= CORDONS_MAX) return;
  const message = `This node keeps ${CORDONS_MAX} groups and dedicated endpoints already`;
  throw new EdgeError("CORDON_LIMIT", message, { detail: { cordonsMax: CORDONS_MAX } });
}

/** Throws EGRESS_NOT_ALLOWED. Workers hold to the same; here the author learns of it. */
export function assertEgress(ports: ControlPorts, { egress = [] }: Manifest): void {
  if (egress.length === 0 || ports.egressMayBePrivate) return;
  const message = `This node lets no endpoint name private hosts: ${egress.join(", ")}`;
  throw new EdgeError("EGRESS_NOT_ALLOWED", message, { detail: { egress } });
}

/** Throws LIMIT_NOT_ALLOWED. Workers cap what was published before the ceiling was lowered. */
export function assertLimits({ limitMax }: ControlPorts, { limits }: Manifest): void {
  for (const name of Object.keys(limits) as LimitName[]) {
    const value = limits[name];
    if (value === undefined || isInRange(name, value, limitMax)) continue;
    const range = limitRange(name, limitMax);
    throw new EdgeError("LIMIT_NOT_ALLOWED", `${name} is ${range} on this node, not ${value}`, {
      detail: { limit: name, value, max: limitMax[name] ?? null },
    });
  }
}

/** Dry run and snapshot. Stores nothing. */
export function checkCandidate(
  ports: ControlPorts,
  candidate: Pick<Candidate, "code" | "format" | "manifest">,
  onStage: OnStage,
): Promise<CheckResult> {
  const { code, format, manifest } = candidate;
  const bundleHash = hashOf(Buffer.from(code));
  const env = previewOf(ports, manifest);
  const needs = needsOf(manifest);
  return ports.checker.check({ code, format, bundleHash, env, needs, onStage });
}

function needsOf({ crons = [], consumers = [] }: Manifest): readonly HandlerNeed[] {
  const needs: HandlerNeed[] = [];
  if (crons.length > 0) needs.push("scheduled");
  if (consumers.length > 0) needs.push("queue");
  return needs;
}

/** What a module is shown of its `env` while it is checked: secrets by name only. */
function previewOf({ registry }: ControlPorts, { name, vars, bindings = [] }: Manifest): string {
  const secrets = registry.secrets(name).map((secret) => [secret.name, SECRET_SHOWN] as const);
  const added = registry.get(name)?.endpoint.bindings ?? [];
  return packEnvironment({ ...vars, ...Object.fromEntries(secrets) }, [...bindings, ...added]);
}

/** Checks and stores the blobs; the version is not in the registry yet. */
export async function storeCandidate(
  ports: ControlPorts,
  candidate: Candidate,
  onStage: OnStage,
): Promise<Stored> {
  const { manifest, format, code, map, message } = candidate;
  const check = await checkCandidate(ports, candidate, onStage);
  const bytes = Buffer.from(code);
  const bundle = await ports.blobs.put(bytes);
  const mapHash = map === null ? null : await ports.blobs.put(Buffer.from(map));
  const id = versionIdOf({ bundle, format, manifest });
  const known = ports.registry.version(manifest.name, id);
  const version: VersionRecord = {
    id,
    endpoint: manifest.name,
    manifest,
    format,
    bundle,
    bundleBytes: bytes.length,
    map: mapHash,
    start: check.start,
    ...(code.toLowerCase().includes(CLIENT_ADDRESS_HEADER) ? { readsAddress: true } : {}),
    message: known?.message ?? message,
    createdAt: known?.createdAt ?? timestamp(ports.clock),
  };
  return { version, check };
}

export interface Deploy {
  readonly version: VersionRecord;
  /** The record as it shall be. */
  readonly endpoint: EndpointRecord;
  readonly message: string;
}

/** Loads the version everywhere, commits, and waits for the workers; or puts back what was. */
export async function deploy(ports: ControlPorts, plan: Deploy, onStage: OnStage): Promise<Live> {
  const { registry, fleet, clock } = ports;
  const { version, endpoint, message } = plan;
  const begun = clock.now();
  onStage("load");
  await fleet.prepare(version);
  // Somebody else's routes may have come meanwhile, a service may have gone. No await between here and the
  // append's transaction.
  assertRoutes(ports, version.manifest);
  assertBindings(registry, version.manifest, endpoint);
  const before = registry.get(endpoint.name);
  const generation = registry.generation(endpoint.name) + 1;
  const deployment = {
    endpoint: endpoint.name,
    generation,
    versions: [{ version: version.id, share: 100 }],
    message,
    createdAt: timestamp(clock),
  };
  const forgotten = versionsBeyond(ports, version);
  const revision = await registry.append([
    { op: "endpoint.put", endpoint },
    { op: "version.put", version },
    { op: "deployment.put", deployment },
    ...forgotten,
  ]);
  onStage("live");
  try {
    await fleet.announce(revision);
  } catch (error) {
    await putBack(ports, endpoint.name, before);
    throw error;
  }
  if (forgotten.length > 0) collectBlobs(ports);
  return { generation, liveMs: clock.now() - begun };
}

type Before = ReturnType<ControlPorts["registry"]["get"]>;

async function putBack(ports: ControlPorts, name: string, before: Before): Promise<void> {
  const { registry, fleet, clock } = ports;
  const ops: ChangeOp[] = [];
  if (before === null) {
    ops.push({ op: "endpoint.delete", name });
  } else {
    const { endpoint, deployment, versions } = before;
    const generation = registry.generation(name) + 1;
    // Without an earlier deployment the endpoint is made anew, so that it has none again.
    if (deployment === null) ops.push({ op: "endpoint.delete", name });
    ops.push({ op: "endpoint.put", endpoint });
    for (const version of versions) ops.push({ op: "version.put", version });
    if (deployment !== null) {
      const message = "put back after a publish that the workers did not take";
      const createdAt = timestamp(clock);
      const again = { ...deployment, generation, message, createdAt };
      ops.push({ op: "deployment.put", deployment: again });
    } else {
      for (const version of registry.versions(name)) ops.push({ op: "version.put", version });
      for (const secret of registry.secrets(name)) ops.push({ op: "secret.put", secret });
    }
  }
  const revision = await registry.append(ops);
  // The first failure is the one to report; workers that answer no announcement are the supervisor's to replace.
  await fleet.announce(revision).catch(() => undefined);
}

/** The oldest versions that have to go to make room for this one; never one that is deployed. */
export function versionsBeyond(
  ports: ControlPorts,
  coming: Pick<VersionRecord, "endpoint" | "id">,
): readonly ChangeOp[] {
  const { endpoint } = coming;
  const current = ports.registry.get(endpoint);
  const needed = new Set([coming.id, ...(current?.versions.map(({ id }) => id) ?? [])]);
  const others = ports.registry.versions(endpoint).filter(({ id }) => !needed.has(id));
  return others
    .slice(Math.max(0, VERSIONS_KEPT - needed.size))
    .map(({ id }) => ({ op: "version.delete", endpoint, id }));
}

/** Blobs that no version names any more. Those of a publish under way are young enough to be spared. */
export function collectBlobs({ registry, blobs }: ControlPorts): void {
  const live = new Set<string>();
  for (const { endpoint } of registry.all()) {
    for (const { bundle, map } of registry.versions(endpoint.name)) {
      live.add(bundle);
      if (map !== null) live.add(map);
    }
  }
  blobs.collect(live);
}

export interface ResultInput {
  readonly version: VersionRecord;
  readonly check: CheckResult;
  readonly live: Live;
  readonly bundleMs: number;
  readonly begun: number;
}

export function resultOf(ports: ControlPorts, input: ResultInput): PublishResult {
  const { version, check, live, bundleMs, begun } = input;
  return {
    endpoint: version.endpoint,
    version: version.id,
    generation: live.generation,
    routes: version.manifest.routes,
    urls: urlsOf(version.manifest.routes, ports.gatewayUrl()),
    bindings: bindingsOf(ports.registry.get(version.endpoint)?.endpoint, version.manifest),
    bundleBytes: version.bundleBytes,
    start: version.start.kind,
    timingsMs: {
      bundle: bundleMs,
      check: Math.round(check.checkMs),
      snapshot: Math.round(check.snapshotMs),
      live: live.liveMs,
      total: bundleMs + ports.clock.now() - begun,
    },
  };
}
