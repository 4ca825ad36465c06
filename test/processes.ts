// What /proc says of processes that tests have started.

import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** Ending is well under a second on an idle machine; tests share two cores. */
const GONE_MS_MAX = 30_000;
const POLL_MS = 10;

/** Waits until none of the processes runs any more; fails when one outlives the time. */
export async function gone(pids: readonly number[], withinMs: number = GONE_MS_MAX): Promise<void> {
  const deadline = performance.now() + withinMs;
  let left = pids.filter(isRunning);
  while (left.length > 0 && performance.now() < deadline) {
    await delay(POLL_MS);
    left = left.filter(isRunning);
  }
  if (left.length === 0) return;
  const names = left.map((pid) => `${pid} (${commandOf(pid)})`);
  for (const pid of left) process.kill(pid, "SIGKILL");
  throw new Error(`left behind after ${withinMs} ms: ${names.join(", ")}`);
}

/** Children, their children and so on. */
export function descendants(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    const stat = /^\d+$/.test(name) ? statOf(Number(name)) : null;
    if (stat !== null) parents.set(Number(name), stat.parent);
  }
  const found: number[] = [pid];
  for (const one of found) for (const [child, of] of parents) if (of === one) found.push(child);
  return found.slice(1);
}

export function isRunning(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== null && stat.state !== "Z" && stat.state !== "X";
}

/** Proportional set size: what the process costs, shared pages divided among their users. */
export function pssBytes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? Number.NaN) * 1_024;
}

/** Open file descriptors. */
export function descriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Processor time that the process has used so far, in 10 ms steps: does not depend on what else runs here. */
export function cpuMs(pid: number): number {
  const text = tryRead(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Client ports of the connections that this process has accepted on `port`. */
export function acceptedBy(pid: number, port: number): Set<number> {
  const inodes = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fdinfo`)) {
    const inode = /^ino:\s+(\d+)$/m.exec(tryRead(`/proc/${pid}/fdinfo/${fd}`))?.[1];
    if (inode !== undefined) inodes.add(inode);
  }
  const accepted = new Set<number>();
  for (const line of tryRead("/proc/net/tcp").split("\n")) {
    const fields = line.trim().split(/\s+/);
    const [, local = "", remote = ""] = fields;
    const isOurs = Number.parseInt(local.split(":")[1] ?? "", 16) === port;
    if (isOurs && inodes.has(fields[9] ?? "")) {
      accepted.add(Number.parseInt(remote.split(":")[1] ?? "", 16));
    }
  }
  return accepted;
}

/** That processes of this machine have open. */
export function connectionsTo(port: number): number {
  const isOpen = (line: string): boolean => {
    const [, , remote = "", , , , , , , inode = "0"] = line.trim().split(/\s+/);
    return Number.parseInt(remote.split(":")[1] ?? "", 16) === port && inode !== "0";
  };
  return tryRead("/proc/net/tcp").split("\n").filter(isOpen).length;
}

export function hasSocket(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) =>
      readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith("socket:"),
    );
  } catch {
    return false;
  }
}

function statOf(pid: number): { state: string; parent: number } | null {
  const text = tryRead(`/proc/${pid}/stat`);
  // The name may hold anything, brackets too; what follows the last one is fixed.
  const [state = "", parent = ""] = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return text === "" ? null : { state, parent: Number(parent) };
}

export function commandOf(pid: number): string {
  return tryRead(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
}

function tryRead(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
