// A real node for tests: `bin/edge serve` in a folder of its own, on free ports of 127.0.0.1. It is ended with
// the test, and nothing of it may be left: `stop` fails when the node does not end with 0 or leaves a process
// behind. Only processes that were started here are ever signalled, by their pids.

import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  watch,
} from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { bundleSource } from "../compiler/bundle.ts";
import { controlSocketPath } from "../runtime/supervisor/control-socket.ts";
import { findWorkers, listeningPorts } from "../runtime/supervisor/processes.ts";
import type { PublishRequest, PublishResult } from "../sdk/publish.ts";

export const EDGE: string = join(import.meta.dirname, "../bin/edge");
export const TOKEN = "islet_token_of_a_test";
/** Starting is well under a second on an idle machine; tests share two cores. */
const READY_MS_MAX = 15_000;
const GONE_MS_MAX = 15_000;
const POLL_MS = 10;

export interface NodeOptions {
  readonly workers?: number;
  /** Survives the node when given; otherwise made for it and removed with it. */
  readonly data?: string;
  readonly args?: readonly string[];
  readonly demo?: boolean;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** An admin API envelope. */
export interface Envelope {
  readonly status: number;
  readonly ok: boolean;
  readonly data: unknown;
  readonly error: unknown;
  readonly code: string | undefined;
}

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class TestNode implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly data: string;
  readonly port: number;
  readonly adminPort: number;
  readonly pid: number;
  /** Those that served when the node got ready. */
  readonly workers: readonly number[];
  readonly readyMs: number;
  readonly #base: string;
  readonly #exited: Promise<unknown[]>;
  readonly #output: () => string;

  constructor(parts: {
    child: ChildProcess;
    data: string;
    base: string;
    exited: Promise<unknown[]>;
    ready: { port: number; adminPort: number; pid: number; workers: number[] };
    readyMs: number;
    output: () => string;
  }) {
    this.child = parts.child;
    this.data = parts.data;
    this.port = parts.ready.port;
    this.adminPort = parts.ready.adminPort;
    this.pid = parts.ready.pid;
    this.workers = parts.ready.workers;
    this.readyMs = parts.readyMs;
    this.#base = parts.base;
    this.#exited = parts.exited;
    this.#output = parts.output;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** What the node and its workers have printed so far. */
  get output(): string {
    return this.#output();
  }

  /** [exit code, signal] once the node has ended. */
  get exited(): Promise<unknown[]> {
    return this.#exited;
  }

  /** On a connection of its own, so that every worker is met sooner or later. */
  async get(path: string, init: RequestInit = {}): Promise<Answer> {
    const headers = new Headers(init.headers);
    headers.set("connection", "close");
    const response = await fetch(`${this.url}${path}`, { redirect: "manual", ...init, headers });
    return { status: response.status, headers: response.headers, text: await response.text() };
  }

  async api(
    method: string,
    path: string,
    body?: unknown,
    token: string = TOKEN,
  ): Promise<Envelope> {
    const response = await fetch(`http://127.0.0.1:${this.adminPort}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body),
    });
    const envelope: unknown = await response.json();
    const of = (name: string): unknown => Reflect.get(Object(envelope), name);
    const code: unknown = Reflect.get(Object(of("error_detail")), "code");
    return {
      status: response.status,
      ok: of("ok") === true,
      data: of("data"),
      error: of("error"),
      code: typeof code === "string" ? code : undefined,
    };
  }

  /** As `edge publish` does it, without the process. Throws what the node says when it refuses. */
  async publish(
    name: string,
    source: string,
    more: Partial<PublishRequest> = {},
  ): Promise<PublishResult> {
    const answer = await this.api("POST", "/api/publish", await publishBody(name, source, more));
    if (!answer.ok) throw new Error(`${answer.status} ${answer.code}: ${String(answer.error)}`);
    return answer.data as PublishResult;
  }

  edge(...args: string[]): Promise<CliResult> {
    return edge([...args, "--admin", `http://127.0.0.1:${this.adminPort}`], {
      EDGE_ADMIN_TOKEN: TOKEN,
    });
  }

  /** Pids of the workers that serve now. */
  async serving(): Promise<number[]> {
    const { data } = await this.api("GET", "/api/stats");
    const workers: unknown = Reflect.get(Object(data), "workers");
    return (Array.isArray(workers) ? workers : []).map((worker: unknown) =>
      Number(Reflect.get(Object(worker), "pid")),
    );
  }

  /** Every worker process there is now, the one that stands by among them. */
  workerProcesses(): number[] {
    return workersIn(this.data);
  }

