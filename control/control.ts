// The control plane: every verb that changes what is deployed, one at a time per endpoint.
//
// Each verb reads the registry inside its turn, so what it decides on cannot change under it; verbs of other
// endpoints go on beside it. Reading needs no turn: callers read the registry.

import { randomUUID } from "node:crypto";
import { EdgeError, errorData, infoOf } from "../sdk/errors.ts";
import { DRAIN_TIMEOUT_MS_DEFAULT } from "../sdk/limits.ts";
import type { PublishRequest, PublishResult } from "../sdk/publish.ts";
import type { Deployed, EndpointRecord, Manifest, Strike, VersionRecord } from "../sdk/records.ts";
import { hashOf } from "./blobs.ts";
import { timestamp } from "./clock.ts";
import { claimsOf, routesOrDefault, versionIdOf } from "./manifest.ts";
import type { ControlPorts } from "./ports.ts";
import {
  assertCordons,
  assertEgress,
  assertLimits,
  assertRoutes,
  candidateOf,
  checkCandidate,
  collectBlobs,
  deploy,
  resultOf,
  storeCandidate,
  versionsBeyond,
  type OnStage,
} from "./publish.ts";
import { assertBindings } from "./services/bindings.ts";
import { quarantineOf, release, strike, strikesOf } from "./quarantine.ts";
import { createTurns } from "./turns.ts";

/** A check keeps a core busy; more at once only make each of them slower. */
export const PUBLISHES_RUNNING_MAX = 4;
/** Each waiting publish holds its bundle in memory. */
export const PUBLISHES_WAITING_MAX = 64;

export interface EndpointInput {
  readonly name: string;
  readonly description: string;
  readonly enabled: boolean;
  readonly routes: readonly EndpointRecord["routes"][number][];
  readonly draft: string | null;
}

export type EndpointPatch = { readonly [field in keyof EndpointInput]?: EndpointInput[field] };

export interface Control {
  publish(
    request: PublishRequest,
    options?: { readonly onStage?: OnStage },
  ): Promise<PublishResult>;
  create(input: EndpointInput): Promise<EndpointRecord>;
  /** New routes of a deployed endpoint are deployed at once, as a version of the same code. */
  update(name: string, patch: EndpointPatch): Promise<EndpointRecord>;
  /** Bundles and checks the draft and keeps it as a version; `start` deploys it. */
  compile(name: string): Promise<VersionRecord>;
  /** Also releases a version that is quarantined. */
  start(name: string): Promise<void>;
  stop(name: string): Promise<void>;
  /** To the last version before the present one that is not quarantined, or to the one named, which is released. */
  rollback(
    name: string,
    options?: { readonly version?: string; readonly message?: string },
  ): Promise<PublishResult>;
  remove(name: string): Promise<void>;
  /** While nothing else changes the endpoint; for its bindings and secrets (services/bound.ts, secrets/secrets.ts). */
  readonly alone: <T>(name: string, work: () => Promise<T>) => Promise<T>;
  /** A version was what a worker ran when it had to be replaced. Resolves to what is against it now. */
  strike(name: string, found: Pick<Strike, "version" | "reason">): Promise<Verdict>;
}

export interface Verdict {
  readonly strikes: number;
  readonly quarantined: boolean;
}

const noStage: OnStage = () => undefined;

export function createControl(ports: ControlPorts): Control {
  const turns = createTurns({
    runningMax: PUBLISHES_RUNNING_MAX,
    waitingMax: PUBLISHES_WAITING_MAX,
  });
  return {
    publish: (request, { onStage = noStage } = {}) =>
      turns.run(request.name, () => publish(ports, request, onStage)),
    create: (input) => turns.run(input.name, () => create(ports, input)),
    update: (name, patch) => turns.run(name, () => update(ports, name, patch)),
    compile: (name) => turns.run(name, () => compile(ports, name)),
    start: (name) => turns.run(name, () => start(ports, name)),
    stop: (name) =>
      turns.run(name, () => save(ports, { ...existing(ports, name).endpoint, stopped: true })),
    rollback: (name, options = {}) => turns.run(name, () => rollback(ports, name, options)),
    remove: (name) => turns.run(name, () => remove(ports, name)),
    alone: (name, work) => turns.run(name, work),
    strike: (name, found) => turns.run(name, () => addStrike(ports, name, found)),
  };
}

