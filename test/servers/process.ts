// A real server as a child of the test: on a free port of 127.0.0.1, its data in a folder of its own, gone with the
// test whatever happens to that: the kernel kills it when the test's process ends (setpriv --pdeathsig).

import { spawn, type ChildProcess } from "node:child_process";
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** Starting takes a few milliseconds, of Postgres some hundred, of Swift seconds; the machine may be busy. */
const READY_MS_MAX = 45_000;
const POLL_MS = 5;
/** Another program may take the free port before the server does. */
const ATTEMPTS = 3;

export interface Place {
  readonly host: string;
  readonly port: number;
  /** The server's own, empty at first. */
  readonly folder: string;
}

export interface ServerOptions {
  readonly command: string;
  readonly args: (place: Place) => readonly string[];
  /** Before the first start: fills the folder. */
  readonly prepare?: (place: Place) => void | Promise<void>;
  /** False or a rejection while it does not answer yet. */
  readonly isReady: (place: Place) => Promise<boolean>;
  /** For programs that refuse to run as root; the folder is theirs. */
  readonly user?: { readonly uid: number; readonly gid: number };
  readonly env?: Readonly<Record<string, string>>;
}

export class TestServer implements AsyncDisposable {
  readonly host = "127.0.0.1";
  readonly port: number;
  readonly folder: string;
  readonly #options: ServerOptions;
  #child: ChildProcess | null = null;
  #exited: Promise<void> = Promise.resolve();
  #output = "";

  constructor(options: ServerOptions, place: { port: number; folder: string }) {
    this.#options = options;
    this.port = place.port;
    this.folder = place.folder;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** "127.0.0.1:PORT" */
  get address(): string {
    return `${this.host}:${this.port}`;
  }

  /** What it has printed. */
  get output(): string {
    return this.#output;
  }

  /** Resolves when it answers. */
  async start(): Promise<void> {
    const { command, args, user, env } = this.#options;
    const identity =
      user === undefined ? [] : [`--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups"];
    const child = spawn("setpriv", ["--pdeathsig", "KILL", ...identity, command, ...args(this)], {
      cwd: this.folder,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (this.#output += text));
    }
    let hasEnded = false;
    this.#exited = new Promise((resolve) => {
      const end = (): void => {
        hasEnded = true;
        resolve();
      };
      child.once("exit", end);
      child.once("error", end);
    });
    try {
      await waitFor(async () => {
        if (hasEnded) throw new Error("it ended");
        return this.#options.isReady(this).catch(() => false);
      });
    } catch (cause) {
      await this.kill();
      throw new Error(`${command} did not start:\n${this.#output}`, { cause });
    }
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#exited;
    this.#child = null;
  }

  /** Answers nobody any more, but holds its connections and takes new ones. It has stopped when this returns. */
  pause(): void {
    this.#child?.kill("SIGSTOP");
    while (!isStopped(this.pid));
  }

  resume(): void {
    this.#child?.kill("SIGCONT");
  }

  /** On the same port, with the same folder. */
  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** All its threads, and without a turn of the event loop: what the test sends next must find it so. */
function isStopped(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((thread) => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).startsWith("T");
  });
}

export async function startServer(options: ServerOptions): Promise<TestServer> {
  for (let attempt = 1; ; attempt++) {
    const folder = mkdtempSync(join(tmpdir(), "islet-server-"));
    if (options.user !== undefined) chownSync(folder, options.user.uid, options.user.gid);
    const server = new TestServer(options, { port: await freePort(), folder });
    try {
      await options.prepare?.(server);
      await server.start();
      return server;
    } catch (error) {
      await server.stop();
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

/** Asks again and again, for what no event announces. A rejection ends it. */
export async function waitFor(isTrue: () => Promise<boolean>): Promise<void> {
  const giveUpMs = performance.now() + READY_MS_MAX;
  while (!(await isTrue())) {
    if (performance.now() > giveUpMs) throw new Error(`not within ${READY_MS_MAX} ms`);
    await delay(POLL_MS);
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Sends text on a connection of its own and resolves to the first piece of the answer. */
export function ask(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    socket.setEncoding("utf8");
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed without an answer")));
    socket.once("data", (answer: string) => {
      resolve(answer);
      socket.destroy();
    });
  });
}
