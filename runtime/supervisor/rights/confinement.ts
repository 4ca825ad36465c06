// What the processes that run authors' code keep of the supervisor that starts them: nothing but what is said here.
//
// - Another user, when root names one: from its first instruction on, never root for a moment, in no other group.
// - No way to gain rights again (no_new_privs), where util-linux's setpriv is installed: Node cannot ask for it.
// - A session of its own: no terminal that it could type into, and a closed terminal does not end it.
// - The environment and the descriptors it is given. LMDB opens its file without close-on-exec, and whoever started
//   the node may have left files open; all those numbers lead to /dev/null in the child.

import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { openSync, readdirSync, readFileSync } from "node:fs";
import { type Code, EdgeError, infoOf } from "../../../sdk/errors.ts";
import type { Log } from "../../observe/log.ts";
import { findProgram } from "../environment.ts";

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export interface ChildOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly stdio: readonly ("ignore" | "inherit" | "pipe" | "ipc")[];
  readonly serialization?: "json" | "advanced";
  /** It listens on the gateway's port. */
  readonly listens?: boolean;
}

export type SpawnChild = (
  file: string,
  args: readonly string[],
  options: ChildOptions,
) => ChildProcess;

export interface Confinement {
  /** null: the supervisor's own user. */
  readonly account: Account | null;
  readonly noNewPrivs: boolean;
  readonly spawn: SpawnChild;
  /** Throws USER_UNUSABLE when a child could not read one of these. */
  assertReadable(paths: readonly string[]): void;
}

export interface ConfinementOptions {
  readonly account: Account | null;
  /** The gateway's. */
  readonly port: number;
}

/** What a probe of a few milliseconds may take on a machine that is very busy. */
const PROBE_MS_MAX = 10_000;
const STATUS = "/proc/self/status";
/** Bit of CAP_NET_BIND_SERVICE in the kernel's sets. */
const NET_BIND_SERVICE = 1n << 10n;
const UNPRIVILEGED_PORTS = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
const UNPRIVILEGED_PORT_DEFAULT = 1_024;
/** O_CLOEXEC, in the octal digits of /proc/self/fdinfo. */
const CLOSE_ON_EXEC = 0o2000000;

/** Throws USER_NOT_ROOT, USER_UNKNOWN or USER_UNUSABLE. */
export function findAccount(name: string): Account {
  if (process.getuid?.() !== 0) {
    throw new EdgeError("USER_NOT_ROOT", `Only root can start processes as ${name}.`);
  }
  const [uid, gid] = ["-u", "-g"].map((what) => {
    const { status, stdout } = spawnSync("id", [what, "--", name], { encoding: "utf8" });
    return status === 0 ? Number(stdout) : Number.NaN;
  });
  if (uid === undefined || gid === undefined || !Number.isInteger(uid) || !Number.isInteger(gid)) {
    throw new EdgeError("USER_UNKNOWN", `There is no user "${name}" on this system.`);
  }
  if (uid === 0) throw new EdgeError("USER_UNUSABLE", `"${name}" is root itself.`);
  return { name, uid, gid };
}

/** setpriv's path where it can do what is needed here; null: not installed, or another program of that name. */
export function findSetpriv(): string | null {
  const path = findProgram("setpriv");
  if (path === null) return null;
  return statusOf(path, ["--no-new-privs"], "NoNewPrivs") === "1" ? path : null;
}