async function publish(
  ports: ControlPorts,
  request: PublishRequest,
  onStage: OnStage,
): Promise<PublishResult> {
  const begun = ports.clock.now();
  const bundleMs = request.bundleMs ?? 0;
  const candidate = candidateOf(ports, request);
  const { manifest, message } = candidate;
  assertRoutes(ports, manifest);
  assertEgress(ports, manifest);
  assertCordons(ports, manifest);
  assertLimits(ports, manifest);
  assertBindings(ports.registry, manifest, ports.registry.get(manifest.name)?.endpoint);
  if (request.dryRun === true) return dryRun(ports, { candidate, bundleMs, begun, onStage });
  const { version, check } = await storeCandidate(ports, candidate, onStage);
  const record = ports.registry.get(manifest.name)?.endpoint ?? newRecord(ports, manifest.name);
  // What is published from outside replaces a draft; somebody who stopped the endpoint has to start it.
  const free = release(record, version.id);
  const endpoint = settled(ports, { ...free, routes: manifest.routes, draft: null });
  const live = await deploy(ports, { version, endpoint, message }, onStage);
  return resultOf(ports, { version, check, live, bundleMs, begun });
}

async function dryRun(
  ports: ControlPorts,
  input: {
    readonly candidate: ReturnType<typeof candidateOf>;
    readonly bundleMs: number;
    readonly begun: number;
    readonly onStage: OnStage;
  },
): Promise<PublishResult> {
  const { candidate, onStage, ...times } = input;
  const { manifest, format, code } = candidate;
  const check = await checkCandidate(ports, candidate, onStage);
  const bytes = Buffer.from(code);
  const bundle = hashOf(bytes);
  const version: VersionRecord = {
    id: versionIdOf({ bundle, format, manifest }),
    endpoint: manifest.name,
    manifest,
    format,
    bundle,
    bundleBytes: bytes.length,
    map: null,
    start: check.start,
    message: candidate.message,
    createdAt: timestamp(ports.clock),
  };
  const live = { generation: ports.registry.generation(manifest.name), liveMs: 0 };
  return resultOf(ports, { version, check, live, ...times });
}

async function create(ports: ControlPorts, input: EndpointInput): Promise<EndpointRecord> {
  if (ports.registry.get(input.name) !== null) throw new EdgeError("ENDPOINT_EXISTS");
  assertRoutes(ports, { ...input, routes: routesOrDefault(input.name, input.routes) });
  const endpoint = { ...newRecord(ports, input.name), ...input };
  await save(ports, endpoint);
  return endpoint;
}

async function update(
  ports: ControlPorts,
  name: string,
  patch: EndpointPatch,
): Promise<EndpointRecord> {
  const { endpoint, versions } = existing(ports, name);
  const [deployed] = versions;
  const next: EndpointRecord = { ...endpoint, ...patch };
  if (next.name !== name) return rename(ports, name, next);
  const routes = routesOrDefault(name, next.routes);
  if (patch.routes !== undefined) assertRoutes(ports, { name, routes });
  if (patch.routes === undefined || deployed === undefined) {
    await save(ports, next);
  } else {
    const message = "routes changed";
    const manifest = { ...deployed.manifest, routes };
    const candidate = { ...codeOf(ports, deployed), manifest, message };
    const { version } = await storeCandidate(ports, candidate, noStage);
    await deploy(ports, { version, endpoint: touched(ports, next), message }, noStage);
  }
  return existing(ports, name).endpoint;
}

