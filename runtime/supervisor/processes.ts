// What the kernel says of processes: which are workers of a data folder, whether they are gone, which ports they
// listen on. Asked of /proc each time, because files that remember pids lie after a crash.

import { readFileSync, readdirSync, readlinkSync } from "node:fs";

export interface Orphan {
  readonly pid: number;
  /** Its own, from its command line. */
  readonly number: number;
}

const WORKER_SCRIPT = /\/runtime\/worker\.[jt]s$/;
/** State of a socket that listens, in /proc/net/tcp. */
const LISTENING = "0A";

/** Workers of this control socket, whoever started them, lowest number first. */
export function findWorkers(socketPath: string): Orphan[] {
  const found: Orphan[] = [];
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    const number = Number.isInteger(pid) ? workerNumber(pid, socketPath) : null;
    if (number !== null) found.push({ pid, number });
  }
  return found.toSorted((a, b) => a.number - b.number);
}

export function isWorker(pid: number, socketPath: string): boolean {
  return workerNumber(pid, socketPath) !== null;
}

function workerNumber(pid: number, socketPath: string): number | null {
  const args = tryRead(`/proc/${pid}/cmdline`).split("\0");
  const at = args.indexOf(socketPath);
  if (at < 1 || !WORKER_SCRIPT.test(args[at - 1] ?? "")) return null;
  const number = Number(args[at + 1]);
  return Number.isSafeInteger(number) && number > 0 ? number : null;
}

/** Whether nothing of it runs any more; what is left of a process may wait for its parent for ever. */
export function isGone(pid: number): boolean {
  const state = stateOf(pid);
  return state === "" || state === "Z" || state === "X";
}

/** Somebody has stopped it, by SIGSTOP or a debugger. */
export function isStopped(pid: number): boolean {
  const state = stateOf(pid);
  return state === "T" || state === "t";
}

function stateOf(pid: number): string {
  const stat = tryRead(`/proc/${pid}/stat`);
  // The name may hold anything, brackets too; what follows the last one is fixed.
  return stat.slice(stat.lastIndexOf(")") + 2)[0] ?? "";
}

/** TCP ports that it listens on. */
export function listeningPorts(pid: number): number[] {
  const own = socketsOf(pid);
  return listeners()
    .filter(({ inode }) => own.has(inode))
    .map(({ port }) => port);
}

/** Whether every socket that listens on the port belongs to one of these processes. */
export function isHeldBy(port: number, pids: readonly number[]): boolean {
  const own = pids.map(socketsOf);
  const there = listeners().filter((listener) => listener.port === port);
  return there.length > 0 && there.every(({ inode }) => own.some((inodes) => inodes.has(inode)));
}

function listeners(): { port: number; inode: string }[] {
  const lines = ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((file) => tryRead(file).split("\n"));
  return lines.flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const [, local = "", , state] = fields;
    if (state !== LISTENING) return [];
    const port = Number.parseInt(local.slice(local.lastIndexOf(":") + 1), 16);
    return [{ port, inode: fields[9] ?? "" }];
  });
}

function socketsOf(pid: number): Set<string> {
  const inodes = new Set<string>();
  const folder = `/proc/${pid}/fd`;
  for (const name of tryList(folder)) {
    const inode = /^socket:\[(\d+)\]$/.exec(tryLink(`${folder}/${name}`))?.[1];
    if (inode !== undefined) inodes.add(inode);
  }
  return inodes;
}

// A process may end between any two looks at it.

function tryRead(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function tryList(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function tryLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