/** Throws PORT_PRIVILEGED when a child of the account could not listen on the port. */
export function openConfinement({ account, port }: ConfinementOptions): Confinement {
  const setpriv = findSetpriv();
  const plain = setpriv === null ? [] : [setpriv, "--no-new-privs"];
  const identity = account === null ? {} : { uid: account.uid, gid: account.gid };
  const binding =
    account !== null && port < unprivilegedPort() ? bindingPrefix(account, port) : null;
  return {
    account,
    noNewPrivs: setpriv !== null,
    spawn(file, args, { env, stdio, serialization, listens = false }) {
      const keepsPort = listens && binding !== null;
      const [program = file, ...rest] = [...(keepsPort ? binding : plain), file, ...args];
      return spawn(program, rest, {
        ...(keepsPort ? {} : identity),
        ...(serialization === undefined ? {} : { serialization }),
        env,
        stdio: [...stdio, ...shadows(stdio.length)],
        // Its files are named by absolute paths; where the operator stood must not matter.
        cwd: "/",
        detached: true,
      });
    },
    assertReadable(paths) {
      if (account === null) return;
      const script = 'for p do [ -r "$p" ] || { printf %s "$p"; exit 1; }; done';
      const { status, stdout } = spawnSync("/bin/sh", ["-c", script, "sh", ...paths], {
        ...identity,
        encoding: "utf8",
        cwd: "/",
      });
      if (status === 0) return;
      const what = stdout === "" ? "/bin/sh" : stdout;
      throw new EdgeError("USER_UNUSABLE", `${account.name} cannot read ${what}.`, {
        detail: { user: account.name, path: what },
      });
    },
  };
}

/** Once, at the start. */
export function warnOfRights({ account, noNewPrivs }: Confinement, log: Log): void {
  const warn = (code: Code): void => {
    const { title, fix = "" } = infoOf(code);
    log.write("warn", `${title}. ${fix}`, { code });
  };
  if (account === null && process.getuid?.() === 0) warn("RUNS_AS_ROOT");
  if (!noNewPrivs) warn("NO_NEW_PRIVS_MISSING");
}

function unprivilegedPort(): number {
  try {
    return Number(readFileSync(UNPRIVILEGED_PORTS, "utf8"));
  } catch {
    return UNPRIVILEGED_PORT_DEFAULT;
  }
}

/** Changes the user itself, because it alone can keep the one right that listening needs. */
function bindingPrefix({ name, uid, gid }: Account, port: number): readonly string[] {
  const setpriv = findProgram("setpriv");
  const right = "-all,+net_bind_service";
  const identity = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
  const rights = [`--inh-caps=${right}`, `--ambient-caps=${right}`, "--no-new-privs"];
  const set = setpriv === null ? null : statusOf(setpriv, [...identity, ...rights], "CapAmb");
  if (setpriv === null || set === null || BigInt(`0x${set}`) !== NET_BIND_SERVICE) {
    throw new EdgeError("PORT_PRIVILEGED", `Workers of ${name} cannot listen on port ${port}.`);
  }
  return [setpriv, ...identity, ...rights];
}

/** A field of the kernel's status of a process that setpriv has started. */
function statusOf(setpriv: string, args: readonly string[], field: string): string | null {
  const { stdout } = spawnSync(setpriv, [...args, "cat", STATUS], {
    encoding: "utf8",
    timeout: PROBE_MS_MAX,
  });
  return new RegExp(`^${field}:\\s+(\\w+)$`, "m").exec(stdout ?? "")?.[1] ?? null;
}

let devNull: number | null = null;

/** For each number from `first` on that a child would inherit /dev/null in its place. */
function shadows(first: number): ("ignore" | number)[] {
  const inherited = inheritedFrom(first);
  if (inherited.length === 0) return [];
  devNull ??= openSync("/dev/null", "r+");
  const last = Math.max(...inherited);
  // "ignore" leaves a number above 2 alone: it closes by itself.
  const entries: ("ignore" | number)[] = Array.from({ length: last - first + 1 }, () => "ignore");
  for (const fd of inherited) entries[fd - first] = devNull;
  return entries;
}

function inheritedFrom(first: number): number[] {
  try {
    return readdirSync("/proc/self/fdinfo")
      .map(Number)
      .filter((fd) => fd >= first && !closesOnExec(fd));
  } catch {
    // No /proc: what is open cannot be told.
    return [];
  }
}

function closesOnExec(fd: number): boolean {
  try {
    const text = readFileSync(`/proc/self/fdinfo/${fd}`, "utf8");
    const flags = /^flags:\s+([0-7]+)$/m.exec(text)?.[1] ?? "0";
    return (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) !== 0;
  } catch {
    // Closed meanwhile, as the one that listed the folder.
    return true;
  }
}
