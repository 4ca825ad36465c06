// Composition root of the control plane, and the first process of a node: checks that the folder and the ports
// can be had, keeps the workers, serves the admin API, and on SIGTERM or SIGINT drains and ends with 0.

import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { AdminServer } from "../admin-api/listen.ts";
import { openDataFolder, type DataFolder } from "../control/data-folder.ts";
import { AddedServers } from "../control/gateway/servers.ts";
import { EdgeError } from "../sdk/errors.ts";
import { cordonsOf } from "../sdk/isolation.ts";
import type { ServeOptions } from "../sdk/serve.ts";
import { POSTGRES_FOLDER } from "../services/database/postgres/embedded/launch.ts";
import { whenEnded } from "../services/database/postgres/embedded/postmaster.ts";
import { fileRoutes } from "./gateway/route/file-routes.ts";
import { probePort } from "./http/port.ts";
import type { ToWorker } from "./link/messages.ts";
import { RELEASE, SHARED_FOLDER, WORKER_MAIN } from "./link/places.ts";
import { createLog, type Log } from "./observe/log.ts";
import { adminToken, TOKEN_FILE } from "./supervisor/admin-token.ts";
import {
  openControlPlane,
  type ControlPlane,
  type ControlPlaneOptions,
} from "./supervisor/control-plane.ts";
import { controlSocketPath, cordonFolder } from "./supervisor/control-socket.ts";
import { narrowInheritance } from "./supervisor/environment.ts";
import { publishDemo, DEMO_NAME } from "./supervisor/demo.ts";
import { WorkerFleet } from "./supervisor/fleet.ts";
import { GatewayFile } from "./supervisor/gateway-file.ts";
import { memoryBudgets } from "./supervisor/health.ts";
import { strike } from "./supervisor/inquest/strike.ts";
import { Keeper } from "./supervisor/keeper.ts";
import { findWorkers, type Orphan } from "./supervisor/processes.ts";
import {
  findAccount,
  openConfinement,
  warnOfRights,
  type Account,
} from "./supervisor/rights/confinement.ts";
import { openWorkersFolder, shareData } from "./supervisor/rights/data-access.ts";
import { checkFront, checkProxies, type FrontPlace } from "./supervisor/tls/check.ts";
import { findPorts, type FrontPorts } from "./supervisor/tls/ports.ts";
import { tlsFlags } from "./supervisor/tls/flags.ts";
import { timerClock } from "./supervisor/schedule/schedule.ts";
import type { WorkerStart } from "./supervisor/worker-process.ts";
import { workerConfig } from "./supervisor/worker-config.ts";

export interface ServeEnvironment {
  readonly release: string;
  /** One line each, for the person who started the node. */
  readonly print: (line: string) => void;
}

/** Resolves when the node has drained and ended. Rejects when it cannot start. */
export async function serve(
  options: ServeOptions,
  environment: ServeEnvironment = {
    release: RELEASE,
    print: (line) => process.stdout.write(`${line}\n`),
  },
): Promise<void> {
  const variables = narrowInheritance();
  const account = options.user === undefined ? null : findAccount(options.user);
  const log = createLog({ format: process.stderr.isTTY ? "pretty" : "json", tag: "supervisor" });
  const file = new GatewayFile({ path: options.config ?? null, variables, log });
  const folder = await openDataFolder(options.data);
  try {
    await serveIn({ folder, account, file, log }, options, environment);
  } finally {
    await folder.close();
  }
}

interface Start {
  readonly folder: DataFolder;
  readonly account: Account | null;
  readonly file: GatewayFile;
  readonly log: Log;
}

