// Child processes in which authors' code may do its worst: each takes one job and is killed after it. A few
// wait, already started, because starting Node takes longer than a whole check.
//
// A child cannot be asked to stop: its thread may be stuck in code that nothing interrupts. So the watch over its
// time and memory and the kill are here, and the kernel's limits end it even if this process dies first. Its time is
// the CPU time that it has used: what becomes of a job must not depend on what else this machine does.

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { Socket } from "node:net";
import { JAIL_WALL_MS_MAX } from "./jail-protocol.ts";
import type { JailJob, JailReport, JailVerdict } from "./jail-protocol.ts";

/** Starts a child with no more rights than it needs; plain `spawn` by default. */
export type SpawnJail = (
  file: string,
  args: readonly string[],
  options: {
    readonly env: NodeJS.ProcessEnv;
    readonly stdio: readonly ("ignore" | "pipe" | "ipc")[];
    readonly serialization: "advanced";
  },
) => ChildProcess;

export interface JailOptions {
  readonly spawn?: SpawnJail;
  /** The child's main module. */
  readonly main: string;
  readonly v8Flags: readonly string[];
  /** Node's compile cache, so that children start faster; null for none. */
  readonly compileCacheDir: string | null;
  /** Children kept started; 0 for none. A check uses one, and another where it makes a snapshot. */
  readonly standby: number;
}

export type JailEnd =
  | { readonly kind: "verdict"; readonly verdict: JailVerdict }
  /** It had to be killed, or died. */
  | { readonly kind: "timeout" }
  /** It has not used its CPU time, but too much time has passed: it was stopped, or others had the processors. */
  | { readonly kind: "starved" }
  | { readonly kind: "memory" }
  | { readonly kind: "died"; readonly how: string };

export interface JailRun {
  readonly cpuMs: number;
  /** The dry run passed; from here on `nextCpuMs` counts. */
  readonly onStage?: (report: JailReport & { type: "stage" }) => void;
  readonly nextCpuMs?: number;
  /** For its start, and for each stage, however little of a processor it gets. */
  readonly wallMs?: number;
}

export interface Jails {
  run(job: JailJob, run: JailRun): Promise<JailEnd>;
  /** Starts what is missing of the standby children. */
  refill(): void;
  /** Kills every child, also those at work. */
  close(): void;
}

/** Resident size at which a child is killed: Node itself, the isolate's limit, and as much again. */
const RSS_BYTES_MAX: number = 512 * 1024 * 1024;
const LOOK_MS = 20;
/** Linux counts in pages; every platform with prebuilt binaries has these. */
const PAGE_BYTES = 4096;
/** USER_HZ, which is 100 on all of them. */
const TICK_MS = 10;
/** For a child whose parent died while its thread was stuck: more than it may use in all. */
const CPU_SECONDS_MAX = 30;
/** Kilobytes of writable memory. V8 reserves half a gigabyte for code per isolate, so it cannot be tight. */
const DATA_KB_MAX = 4_000_000;
const STDERR_CHARS_MAX = 4096;
const OUT_OF_MEMORY = /out of memory|allocation failed|heap limit/i;

export function openJails(options: JailOptions): Jails {
  const waiting: Child[] = [];
  const alive = new Set<Child>();
  let closed = false;

  function start(): Child {
    const child = startChild(options);
    alive.add(child);
    child.process.once("close", () => {
      alive.delete(child);
      const at = waiting.indexOf(child);
      if (at >= 0) waiting.splice(at, 1);
    });
    return child;
  }

  return {
    async run(job, run) {
      const child = waiting.shift() ?? start();
      try {
        return await child.work(job, run);
      } finally {
        child.kill();
      }
    },
    refill() {
      while (!closed && waiting.length < options.standby) waiting.push(start());
    },
    close() {
      closed = true;
      for (const child of alive) child.kill();
    },
  };
}

const plainSpawn: SpawnJail = (file, args, { stdio, ...rest }) =>
  spawn(file, args, { ...rest, stdio: [...stdio] });

interface Child {
  readonly process: ChildProcess;
  work(job: JailJob, run: JailRun): Promise<JailEnd>;
  kill(): void;
}

