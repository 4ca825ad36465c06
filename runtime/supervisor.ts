// Composition root of the control plane, and the first process of a node: checks that the folder and the ports
// can be had, keeps the workers, serves the admin API, and on SIGTERM or SIGINT drains and ends with 0.

import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { AdminServer } from "../admin-api/listen.ts";
import { openDataFolder, type DataFolder } from "../control/data-folder.ts";
import type { ServeOptions } from "../sdk/serve.ts";
import { probePort } from "./http/port.ts";
import { RELEASE } from "./link/places.ts";
import { createLog, type Log } from "./observe/log.ts";
import { adminToken, TOKEN_FILE } from "./supervisor/admin-token.ts";
import { openControlPlane, type ControlPlane } from "./supervisor/control-plane.ts";
import { publishDemo, DEMO_NAME } from "./supervisor/demo.ts";
import { WorkerFleet } from "./supervisor/fleet.ts";
import { Keeper } from "./supervisor/keeper.ts";

/** Length of a Unix socket's path on Linux, with its final zero. */
const SOCKET_PATH_MAX = 107;

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
  const folder = await openDataFolder(options.data);
  try {
    await serveIn(folder, options, environment);
  } finally {
    await folder.close();
  }
}

async function serveIn(
  folder: DataFolder,
  options: ServeOptions,
  environment: ServeEnvironment,
): Promise<void> {
  const log = createLog({ format: process.stderr.isTTY ? "pretty" : "json", tag: "supervisor" });
  const port = await probePort({ host: options.host, port: options.port });
  if (options.adminPort !== 0) {
    await probePort({ host: options.adminHost, port: options.adminPort });
  }
  const cache = join(folder.path, "cache");
  const gatewayUrl = `http://${shownHost(options.host)}:${port}`;
  const fleet = new WorkerFleet(() => keeper);
  const keeper: Keeper = new Keeper({
    workers: options.workers,
    socketPath: socketPath(folder.path),
    log,
    config: {
      host: options.host,
      port,
      listener: options.listener,
      data: folder.path,
      cache,
      defaultTrust: options.defaultTrust,
      allowPrivateEgress: options.allowPrivateEgress,
      poolSlicesMax: Math.max(2, options.workers),
      logFormat: process.stderr.isTTY ? "pretty" : "json",
      drainTimeoutMs: options.drainTimeoutMs,
      limitMax: options.limitMax,
      dev: options.dev,
    },
    onMessage: (worker, message) => fleet.message(worker, message),
    onGone: (worker) => fleet.gone(worker),
  });
  const stopped = stopSignal();
  const plane = await openControlPlane({
    options: { ...options, data: folder.path },
    cache,
    fleet,
    log,
    release: environment.release,
    gatewayUrl: () => gatewayUrl,
    workersReady: () => (keeper.serving.length >= options.workers ? options.workers : 0),
  });
  let admin: AdminServer | null = null;
  try {
    await keeper.start();
    admin = await plane.listen(adminToken(folder.path, options.adminToken));
    if (options.demo && plane.registry.revision() === 0) {
      await tryDemo(plane, log);
    }
    announceReady(options, { folder, port, admin, keeper, gatewayUrl, environment });
    keeper.standBy();
    void warm(plane, log);
    await stopped;
    environment.print("Draining; once more to end at once.");
  } finally {
    process.once("SIGINT", () => keeper.killAll());
    process.once("SIGTERM", () => keeper.killAll());
    await keeper.stop(options.drainTimeoutMs);
    await admin?.close();
    await plane.close();
    log.flush();
  }
}

/** A node that cannot show its demo is a node all the same. */
async function tryDemo(plane: ControlPlane, log: Log): Promise<void> {
  try {
    await publishDemo(plane.control, plane.bundleSource);
  } catch (error) {
    log.write("warn", `The demo could not be published: ${String(error)}`);
  }
}

async function warm(plane: ControlPlane, log: Log): Promise<void> {
  try {
    await plane.warm();
  } catch (error) {
    log.write("warn", `Snapshots could not be prepared: ${String(error)}`);
  }
}

interface Ready {
  readonly folder: DataFolder;
  readonly port: number;
  readonly admin: AdminServer;
  readonly keeper: Keeper;
  readonly gatewayUrl: string;
  readonly environment: ServeEnvironment;
}

function announceReady(options: ServeOptions, ready: Ready): void {
  const { print } = ready.environment;
  const { readyFile } = options;
  if (readyFile !== undefined) {
    const workers = ready.keeper.serving.map((worker) => worker.pid);
    const text = JSON.stringify({
      port: ready.port,
      adminPort: ready.admin.port,
      pid: process.pid,
      workers,
    });
    // Whole or not at all: somebody polls for it.
    const temporary = `${readyFile}.${process.pid}`;
    mkdirSync(dirname(readyFile), { recursive: true });
    writeFileSync(temporary, text);
    renameSync(temporary, readyFile);
  }
  print(`Gateway  ${ready.gatewayUrl}`);
  print(`Admin    http://${shownHost(options.adminHost)}:${ready.admin.port}`);
  print(
    options.adminToken === undefined
      ? `Token    in ${join(ready.folder.path, TOKEN_FILE)}`
      : "Token    as given",
  );
  if (options.demo) print(`Try      curl ${ready.gatewayUrl}/${DEMO_NAME}`);
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    process.once("SIGINT", () => resolve());
    process.once("SIGTERM", () => resolve());
  });
}

/** In the data folder, or, where that path is too long for a socket, in a private temporary one. */
function socketPath(data: string): string {
  const path = join(data, "run", "control.sock");
  if (Buffer.byteLength(path) <= SOCKET_PATH_MAX) return path;
  const name = createHash("sha256").update(data).digest("hex").slice(0, 16);
  const folder = join(tmpdir(), `islet-${process.getuid?.() ?? 0}-${name}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return join(folder, "control.sock");
}

function shownHost(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}