async function serveIn(
  { folder, account, file, log }: Start,
  options: ServeOptions,
  environment: ServeEnvironment,
): Promise<void> {
  const socketPath = controlSocketPath(folder.path);
  // Whoever had the folder's lock before is dead: what still works for it is nobody's.
  const orphans = findWorkers(socketPath);
  const { port, tlsPort } = await openPorts(options, { file, folder, orphans });
  const start = confine(folder, account, Math.min(port, tlsPort ?? port));
  openShared(folder.path, account, orphans.length > 0);
  warnOfRights(start.confinement, log);
  const gatewayUrl = `http://${shownHost(options.host)}:${port}`;
  const budgets = memoryBudgets(options);
  const stopped = stopSignal(file);
  const fleet = new WorkerFleet(() => keeper);
  const plane = await openControlPlane({
    options: { ...options, data: folder.path },
    ...start,
    cache: join(folder.path, "cache"),
    fleet,
    log,
    release: environment.release,
    ...gatewayOf({ folder, file, log }),
    gatewayUrl: () => gatewayUrl,
    workersReady: () => (keeper.servingClients.length >= options.workers ? options.workers : 0),
  });
  const keeper: Keeper = new Keeper({
    workers: options.workers,
    workerMemoryBytes: budgets.workerMemoryBytes,
    socketPath,
    log,
    start,
    config: workerConfig(options, {
      data: folder.path,
      cache: join(folder.path, "cache"),
      port,
      tlsPort,
      cordons: cordonFolder(socketPath),
      release: environment.release,
      uid: account?.uid ?? null,
      secretKey: plane.secretKey,
    }),
    greeting: () => greeting(budgets.isolateBytes, file),
    cordons: () => cordonsOf(plane.registry.all()),
    onMessage: (worker, message) => fleet.message(worker, message),
    onGone: (worker) => fleet.gone(worker),
    onCulprit: (culprit, reason) => void strike({ plane, log, culprit, reason }),
  });
  let admin: AdminServer | null = null;
  let isReady = false;
  try {
    await followFile(file, { plane, fleet, listener: options.listener, tlsPort });
    await keeper.start(orphans);
    admin = await plane.listen(adminToken(folder.path, options.adminToken));
    if (options.demo && plane.registry.revision() === 0) await tryDemo(plane, log);
    announceReady(options, { folder, port, tlsPort, admin, keeper, gatewayUrl, environment });
    isReady = true;
    keeper.standBy();
    void goOn(plane, log);
    await stopped;
    environment.print("Draining; once more to end at once.");
  } finally {
    for (const clocked of [file, plane.schedule]) clocked.close();
    for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => keeper.killAll());
    // A start that fails must not end what served before it.
    await (isReady ? endWorkers(keeper, folder) : keeper.abandon());
    await admin?.close();
    await plane.close();
    log.flush();
  }
}

/** Beyond that it is left to itself: it ends anyway. */
const POSTGRES_END_MS_MAX = 10_000;

/** And with them the node's Postgres, which nobody wants then: after the end its folder is at rest. */
async function endWorkers(keeper: Keeper, { path }: DataFolder): Promise<void> {
  await keeper.stop();
  await whenEnded(join(path, "services", POSTGRES_FOLDER), POSTGRES_END_MS_MAX);
}

function greeting(isolateBytes: number, { config }: GatewayFile): readonly ToWorker[] {
  return [
    { type: "budget", isolateBytes },
    { type: "gateway", ask: 0, config },
  ];
}

async function openPorts(
  options: ServeOptions,
  { file, folder, orphans }: Pick<Start, "file" | "folder"> & { orphans: readonly Orphan[] },
): Promise<FrontPorts> {
  file.secure(tlsFlags(options, folder.path));
  const hasTls = file.config.tls !== null;
  if (options.tlsPort !== undefined && !hasTls) {
    const needed = "tls in --config, --tls-cert or --tls-self-signed";
    throw new EdgeError("USAGE", `--tls-port needs a certificate: ${needed}`);
  }
  const ports = await findPorts(options, { orphans, hasTls });
  const { adminHost: host, adminPort: port } = options;
  if (port !== 0) await probePort({ host, port });
  return ports;
}

interface Following extends Omit<FrontPlace, "clientAuth"> {
  readonly plane: ControlPlane;
  readonly fleet: WorkerFleet;
}

function followFile(
  file: GatewayFile,
  { plane, fleet, listener, tlsPort }: Following,
): Promise<void> {
  const place = { listener, tlsPort, clientAuth: file.config.tls?.clientAuth ?? "none" } as const;
  fleet.reloads = () => file.reloads;
  return file.follow({
    takeServices: (services) => plane.services.takeFile(services),
    check(config) {
      checkFront(config.tls, place);
      checkProxies(config.proxyProtocol, listener);
      plane.checkFileRoutes(fileRoutes(config));
    },
    deliver: (config) => fleet.configureGateway(config),
  });
}