/** Versions, generations and secrets belong to a name, so only what has none can take another. */
async function rename(
  ports: ControlPorts,
  name: string,
  next: EndpointRecord,
): Promise<EndpointRecord> {
  if (ports.registry.versions(name).length + ports.registry.secrets(name).length > 0) {
    const fields = [{ field: "name", text: "cannot change once there is a version or a secret" }];
    const message = "name: cannot change once there is a version or a secret";
    throw new EdgeError("INPUT_INVALID", message, { detail: { fields } });
  }
  if (ports.registry.get(next.name) !== null) throw new EdgeError("ENDPOINT_EXISTS");
  const others = ports.registry.all().filter((each) => each.endpoint.name !== name);
  const routes = routesOrDefault(next.name, next.routes);
  ports.checkRoutes([
    ...claimsOf(others),
    ...routes.map((route) => ({ ...route, endpoint: next.name })),
  ]);
  const endpoint = touched(ports, next);
  const revision = await ports.registry.append([
    { op: "endpoint.delete", name },
    { op: "endpoint.put", endpoint },
  ]);
  await ports.fleet.announce(revision);
  return endpoint;
}

async function compile(ports: ControlPorts, name: string): Promise<VersionRecord> {
  const { endpoint, versions } = existing(ports, name);
  const { draft } = endpoint;
  if (draft === null || draft.trim() === "") throw new EdgeError("NO_CODE");
  const base: Manifest = versions[0]?.manifest ?? {
    name,
    routes: [],
    vars: {},
    limits: {},
    drainTimeoutMs: DRAIN_TIMEOUT_MS_DEFAULT,
  };
  const manifest = { ...base, routes: routesOrDefault(name, endpoint.routes) };
  try {
    const { format, code, map } = await ports.bundleSource({ code: draft, filename: `${name}.ts` });
    const candidate = { manifest, format, code, map, message: "" };
    const { version } = await storeCandidate(ports, candidate, noStage);
    const compiled = { ...settled(ports, endpoint), compiled: version.id };
    await ports.registry.append([
      { op: "endpoint.put", endpoint: compiled },
      { op: "version.put", version },
      ...versionsBeyond(ports, version),
    ]);
    return version;
  } catch (error) {
    const { code, message, detail } = errorData(error);
    if (infoOf(code).fault !== "author") throw error;
    const text = `Compilation failed: ${message}`;
    await save(ports, { ...endpoint, failure: { code, message: text } });
    throw new EdgeError(
      code,
      text,
      detail === undefined ? { cause: error } : { detail, cause: error },
    );
  }
}

async function start(ports: ControlPorts, name: string): Promise<void> {
  const { endpoint, deployment } = existing(ports, name);
  const compiled =
    endpoint.compiled === undefined ? null : ports.registry.version(name, endpoint.compiled);
  const wanted = compiled?.id ?? deployment?.versions[0]?.version;
  const started = { ...release(endpoint, wanted), stopped: false, enabled: true };
  if (compiled !== null) {
    const plan = { version: compiled, endpoint: settled(ports, started), message: "started" };
    await deploy(ports, plan, noStage);
  } else if (deployment !== null) {
    await save(ports, started);
  } else {
    throw new EdgeError("NOT_COMPILED");
  }
}

