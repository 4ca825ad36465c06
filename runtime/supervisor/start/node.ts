// The node behind `serve`: checks that its ports can be had, joins the parts of the control plane, keeps the workers,
// serves the admin API, and on SIGTERM or SIGINT drains and returns. With all that it imports it takes as long to load
// as a worker does: see early.ts.

import { rmSync } from "node:fs";
import { join } from "node:path";
import type { AdminServer } from "../../../admin-api/listen.ts";
import type { DataFolder } from "../../../control/data-folder.ts";
import { AddedServers } from "../../../control/gateway/servers.ts";
import { cordonsOf } from "../../../sdk/isolation.ts";
import type { ServeOptions } from "../../../sdk/serve.ts";
import { POSTGRES_FOLDER } from "../../../services/database/postgres/embedded/launch.ts";
import { whenEnded } from "../../../services/database/postgres/embedded/postmaster.ts";
import { fileRoutes } from "../../gateway/route/file-routes.ts";
import { probePort } from "../../http/port.ts";
import type { ToWorker } from "../../link/messages.ts";
import { SHARED_FOLDER, WORKER_MAIN } from "../../link/places.ts";
import { createLog, type Log } from "../../observe/log.ts";
import { adminToken, TOKEN_FILE } from "../admin-token.ts";
import { openControlPlane, type ControlPlane, type ControlPlaneOptions } from "../control-plane.ts";
import { controlSocketPath, cordonFolder } from "../control-socket.ts";
import { publishDemo, DEMO_NAME } from "../demo.ts";
import { WorkerFleet } from "../fleet.ts";
import { GatewayFile } from "../gateway-file.ts";
import { memoryBudgets } from "../health.ts";
import { strike } from "../inquest/strike.ts";
import { Keeper, type KeeperOptions } from "../keeper.ts";
import { findWorkers, type Orphan } from "../processes.ts";
import { openConfinement, warnOfRights, type Account } from "../rights/confinement.ts";
import { openWorkersFolder, shareData } from "../rights/data-access.ts";
import { assertHasTls, checkFront, checkProxies, type FrontPlace } from "../tls/check.ts";
import { findPorts, type FrontPorts } from "../tls/ports.ts";
import { tlsFlags } from "../tls/flags.ts";
import { timerClock } from "../schedule/schedule.ts";
import type { WorkerStart } from "../worker-process.ts";
import { workerConfig, type Place } from "../worker-config.ts";
import { openControlServer } from "./control-server.ts";
import type { EarlyStart } from "./early.ts";
import { writeReadyFile } from "./ready-file.ts";

export interface ServeEnvironment {
  readonly release: string;
  /** One line each, for the person who started the node. */
  readonly print: (line: string) => void;
}

/** Its folder is open and nobody else's. */
export interface Opened {
  readonly folder: DataFolder;
  readonly account: Account | null;
  /** Of the environment that the supervisor was started in. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** What was started ahead of all this; null: nothing. */
  readonly early: EarlyStart | null;
  /** The registry, in a process apart: it takes as long as that needs to start. null: not begun. */
  readonly verified: Promise<void> | null;
}

interface Start extends Opened {
  readonly file: GatewayFile;
  readonly log: Log;
}

export async function serveIn(
  opened: Opened,
  options: ServeOptions,
  environment: ServeEnvironment,
): Promise<void> {
  const log = createLog({ format: process.stderr.isTTY ? "pretty" : "json", tag: "supervisor" });
  const path = options.config ?? null;
  const file = new GatewayFile({ path, variables: opened.variables, log });
  await run({ ...opened, file, log }, options, environment);
}

async function run(
  { folder, account, early, verified, file, log }: Start,
  options: ServeOptions,
  environment: ServeEnvironment,
): Promise<void> {
  const socketPath = controlSocketPath(folder.path);
  // Whoever had the folder's lock before is dead: what still works for it is nobody's.
  const orphans = early === null ? findWorkers(socketPath) : [];
  const { port, tlsPort } = await openPorts(options, { file, folder, orphans });
  const start = early?.start ?? confine(folder, account, Math.min(port, tlsPort ?? port));
  openShared(folder.path, start, { isAdopting: orphans.length > 0, log });
  const gatewayUrl = `http://${shownHost(options.host)}:${port}`;
  const budgets = memoryBudgets(options);
  const stopped = stopSignal(file);
  const fleet = new WorkerFleet(() => keeper);
  const plane = await openControlPlane({
    options: { ...options, data: folder.path },
    ...start,
    verified,
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
    hasStandby: options.standby,
    workerMemoryBytes: budgets.workerMemoryBytes,
    socketPath,
    meet: () => meet(early, socketPath, account),
    log,
    start,
    config: workerConfig(options, {
      ...placesIn(folder, socketPath),
      port,
      tlsPort,
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
    void goOn(plane, keeper, log);
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

function placesIn(
  { path }: DataFolder,
  socketPath: string,
): Pick<Place, "data" | "cache" | "cordons"> {
  return { data: path, cache: join(path, "cache"), cordons: cordonFolder(socketPath) };
}

async function meet(
  early: EarlyStart | null,
  socketPath: string,
  account: Account | null,
): ReturnType<KeeperOptions["meet"]> {
  return early ?? { control: await openControlServer(socketPath, account), workers: [] };
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
  assertHasTls(options, file.config.tls);
  const ports = await findPorts(options, { orphans, hasTls: file.config.tls !== null });
  await probePort({ host: options.adminHost, port: options.adminPort });
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
}: Pick<Start, "folder" | "file" | "log">): Pick<ControlPlaneOptions, "gateway" | "servers"> {
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
async function goOn(plane: ControlPlane, keeper: Keeper, log: Log): Promise<void> {
  keeper.standBy();
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
    writeReadyFile(readyFile, {
      port: ready.port,
      ...(ready.tlsPort !== null && { tlsPort: ready.tlsPort }),
      adminPort: ready.admin.port,
      pid: process.pid,
      workers,
    });
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
function openShared(
  data: string,
  { confinement }: WorkerStart,
  { isAdopting, log }: { isAdopting: boolean; log: Log },
): void {
  const folder = join(data, SHARED_FOLDER);
  if (!isAdopting) rmSync(folder, { recursive: true, force: true });
  openWorkersFolder(folder, confinement.account);
  warnOfRights(confinement, log);
}

function shownHost(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}
