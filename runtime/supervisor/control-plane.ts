// Joins the parts of the control plane: registry, blobs, compiler, admin API.

import { join } from "node:path";
import { createAdminApi } from "../../admin-api/app.ts";
import type { AdminDeps } from "../../admin-api/deps.ts";
import { listenAdmin, type AdminServer } from "../../admin-api/listen.ts";
import { bundleSource, stopEsbuild, warmEsbuild } from "../../compiler/bundle.ts";
import { createChecker } from "../../compiler/check.ts";
import { buildGuest } from "../../compiler/guest.ts";
import { openJails, type Jails } from "../../compiler/jails.ts";
import { openSnapshotStore, type SnapshotBasis } from "../../compiler/snapshot-store.ts";
import { openBlobs, type BlobStore } from "../../control/blobs.ts";
import { systemClock } from "../../control/clock.ts";
import { createControl, type Control } from "../../control/control.ts";
import { claimsOf } from "../../control/manifest.ts";
import { openRegistry } from "../../control/registry/registry.ts";
import { openKey } from "../../control/secrets/key.ts";
import {
  createSecretControl,
  hasSecrets,
  unreadableSecrets,
} from "../../control/secrets/secrets.ts";
import { createVault, type Vault } from "../../control/secrets/vault.ts";
import { createBindingControl } from "../../control/services/bound.ts";
import {
  createServiceControl,
  type ServiceControl,
  type ServicePorts,
} from "../../control/services/services.ts";
import { infoOf } from "../../sdk/errors.ts";
import type { GatewayConfig } from "../../sdk/gateway/config.ts";
import { cordonOf } from "../../sdk/isolation.ts";
import type { Fleet, RegistryWriter } from "../../sdk/node.ts";
import type { ServeOptions } from "../../sdk/serve.ts";
import { fileRoutes } from "../gateway/route/file-routes.ts";
import { traceRoutes } from "../gateway/route/trace.ts";
import type { RouteInput } from "../gateway/route/contract.ts";
import { compileRoutes } from "../gateway/route/table.ts";
import { safeEngineVersion } from "../isolate/engine.ts";
import { GUEST_ENTRY, JAIL_MAIN, V8_FLAGS } from "../link/places.ts";
import type { Log } from "../observe/log.ts";
import type { Confinement } from "./rights/confinement.ts";
import { shareRegistry } from "./rights/data-access.ts";
import { compileCacheDir } from "./environment.ts";
import type { WorkerFleet } from "./fleet.ts";
import { Schedule, timerClock } from "./schedule/schedule.ts";
import { refreshSnapshots } from "./snapshots.ts";

/** A check uses one, and another where a snapshot is probed; else that one is for the check that comes next. */
const JAILS_STANDING_BY = 2;

export interface ControlPlaneOptions {
  readonly options: ServeOptions;
  /** Folder for code that can be made again. */
  readonly cache: string;
  /** The registry; null: not begun. */
  readonly verified: Promise<void> | null;
  readonly fleet: Fleet &
    Pick<ServicePorts, "probe"> &
    Pick<AdminDeps, "callService"> &
    Pick<WorkerFleet, "runScheduled" | "purge">;
  readonly log: Log;
  readonly release: string;
  readonly confinement: Confinement;
  /** The account's; null: without one. */
  readonly home: string | null;
  /** In force, of the gateway's configuration file. */
  readonly gateway: () => GatewayConfig;
  /** Closed with the plane. */
  readonly servers: AdminDeps["gateway"]["servers"] & { close(): void };
  readonly gatewayUrl: () => string;
  readonly workersReady: () => number;
}

export interface ControlPlane {
  readonly registry: RegistryWriter;
  readonly control: Control;
  readonly services: ServiceControl;
  readonly schedule: Schedule;
  readonly bundleSource: typeof bundleSource;
  /** For the workers, as base64. */
  readonly secretKey: string;
  /** Throws ROUTE_CONFLICT where they stand against those of endpoints. */
  checkFileRoutes(routes: readonly RouteInput[]): void;
  listen(token: string): Promise<AdminServer>;
  /** After the node answers: what makes publishes and cold starts quick but is not needed to serve. */
  warm(): Promise<void>;
  close(): Promise<void>;
}

