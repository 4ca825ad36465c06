// Processes that the bench starts, and what the system says of them. Each leads a process group of its own, so
// that whatever it started ends with it, also when the bench itself is interrupted.

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A peer or node that needs longer to end was asked politely long enough. */
const STOP_MS = 8_000;
/** USER_HZ, the same on every Linux. */
const TICKS_PER_SECOND = 100;
const OUTPUT_CHARS_MAX = 4_000;

export interface Started {
  readonly pid: number;
  /** The last of what it wrote, for when it fails. */
  output(): string;
  exited(): boolean;
  /** SIGTERM, and SIGKILL to the whole group when that does not do. */
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  for (const pid of treeOf(child.pid).toReversed()) kill(pid);
  kill(-child.pid);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}

process.on("exit", () => {
  for (const child of running) killGroup(child);
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => process.exit(130));
}

export function start(
  command: readonly string[],
  options: { cwd?: string; env?: Readonly<Record<string, string>> } = {},
): Started {
  const [file = "", ...args] = command;
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  running.add(child);
  let output = "";
  let failed = false;
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-OUTPUT_CHARS_MAX);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  child.on("error", (error) => {
    failed = true;
    output += String(error);
  });
  const exited = (): boolean => failed || child.exitCode !== null || child.signalCode !== null;
  const ended = new Promise<void>((resolve) => {
    child.on("exit", () => resolve());
    child.on("error", () => resolve());
  });
  void ended.then(() => running.delete(child));
  return {
    pid: child.pid ?? -1,
    output: () => output.trim(),
    exited,
    async stop() {
      if (exited()) return;
      child.kill("SIGTERM");
      await Promise.race([ended, sleep(STOP_MS, undefined, { ref: false })]);
      if (!exited()) killGroup(child);
      await ended;
    },
  };
}

/** Only peers that cannot take port 0 and tell; a moment later somebody else may have it. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** The process and all below it, parents first. */
export function treeOf(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const parent = statFields(Number(name))?.[1];
    if (parent !== undefined) parents.set(Number(name), Number(parent));
  }
  const tree = [root];
  for (let at = 0; at < tree.length; at++) {
    for (const [pid, parent] of parents) if (parent === tree[at]) tree.push(pid);
  }
  return tree;
}

/** Proportional set size of the whole tree, in bytes: shared pages are counted once. */
export function memoryOf(root: number): number {
  let bytes = 0;
  for (const pid of treeOf(root)) {
    try {
      const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
      bytes += Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) * 1024;
    } catch {
      // Ended between the listing and now.
    }
  }
  return bytes;
}

/** CPU time that the whole tree has used, in seconds. */
export function cpuOf(root: number): number {
  let ticks = 0;
  for (const pid of treeOf(root)) {
    const fields = statFields(pid);
    ticks += Number(fields?.[11] ?? 0) + Number(fields?.[12] ?? 0);
  }
  return ticks / TICKS_PER_SECOND;
}

/** From the third field on: what stands before is the command in brackets, with anything in it. */
function statFields(pid: number): string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return null;
  }
}
