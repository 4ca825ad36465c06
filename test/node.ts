// A real node for tests: `bin/edge serve` in a folder of its own, on free ports of 127.0.0.1. It is ended with
// the test, and nothing of it may be left: `stop` fails when the node does not end with 0 or leaves a process
// behind. Only processes that were started here are ever signalled, by their pids.

import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleSource } from "../compiler/bundle.ts";
import { controlSocketPath } from "../runtime/supervisor/control-socket.ts";
import { findWorkers, listeningPorts } from "../runtime/supervisor/processes.ts";
import type { PublishRequest, PublishResult } from "../sdk/publish.ts";
import { descendants, gone, hasSocket, isRunning } from "./processes.ts";
import { keepPlatform, layPlatform, PACKAGE_VARIABLE } from "./platform.ts";
import { temporary, type Temporary } from "./temporary.ts";
import { fileOf, until } from "./waiting.ts";

/** As users of a clone start it. */
export const EDGE: string = join(import.meta.dirname, "../bin/edge");
/** The same, bundled, where the run has it. */
const PACKAGE: string | undefined = process.env[PACKAGE_VARIABLE];
/** What the run starts. */
export const STARTED: string = PACKAGE === undefined ? EDGE : join(PACKAGE, "bin/edge");
export const TOKEN = "islet_token_of_a_test";

export interface NodeOptions {
  readonly workers?: number;
  /** Survives the node when given; otherwise made for it and removed with it. */
  readonly data?: string;
  readonly args?: readonly string[];
  readonly demo?: boolean;
  /** Keeps processes waiting, as nodes do by default: half a second's work, for a test in which a worker ends. */
  readonly standby?: boolean;
  /** Whatever the run starts nodes from. */
  readonly fromSources?: boolean;
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
  readonly #folder: Temporary;
  readonly #exited: Promise<unknown[]>;
  readonly #output: () => string;

  constructor(parts: {
    child: ChildProcess;
    data: string;
    folder: Temporary;
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
    this.#folder = parts.folder;
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
      // A kept one may be closed by the node at the very moment when it is used again.
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        connection: "close",
      },
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
      if (isPlain(this.child.spawnargs)) keepPlatform(this.data);
    }
    this.#folder[Symbol.dispose]();
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
    return new Left(workers, this.#folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Workers whose supervisor was killed: ended with the scope, unless a node that took them over has done so. */
export class Left implements AsyncDisposable {
  readonly workers: readonly number[];
  readonly #folder: Temporary;

  constructor(workers: readonly number[], folder: Temporary) {
    this.workers = workers;
    this.#folder = folder;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of this.workers) if (isRunning(pid)) process.kill(pid, "SIGKILL");
    await gone(this.workers);
    this.#folder[Symbol.dispose]();
  }
}

export async function startNode(options: NodeOptions = {}): Promise<TestNode> {
  const folder = temporary();
  const data = options.data ?? join(folder.path, "data");
  const readyFile = join(folder.path, "ready.json");
  const args = ["serve", "--port", "0", "--admin-port", "0", "--host", "127.0.0.1"];
  args.push("--workers", `${options.workers ?? 1}`, "--data", data, "--ready-file", readyFile);
  if (options.demo !== true) args.push("--no-demo");
  if (options.standby !== true) args.push("--no-standby");
  args.push(...(options.args ?? []));
  if (isPlain(args)) layPlatform(data);
  const begun = performance.now();
  const program = options.fromSources === true ? EDGE : STARTED;
  const child = spawn(program, args, {
    cwd: folder.path,
    env: environment({ EDGE_ADMIN_TOKEN: TOKEN }, program),
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
    folder[Symbol.dispose]();
    throw new Error(`edge serve did not get ready:\n${output}`, { cause: error });
  }
  const readyMs = performance.now() - begun;
  const ready = JSON.parse(readFileSync(readyFile, "utf8"));
  return new TestNode({ child, data, folder, exited, ready, readyMs, output: () => output });
}

/** Any command line, also ones that fail. */
export function edge(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CliResult> {
  return new Promise((resolve) => {
    const cwd = tmpdir();
    execFile(STARTED, [...args], { cwd, env: environment(env) }, (error, stdout, stderr) => {
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

function workersIn(data: string): number[] {
  return findWorkers(controlSocketPath(data)).map(({ pid }) => pid);
}

/** Files of another user's node have another mode. */
function isPlain(args: readonly string[]): boolean {
  return !args.includes("--user");
}

/** For it, and for what it starts. */
export function environment(
  extra: Readonly<Record<string, string>>,
  program: string = STARTED,
): NodeJS.ProcessEnv {
  const { NODE_COMPILE_CACHE: _ofTheRun, ...env } = process.env;
  // Of a bundle that is gone after the run, nothing is to stay in the user's own cache. The sources find theirs there.
  const cache =
    PACKAGE === undefined || program === EDGE
      ? {}
      : { NODE_COMPILE_CACHE: join(PACKAGE, "compiled") };
  return { ...env, ...cache, ...extra };
}
