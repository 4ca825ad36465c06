// `edge doctor`: tries everything a node needs on this machine, one probe each, and says what was found. A probe
// loads its part by import() of that part's own door, so that one that does not even load is a finding like any
// other. It changes nothing: what it has to write goes into a temporary folder, and the data folder is only asked.

import { execFile } from "node:child_process";
import { accessSync, constants, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { type Code, EdgeError, infoOf, type Json } from "../../sdk/errors.ts";
import { ISOLATE_FLAGS, PROBE_MAIN } from "../link/places.ts";
import { controlSocketPath } from "./control-socket.ts";
import { findWorkers, listeningPorts } from "./processes.ts";

/** Linux 5.14 and newer; of the network namespace. */
const MIGRATION = "/proc/sys/net/ipv4/tcp_migrate_req";
const NODE_MAJOR = 24;
/** For a process that starts and runs one line. */
const PROBE_MS_MAX = 20_000;

export interface DoctorOptions {
  readonly data: string;
  readonly host: string;
  readonly port: number;
  readonly adminHost: string;
  readonly adminPort: number;
  /** As in `edge serve --user`. */
  readonly user?: string;
}

export interface DoctorCheck {
  readonly name: string;
  /** warning: a node can run, but not as it would by default. */
  readonly status: "ok" | "warning" | "error";
  readonly found: string;
  /** What is wrong; its `fix` is the way out. */
  readonly code?: Code;
}

export interface DoctorReport {
  readonly ok: boolean;
  readonly checks: readonly DoctorCheck[];
}

type Finding = Omit<DoctorCheck, "name">;

export async function doctor(options: DoctorOptions): Promise<DoctorReport> {
  const checks: DoctorCheck[] = [];
  const probe = async (
    name: string,
    code: Code,
    run: () => Finding | Promise<Finding>,
  ): Promise<void> => {
    try {
      checks.push({ name, ...(await run()) });
    } catch (error) {
      const known = error instanceof EdgeError ? error.code : code;
      checks.push({ name, status: "error", found: reason(error), code: known });
    }
  };
  await probe("Node", "ENGINE_MISSING", findNode);
  await probe("isolated-vm", "INSTALL_BROKEN", findEngine);
  await probe("uWebSockets.js", "ADDON_UNLOADABLE", findHttp);
  await probe("lmdb", "INSTALL_BROKEN", findRegistry);
  await probe("esbuild", "INSTALL_BROKEN", findCompiler);
  await probe("data folder", "DATA_UNWRITABLE", () => findData(options.data));
  await probe("workers", "INTERNAL", () => findRunning(resolve(options.data)));
  await probe("user", "USER_UNUSABLE", () => findUser(options.user));
  await probe("no_new_privs", "NO_NEW_PRIVS_MISSING", findNoNewPrivs);
  await probe("gateway port", "PORT_IN_USE", () => findPort(options.host, options.port));
  await probe("admin port", "PORT_IN_USE", () => findPort(options.adminHost, options.adminPort));
  await probe("new connections", "INTERNAL", findMigration);
  return { ok: checks.every((check) => check.status !== "error"), checks };
}

export function reportJson(report: DoctorReport): Json {
  return { ok: report.ok, checks: report.checks.map((check) => ({ ...check })) };
}

export function reportText({ checks }: DoctorReport): string {
  const width = Math.max(...checks.map((check) => check.name.length));
  const marks = { ok: "ok     ", warning: "warning", error: "WRONG  " } as const;
  const lines = checks.flatMap(({ name, status, found, code }) => {
    const fix = code === undefined ? undefined : infoOf(code).fix;
    const line = `${marks[status]}  ${name.padEnd(width)}  ${found}`;
    return fix === undefined ? [line] : [line, `${" ".repeat(width + 11)}${code}: ${fix}`];
  });
  return lines.join("\n");
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function findNode(): Finding {
  const found = `${process.version} (V8 ${process.versions.v8}) at ${process.execPath}`;
  if (Number.parseInt(process.versions.node) !== NODE_MAJOR) {
    return { status: "error", found, code: "ENGINE_MISSING" };
  }
  return { status: "ok", found };
}

async function findEngine(): Promise<Finding> {
  const { safeEngineVersion } = await import("../isolate/engine.ts");
  const version = safeEngineVersion();
  const args = [...ISOLATE_FLAGS, PROBE_MAIN];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: PROBE_MS_MAX });
  return { status: "ok", found: `${version}, an isolate ran in ${stdout} ms` };
}