function startChild(options: JailOptions): Child {
  const limits = `ulimit -c 0; ulimit -t ${CPU_SECONDS_MAX}; ulimit -d ${DATA_KB_MAX}`;
  const node = [process.execPath, "--no-node-snapshot", ...options.v8Flags, options.main];
  const cache = options.compileCacheDir;
  const start: SpawnJail = options.spawn ?? plainSpawn;
  const child = start("/bin/sh", ["-c", `${limits}; exec "$@"`, "sh", ...node], {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    serialization: "advanced",
    env: cache === null ? {} : { NODE_COMPILE_CACHE: cache },
  });
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    if (stderr.length < STDERR_CHARS_MAX) stderr += text;
  });
  let finished = false;
  let ready = false;
  let died: string | null = null;
  child.on("message", (report: JailReport) => {
    if (report.type === "ready") ready = true;
  });
  child.once("error", (error) => (died = error.message));
  child.once("close", (code, signal) => (died = signal ?? `exit code ${code}`));
  idle(child);

  function work(job: JailJob, run: JailRun): Promise<JailEnd> {
    busy(child);
    return new Promise((settle) => {
      const end = (how: JailEnd): void => {
        if (finished) return;
        finished = true;
        watch.stop();
        settle(how);
      };
      const watch = watchOver(child.pid, run.wallMs ?? JAIL_WALL_MS_MAX, end);
      const gone = (how: string): void =>
        end(OUT_OF_MEMORY.test(stderr) ? { kind: "memory" } : { kind: "died", how });
      const begin = (): void => {
        watch.allow(run.cpuMs);
        child.send(job, (error) => error && gone(error.message));
      };
      child.on("message", (report: JailReport) => {
        // What was on its way when the job was given up.
        if (finished) return;
        if (report.type === "ready") begin();
        if (report.type === "verdict") end({ kind: "verdict", verdict: report.verdict });
        if (report.type === "stage") {
          watch.allow(run.nextCpuMs ?? run.cpuMs);
          run.onStage?.(report);
        }
      });
      child.once("close", (code, signal) => gone(signal ?? `exit code ${code}`));
      child.once("error", (error) => gone(error.message));
      if (died !== null) gone(died);
      else if (ready) begin();
    });
  }

  return { process: child, work, kill: () => void child.kill("SIGKILL") };
}

/** A child that waits must not keep this process from ending. */
function idle(child: ChildProcess): void {
  child.unref();
  child.channel?.unref();
  if (child.stderr instanceof Socket) child.stderr.unref();
}

function busy(child: ChildProcess): void {
  child.ref();
  child.channel?.ref();
}

interface Watch {
  /** From now on it may use this much, whatever it has used before. */
  allow(cpuMs: number): void;
  stop(): void;
}

function watchOver(pid: number | undefined, wallMs: number, end: (how: JailEnd) => void): Watch {
  // It may take what it needs to come up.
  let cpuMsMax = Number.POSITIVE_INFINITY;
  let usedMs = stopwatch(null);
  const late = (): NodeJS.Timeout => setTimeout(() => end({ kind: "starved" }), wallMs);
  let timer = late();
  const looks = setInterval(() => {
    const usage = usageOf(pid);
    if (usage !== null && usage.rssBytes > RSS_BYTES_MAX) end({ kind: "memory" });
    else if (usedMs(usage) > cpuMsMax) end({ kind: "timeout" });
  }, LOOK_MS);
  return {
    allow(cpuMs) {
      cpuMsMax = cpuMs;
      usedMs = stopwatch(usageOf(pid));
      clearTimeout(timer);
      timer = late();
    },
    stop() {
      clearInterval(looks);
      clearTimeout(timer);
    },
  };
}

/** CPU time since `first`; where the system does not tell, time. */
function stopwatch(first: Usage | null): (now: Usage | null) => number {
  const startedAt = performance.now();
  if (first === null) return () => performance.now() - startedAt;
  // A child that is gone uses none: its end is told soon.
  return (now) => (now ?? first).cpuMs - first.cpuMs;
}

/** Of all threads of a process. */
interface Usage {
  readonly cpuMs: number;
  readonly rssBytes: number;
}

/** null where the system does not tell: the kernel's own limit on memory has to do there. */
function usageOf(pid: number | undefined): Usage | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The fields after the second one, a name in brackets, which may hold any character.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const [user, system, pages] = [fields[11], fields[12], fields[21]];
    const cpuMs = (Number(user) + Number(system)) * TICK_MS;
    return { cpuMs, rssBytes: Number(pages) * PAGE_BYTES };
  } catch {
    return null;
  }
}