  /** Resolves to the worker that stands by, once it has reached its supervisor. */
  async standby(): Promise<number> {
    const serving = await this.serving();
    let found: number | undefined;
    await until("a worker stands by", () => {
      found = this.workerProcesses().find((pid) => !serving.includes(pid) && hasSocket(pid));
      return found !== undefined;
    });
    return found ?? 0;
  }

  /** From now until a request to `path` is answered with 200, on a connection of its own. */
  async answersAfterMs(path: string): Promise<number> {
    const begun = performance.now();
    await until(`${path} is answered`, async () => {
      const answer = await this.get(path).catch(() => null);
      return answer?.status === 200;
    });
    return performance.now() - begun;
  }

  /** SIGTERM; the node has to end with 0 and leave nothing behind. */
  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const family = [...descendants(this.pid), ...this.workerProcesses()];
      this.child.kill("SIGTERM");
      const [code, signal] = await this.#exited;
      await gone(family);
      if (code !== 0) {
        throw new Error(`edge serve ended with ${String(code ?? signal)}:\n${this.output}`);
      }
    }
    rmSync(this.#base, { recursive: true, force: true });
  }

  /** The supervisor only; resolves when of all its processes only those that serve are left, these cordons too. */
  async kill(cordons: readonly number[] = []): Promise<Left> {
    const workers = this.workerProcesses().filter(
      (pid) => cordons.includes(pid) || listeningPorts(pid).includes(this.port),
    );
    const others = descendants(this.pid).filter((pid) => !workers.includes(pid));
    this.child.kill("SIGKILL");
    await this.#exited;
    await gone(others);
    return new Left(workers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Workers whose supervisor was killed: ended with the scope, unless a node that took them over has done so. */
export class Left implements AsyncDisposable {
  readonly workers: readonly number[];

  constructor(workers: readonly number[]) {
    this.workers = workers;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of this.workers) if (isRunning(pid)) process.kill(pid, "SIGKILL");
    await gone(this.workers);
  }
}

export async function startNode(options: NodeOptions = {}): Promise<TestNode> {
  const base = mkdtempSync(join(tmpdir(), "islet-node-"));
  const data = options.data ?? join(base, "data");
  const readyFile = join(base, "ready.json");
  const begun = performance.now();
  const args = ["serve", "--port", "0", "--admin-port", "0", "--host", "127.0.0.1"];
  args.push("--workers", `${options.workers ?? 1}`, "--data", data, "--ready-file", readyFile);
  if (options.demo !== true) args.push("--no-demo");
  const child = spawn(EDGE, [...args, ...(options.args ?? [])], {
    cwd: base,
    env: environment({ EDGE_ADMIN_TOKEN: TOKEN }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  const exited = once(child, "exit");
  // A test that ran out of time never comes to its `stop`.
  const end = (): void => {
    child.kill("SIGKILL");
    for (const pid of workersIn(data)) process.kill(pid, "SIGKILL");
  };
  process.once("exit", end);
  child.once("exit", () => process.off("exit", end));
  try {
    await fileOf(readyFile, exited);
  } catch (error) {
    end();
    rmSync(base, { recursive: true, force: true });
    throw new Error(`edge serve did not get ready:\n${output}`, { cause: error });
  }
  const readyMs = performance.now() - begun;
  const ready = JSON.parse(readFileSync(readyFile, "utf8"));
  return new TestNode({ child, data, base, exited, ready, readyMs, output: () => output });
}

/** Any command line, also ones that fail. */
export function edge(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CliResult> {
  return new Promise((resolve) => {
    const cwd = tmpdir();
    execFile(EDGE, [...args], { cwd, env: environment(env) }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
  });
}

export async function publishBody(
  name: string,
  source: string,
  more: Partial<PublishRequest> = {},
): Promise<PublishRequest> {
  const { format, code, map } = await bundleSource({ code: source, filename: `${name}.ts` });
  const codeSha256 = createHash("sha256").update(code).digest("hex");
  return { name, routes: [], vars: {}, limits: {}, format, code, codeSha256, map, ...more };
}

export function temporary(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "islet-data-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

function workersIn(data: string): number[] {
  return findWorkers(controlSocketPath(data)).map(({ pid }) => pid);
}

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

/** Polls something that no event announces. */
export async function until(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  withinMs: number = GONE_MS_MAX,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await delay(POLL_MS);
  }
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

function hasSocket(pid: number): boolean {
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

function commandOf(pid: number): string {
  return tryRead(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
}

function tryRead(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function environment(extra: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { ...process.env, ...extra };
}

async function fileOf(file: string, exited: Promise<unknown>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const look = (): void => {
    if (existsSync(file)) resolve();
  };
  const watcher = watch(dirname(file), look);
  const timer = setTimeout(() => reject(new Error("took too long")), READY_MS_MAX);
  void exited.then(() => reject(new Error("it ended")));
  look();
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    watcher.close();
  }
}