async function findHttp(): Promise<Finding> {
  const { describeUws } = await import("../http/uws.ts");
  const { how, glibc, detail } = describeUws();
  const library = glibc === "" ? "no glibc" : `glibc ${glibc}`;
  if (how === "plain") return { status: "ok", found: `loads (${library})` };
  if (how === "redirected") {
    const found = `loads as a copy made for this older C library (${library}): ${detail}`;
    return { status: "ok", found };
  }
  // The other listener needs no addon, so a node can run.
  return { status: "warning", found: `${detail} (${library})`, code: "ADDON_UNLOADABLE" };
}

async function findRegistry(): Promise<Finding> {
  const { openStore } = await import("../../control/registry/lmdb.ts");
  const folder = mkdtempSync(join(tmpdir(), "islet-doctor-"));
  try {
    const store = openStore({ dir: folder, readOnly: false });
    const { schema } = store.state();
    await store.close();
    return { status: "ok", found: `opens, schema ${schema}` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function findCompiler(): Promise<Finding> {
  const { runEsbuild, stopEsbuild } = await import("../../compiler/esbuild.ts");
  const started = performance.now();
  try {
    const outcome = await runEsbuild({ stdin: { contents: "let a: number", loader: "ts" } });
    if (!outcome.ok) return { status: "error", found: "compiles nothing", code: "INSTALL_BROKEN" };
  } finally {
    await stopEsbuild();
  }
  return { status: "ok", found: `compiled in ${(performance.now() - started).toFixed(0)} ms` };
}

/** Only asks; the folder, if it is missing, is made by the first `edge serve`. */
function findData(data: string): Finding {
  const path = resolve(data);
  let existing = path;
  while (!existsSync(existing)) existing = dirname(existing);
  try {
    accessSync(existing, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch {
    const found = `${existing} cannot be written by this user`;
    return { status: "error", found, code: "DATA_UNWRITABLE" };
  }
  const found = existing === path ? `${path} can be written` : `${path} does not exist yet`;
  return { status: "ok", found };
}

async function findRunning(data: string): Promise<Finding> {
  const socketPath = controlSocketPath(data);
  const pids = findWorkers(socketPath).map(({ pid }) => pid);
  if (pids.length === 0) return { status: "ok", found: "none of this folder run" };
  if (await isAnswered(socketPath)) {
    return { status: "ok", found: `${pids.length} of this folder run under their supervisor` };
  }
  const ports = [...new Set(pids.flatMap(listeningPorts))];
  const where = ports.length === 0 ? "" : ` on port ${ports.join(", ")}`;
  const found = `processes ${pids.join(", ")} serve${where} without a supervisor`;
  return { status: "warning", found, code: "WORKERS_ORPHANED" };
}

function isAnswered(socketPath: string): Promise<boolean> {
  const { promise, resolve: settle } = Promise.withResolvers<boolean>();
  const socket = createConnection(socketPath, () => settle(true));
  socket.once("error", () => settle(false));
  return promise.finally(() => socket.destroy());
}

/** Who would run workers and jails. */
async function findUser(user: string | undefined): Promise<Finding> {
  if (user !== undefined) {
    const { findAccount } = await import("./rights/confinement.ts");
    const { name, uid, gid } = findAccount(user);
    return { status: "ok", found: `workers would run as ${name} (${uid}:${gid})` };
  }
  const found = `workers would run as ${userInfo().username}`;
  return process.getuid?.() === 0
    ? { status: "warning", found, code: "RUNS_AS_ROOT" }
    : { status: "ok", found };
}

async function findNoNewPrivs(): Promise<Finding> {
  const { findSetpriv } = await import("./rights/confinement.ts");
  const setpriv = findSetpriv();
  return setpriv === null
    ? { status: "warning", found: "setpriv was not found", code: "NO_NEW_PRIVS_MISSING" }
    : { status: "ok", found: `workers get it from ${setpriv}` };
}

async function findPort(host: string, port: number): Promise<Finding> {
  const { probePort } = await import("../http/port.ts");
  try {
    await probePort({ host, port });
    return { status: "ok", found: port === 0 ? "a free one" : `${port} on ${host} is free` };
  } catch (error) {
    if (!(error instanceof EdgeError) || error.code !== "PORT_IN_USE") throw error;
    // Perhaps by the node that is being examined.
    return { status: "warning", found: reason(error), code: "PORT_IN_USE" };
  }
}

/** Nothing is wrong without it: one connection in ten thousand, while workers go. */
function findMigration(): Finding {
  const setting = existsSync(MIGRATION) ? readFileSync(MIGRATION, "utf8").trim() : "missing";
  const found =
    setting === "1"
      ? "go to another worker when theirs closes its port (net.ipv4.tcp_migrate_req=1)"
      : setting === "missing"
        ? "may be reset while a worker closes its port; Linux 5.14 can hand them on"
        : "may be reset while a worker closes its port; sysctl net.ipv4.tcp_migrate_req=1 hands them on";
  return { status: "ok", found };
}