/** The file, and servers that were added to its upstreams while the node ran. */
function gatewayOf({
  folder,
  file,
  log,
}: Omit<Start, "account">): Pick<ControlPlaneOptions, "gateway" | "servers"> {
  const servers = new AddedServers({
    folder: folder.path,
    clock: { ...timerClock, now: () => performance.now() },
    file: () => file.file,
    deliver: () => file.refresh(),
    report: (error) => {
      log.write("error", `A server stays although its time is over: ${String(error)}`);
    },
  });
  file.extendBy((config) => servers.extend(config));
  return { gateway: () => file.config, servers };
}

/** With what rights workers and jails are started. The account has to reach what they read. */
function confine(folder: DataFolder, account: Account | null, port: number): WorkerStart {
  const confinement = openConfinement({ account, port });
  if (account === null) return { confinement, home: null };
  const home = shareData(folder.path, account);
  confinement.assertReadable([process.execPath, WORKER_MAIN, join(folder.path, "blobs")]);
  return { confinement, home };
}

/** A node that cannot show its demo is a node all the same. */
async function tryDemo(plane: ControlPlane, log: Log): Promise<void> {
  try {
    await publishDemo(plane.control, plane.bundleSource);
  } catch (error) {
    log.write("warn", `The demo could not be published: ${String(error)}`);
  }
}

/** What a node does beside serving. */
async function goOn(plane: ControlPlane, log: Log): Promise<void> {
  plane.schedule.start();
  try {
    await plane.warm();
  } catch (error) {
    log.write("warn", `Snapshots could not be prepared: ${String(error)}`);
  }
}

interface Ready {
  readonly folder: DataFolder;
  readonly port: number;
  readonly tlsPort: number | null;
  readonly admin: AdminServer;
  readonly keeper: Keeper;
  readonly gatewayUrl: string;
  readonly environment: ServeEnvironment;
}

function announceReady(options: ServeOptions, ready: Ready): void {
  const { print } = ready.environment;
  const { readyFile } = options;
  if (readyFile !== undefined) {
    const workers = ready.keeper.servingClients.map((worker) => worker.pid);
    const text = JSON.stringify({
      port: ready.port,
      ...(ready.tlsPort !== null && { tlsPort: ready.tlsPort }),
      adminPort: ready.admin.port,
      pid: process.pid,
      workers,
    });
    // Whole or not at all: somebody polls for it.
    const temporary = `${readyFile}.${process.pid}`;
    mkdirSync(dirname(readyFile), { recursive: true });
    writeFileSync(temporary, text);
    // Not a secret, and others may wait for it.
    chmodSync(temporary, 0o644);
    renameSync(temporary, readyFile);
  }
  print(`Gateway  ${ready.gatewayUrl}`);
  if (ready.tlsPort !== null) print(`TLS      https://${shownHost(options.host)}:${ready.tlsPort}`);
  print(`Admin    http://${shownHost(options.adminHost)}:${ready.admin.port}`);
  print(
    options.adminToken === undefined
      ? `Token    in ${join(ready.folder.path, TOKEN_FILE)}`
      : "Token    as given",
  );
  if (options.demo) print(`Try      curl ${ready.gatewayUrl}/${DEMO_NAME}`);
}

/**
 * SIGHUP: with a configuration file, to read it again. Without, the terminal that the node was started in is closed;
 * its workers have none, and would stay.
 */
function stopSignal(file: GatewayFile): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, resolve);
    process.on("SIGHUP", () => (file.isThere ? void file.reload() : resolve()));
  });
}

/** Where gateways share what they count. A node that starts without workers of before begins anew. */
function openShared(data: string, account: Account | null, isAdopting: boolean): void {
  const folder = join(data, SHARED_FOLDER);
  if (!isAdopting) rmSync(folder, { recursive: true, force: true });
  openWorkersFolder(folder, account);
}

function shownHost(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}