export async function openControlPlane(parts: ControlPlaneOptions): Promise<ControlPlane> {
  const { options } = parts;
  const { data } = options;
  const engine = safeEngineVersion();
  const registry = await openRegistry({
    dir: join(data, "registry"),
    clock: systemClock,
    verified: parts.verified,
  });
  if (parts.confinement.account !== null) shareRegistry(data);
  const key = openSecretKey(options, registry);
  const vault = createVault(key);
  warnOfUnreadable(registry, vault, parts.log);
  const guest = await buildGuest({ entry: GUEST_ENTRY, cacheDir: parts.cache });
  const store = openSnapshotStore(join(data, "snapshots"));
  const basis: SnapshotBasis = {
    engine,
    v8Flags: V8_FLAGS,
    guestHash: guest.hash,
  };
  const jails = openCompilerJails(parts);
  const checker = createChecker({ guest, basis, store, jails });
  const blobs = openBlobs(join(data, "blobs"));
  const control = createControl({
    registry,
    blobs,
    checker,
    fleet: parts.fleet,
    clock: systemClock,
    checkRoutes: (routes) => void compileRoutes([...fileRoutes(parts.gateway()), ...routes]),
    limitMax: options.limitMax,
    egressMayBePrivate: options.egressMayBePrivate || options.allowPrivateEgress,
    bundleSource,
    gatewayUrl: parts.gatewayUrl,
  });
  const schedule = new Schedule({
    registry,
    run: (scheduled, { versions: [version] }) =>
      parts.fleet.runScheduled(
        scheduled,
        version === undefined ? null : cordonOf(version.manifest),
      ),
    clock: timerClock,
    log: parts.log,
  });
  const services = openServices(parts, registry, vault);
  return {
    registry,
    control,
    services,
    schedule,
    bundleSource,
    secretKey: key.toString("base64"),
    listen: (token) =>
      listen(parts, { registry, control, services, schedule, blobs, token, vault }),
    checkFileRoutes: (routes) => void compileRoutes([...claimsOf(registry.all()), ...routes]),
    async warm() {
      if (options.standby) await warmEsbuild();
      await checker.preparePlatform();
      await refreshSnapshots({ registry, blobs, checker, store, basis });
    },
    async close() {
      schedule.close();
      parts.servers.close();
      jails.close();
      await stopEsbuild();
      await registry.close();
    },
  };
}

function openServices(
  { fleet }: ControlPlaneOptions,
  registry: RegistryWriter,
  vault: Vault,
): ServiceControl {
  const probe: ServicePorts["probe"] = (id) => fleet.probe(id);
  return createServiceControl({ registry, fleet, clock: systemClock, vault, probe });
}

/** Throws SECRET_KEY_INVALID. */
function openSecretKey(options: ServeOptions, registry: RegistryWriter): Buffer {
  const { data, secretKey, secretKeyFile } = options;
  return openKey({
    data,
    isNeeded: hasSecrets(registry),
    ...(secretKey === undefined ? {} : { key: secretKey }),
    ...(secretKeyFile === undefined ? {} : { keyFile: secretKeyFile }),
  });
}

function warnOfUnreadable(registry: RegistryWriter, vault: Vault, log: Log): void {
  const found = unreadableSecrets(registry, vault);
  if (found.length === 0) return;
  const { title, fix } = infoOf("SECRET_UNREADABLE");
  log.write("error", `${title}: ${found.join(", ")}. ${fix ?? ""}`, { code: "SECRET_UNREADABLE" });
}

function openCompilerJails({ options, confinement, home }: ControlPlaneOptions): Jails {
  return openJails({
    spawn: confinement.spawn,
    main: JAIL_MAIN,
    v8Flags: V8_FLAGS,
    compileCacheDir: compileCacheDir(home),
    standby: options.standby ? JAILS_STANDING_BY : 0,
  });
}

interface Served {
  readonly registry: RegistryWriter;
  readonly control: Control;
  readonly services: ServiceControl;
  readonly schedule: Schedule;
  readonly blobs: BlobStore;
  readonly token: string;
  readonly vault: Vault;
}

function listen(parts: ControlPlaneOptions, served: Served): Promise<AdminServer> {
  const { options, log, fleet } = parts;
  const { registry, control, vault } = served;
  const ports = { registry, fleet, clock: systemClock, vault, alone: control.alone };
  const app = createAdminApi({
    ...served,
    callService: (call, args) => fleet.callService(call, args),
    secrets: createSecretControl(ports),
    bindings: createBindingControl(ports),
    crons: served.schedule,
    fleet,
    gateway: {
      config: parts.gateway,
      servers: parts.servers,
      trace: (asked) =>
        traceRoutes([...fileRoutes(parts.gateway()), ...claimsOf(registry.all())], asked),
      purge: (purge) => fleet.purge(purge),
    },
    clock: systemClock,
    version: parts.release,
    workersReady: parts.workersReady,
    gatewayUrl: parts.gatewayUrl,
    host: options.adminHost,
    report: (error, request) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      log.write("error", text, { request });
    },
  });
  return listenAdmin({ host: options.adminHost, port: options.adminPort, app });
}