async function rollback(
  ports: ControlPorts,
  name: string,
  options: { readonly version?: string; readonly message?: string },
): Promise<PublishResult> {
  const begun = ports.clock.now();
  const { endpoint } = existing(ports, name);
  const id = options.version ?? previousOf(ports, name);
  const stored = id === null ? null : ports.registry.version(name, id);
  if (stored === null) throw new EdgeError("VERSION_NOT_FOUND");
  assertRoutes(ports, stored.manifest);
  assertEgress(ports, stored.manifest);
  assertCordons(ports, stored.manifest);
  assertBindings(ports.registry, stored.manifest, endpoint);
  // Checked again: its snapshot may be gone, or of another engine.
  const check = await checkCandidate(
    ports,
    { ...codeOf(ports, stored), manifest: stored.manifest },
    noStage,
  );
  const version = { ...stored, start: check.start };
  const free = release(endpoint, version.id);
  const record = settled(ports, { ...free, routes: version.manifest.routes });
  const message = options.message ?? `rollback to ${version.id}`;
  const live = await deploy(ports, { version, endpoint: record, message }, noStage);
  return resultOf(ports, { version, check, live, bundleMs: 0, begun });
}

/** The newest version that was deployed before the present one, is not the same and may run. */
function previousOf(ports: ControlPorts, name: string): string | null {
  const { registry } = ports;
  const { endpoint } = existing(ports, name);
  const [current, ...earlier] = registry.deployments(name);
  const live = current?.versions[0]?.version;
  const ids = earlier.map(({ versions }) => versions[0]?.version);
  const fits = (id: string): boolean =>
    id !== live && registry.version(name, id) !== null && quarantineOf(endpoint, id) === null;
  return ids.find((id) => id !== undefined && fits(id)) ?? null;
}

async function addStrike(
  ports: ControlPorts,
  name: string,
  found: Pick<Strike, "version" | "reason">,
): Promise<Verdict> {
  const endpoint = ports.registry.get(name)?.endpoint;
  if (endpoint === undefined || ports.registry.version(name, found.version) === null) {
    return { strikes: 0, quarantined: false };
  }
  const now = ports.clock.now();
  const struck = strike(endpoint, found, now);
  if (struck !== endpoint) {
    const revision = await ports.registry.append([{ op: "endpoint.put", endpoint: struck }]);
    await ports.fleet.announce(revision);
  }
  const quarantine = quarantineOf(struck, found.version);
  const strikes = quarantine?.strikes ?? strikesOf(struck, found.version, now);
  return { strikes: strikes.length, quarantined: quarantine !== null };
}

async function remove(ports: ControlPorts, name: string): Promise<void> {
  existing(ports, name);
  const revision = await ports.registry.append([{ op: "endpoint.delete", name }]);
  await ports.fleet.announce(revision);
  collectBlobs(ports);
}

function existing({ registry }: ControlPorts, name: string): Deployed {
  const found = registry.get(name);
  if (found === null) throw new EdgeError("ENDPOINT_NOT_FOUND");
  return found;
}

async function save(ports: ControlPorts, endpoint: EndpointRecord): Promise<void> {
  const revision = await ports.registry.append([
    { op: "endpoint.put", endpoint: touched(ports, endpoint) },
  ]);
  await ports.fleet.announce(revision);
}

function newRecord(ports: ControlPorts, name: string): EndpointRecord {
  const at = timestamp(ports.clock);
  return {
    id: randomUUID(),
    name,
    description: "",
    enabled: true,
    stopped: false,
    routes: [],
    draft: null,
    failure: null,
    createdAt: at,
    updatedAt: at,
  };
}

function touched(ports: ControlPorts, endpoint: EndpointRecord): EndpointRecord {
  return { ...endpoint, updatedAt: timestamp(ports.clock) };
}

/** Nothing failed last and nothing waits to be started. */
function settled(ports: ControlPorts, endpoint: EndpointRecord): EndpointRecord {
  const { compiled: _compiled, ...rest } = endpoint;
  return touched(ports, { ...rest, failure: null });
}

function codeOf(
  { blobs }: ControlPorts,
  { bundle, map, format }: VersionRecord,
): {
  readonly code: string;
  readonly map: string | null;
  readonly format: VersionRecord["format"];
} {
  const text = (hash: string): string => Buffer.from(blobs.read(hash)).toString("utf8");
  return { code: text(bundle), map: map === null ? null : text(map), format };
}
