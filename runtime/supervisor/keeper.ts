// Keeps the workers alive: starts them, replaces at once what died, waits longer each time when they die in a
// loop, kills what no longer beats. One worker stands by, started but not configured, so that a replacement
// serves within milliseconds instead of a process's start-up time.

import { createServer, type Server, type Socket } from "node:net";
import { rmSync } from "node:fs";
import { EdgeError, type ErrorData } from "../../sdk/errors.ts";
import { openChannel } from "../link/channel.ts";
import type { ToSupervisor, ToWorker, WorkerConfig } from "../link/messages.ts";
import type { Log } from "../observe/log.ts";
import { WorkerProcess } from "./worker-process.ts";

/** A worker beats four times a second; one that is silent this long holds its event loop or is stopped. */
export const SILENCE_MS_MAX = 3_000;
const CHECK_MS = 500;
/** Deaths within this time count as one loop … */
const LOOP_WINDOW_MS = 10_000;
/** … of which so many are taken as bad luck before replacements wait. */
const LOOP_DEATHS = 5;
const BACKOFF_MS_FIRST = 100;
const BACKOFF_MS_MAX = 10_000;
/** Beyond its drain timeout a worker gets this long to end by itself. */
const END_GRACE_MS = 1_000;

export interface KeeperOptions {
  readonly workers: number;
  readonly socketPath: string;
  readonly config: WorkerConfig;
  readonly log: Log;
  readonly onMessage: (worker: WorkerProcess, message: ToSupervisor) => void;
  readonly onGone: (worker: WorkerProcess) => void;
}

export class Keeper {
  readonly #options: KeeperOptions;
  readonly #server: Server;
  readonly #workers = new Map<number, WorkerProcess>();
  readonly #deaths: number[] = [];
  #standby: WorkerProcess | null = null;
  #nextNumber = 1;
  #stopping = false;
  #watch: NodeJS.Timeout | null = null;
  #lastCheckMs = Date.now();
  #starting: { resolve: () => void; reject: (error: unknown) => void } | null = null;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#connected(socket));
  }

  /** Workers that are configured and not gone. */
  get workers(): WorkerProcess[] {
    return [...this.#workers.values()].filter((worker) => worker.state !== "standby");
  }

  get serving(): WorkerProcess[] {
    return this.workers.filter((worker) => worker.state === "serving");
  }

  /** Resolves when all workers serve; rejects when one cannot start at all. */
  async start(): Promise<void> {
    const { socketPath, workers } = this.#options;
    rmSync(socketPath, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(socketPath, resolve);
    });
    const ready = new Promise<void>((resolve, reject) => {
      this.#starting = { resolve, reject };
    });
    for (let i = 0; i < workers; i++) this.#spawn().configure(this.#options.config);
    this.#watch = setInterval(() => this.#check(), CHECK_MS);
    await ready;
  }

  /** Starts the worker that stands by; after the node answers, since it costs start-up time. */
  standBy(): void {
    if (this.#stopping || this.#standby !== null) return;
    this.#standby = this.#spawn();
  }

  /** Drains every worker and ends them; what is left after the timeout is killed. */
  async stop(timeoutMs: number): Promise<void> {
    this.#stopping = true;
    if (this.#watch !== null) clearInterval(this.#watch);
    const ends = [...this.#workers.values()].map((worker) => this.#end(worker, timeoutMs));
    await Promise.all(ends);
    this.#server.close();
    rmSync(this.#options.socketPath, { force: true });
  }

  killAll(): void {
    for (const worker of this.#workers.values()) worker.kill();
  }

  #spawn(): WorkerProcess {
    const worker = new WorkerProcess(this.#nextNumber++, this.#options.socketPath, Date.now());
    this.#workers.set(worker.number, worker);
    worker.child.once("exit", (code, signal) =>
      this.#exited(worker, signal ?? `code ${code ?? "?"}`),
    );
    worker.child.once("error", (error) => this.#options.log.write("error", String(error)));
    return worker;
  }

  #connected(socket: Socket): void {
    let worker: WorkerProcess | undefined;
    const channel = openChannel<ToSupervisor, ToWorker>(socket, {
      message: (message) => {
        if (message.type === "hello") {
          worker = this.#workers.get(message.worker);
          if (worker?.pid !== message.pid) socket.destroy();
          else worker.connected(channel, Date.now());
        } else if (worker !== undefined) {
          this.#message(worker, message);
        }
      },
      closed: () => {},
    });
  }

  #message(worker: WorkerProcess, message: ToSupervisor): void {
    worker.lastBeatMs = Date.now();
    if (message.type === "read") worker.revision = message.revision;
    if (message.type === "listening") this.#listening(worker);
    if (message.type === "failed") this.#failed(worker, message.error);
    if (message.type === "condemned") void this.#retire(worker, message.reason);
    this.#options.onMessage(worker, message);
  }

  #listening(worker: WorkerProcess): void {
    worker.state = "serving";
    if (this.serving.length < this.#options.workers) return;
    this.#starting?.resolve();
    this.#starting = null;
  }

  #failed(worker: WorkerProcess, error: ErrorData): void {
    this.#options.log.write("error", `Worker ${worker.number} cannot start: ${error.message}`);
    this.#starting?.reject(
      new EdgeError(
        error.code,
        error.message,
        error.detail === undefined ? {} : { detail: error.detail },
      ),
    );
    this.#starting = null;
    worker.kill();
  }

  /** Replaces a worker that has lost a thread: the new one serves first, then the old one drains. */
  async #retire(worker: WorkerProcess, reason: string): Promise<void> {
    if (worker.state !== "serving" || this.#stopping) return;
    this.#options.log.write("warn", `Worker ${worker.number} is replaced: ${reason}`);
    worker.state = "draining";
    this.#replace();
    await this.#end(worker, this.#options.config.drainTimeoutMs);
  }

  #exited(worker: WorkerProcess, how: string): void {
    const { state } = worker;
    worker.state = "gone";
    this.#workers.delete(worker.number);
    if (this.#standby === worker) this.#standby = null;
    this.#options.onGone(worker);
    if (this.#stopping || state === "draining") return;
    this.#options.log.write("warn", `Worker ${worker.number} (pid ${worker.pid}) ended: ${how}.`);
    const delayMs = this.#delay(Date.now());
    if (state === "standby") this.#later(delayMs, () => this.standBy());
    else if (delayMs === 0) this.#replace();
    else this.#later(delayMs, () => this.#replace());
  }

  /** Nothing of it may keep a stopped node waiting. */
  #later(delayMs: number, start: () => void): void {
    setTimeout(start, delayMs).unref();
  }

  #delay(now: number): number {
    this.#deaths.push(now);
    while ((this.#deaths[0] ?? now) < now - LOOP_WINDOW_MS) this.#deaths.shift();
    // The window forgets: a worker that serves a moment before each death is in the loop all the same.
    const beyond = this.#deaths.length - LOOP_DEATHS * this.#options.workers;
    return beyond <= 0 ? 0 : Math.min(BACKOFF_MS_FIRST * 2 ** (beyond - 1), BACKOFF_MS_MAX);
  }

  #replace(): void {
    if (this.#stopping) return;
    const worker = this.#standby ?? this.#spawn();
    this.#standby = null;
    worker.configure(this.#options.config);
    this.standBy();
  }

  #check(): void {
    const now = Date.now();
    // This process itself stood still: nobody's silence means anything.
    const stalled = now - this.#lastCheckMs > CHECK_MS + SILENCE_MS_MAX / 2;
    this.#lastCheckMs = now;
    for (const worker of this.#workers.values()) {
      if (stalled) worker.lastBeatMs = now;
      const silentMs = now - worker.lastBeatMs;
      if (worker.channel === null || silentMs <= SILENCE_MS_MAX) continue;
      this.#options.log.write("error", `Worker ${worker.number} was silent for ${silentMs} ms.`);
      worker.kill();
    }
  }

  async #end(worker: WorkerProcess, timeoutMs: number): Promise<void> {
    const { child } = worker;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    if (worker.state === "standby" || worker.channel === null) worker.kill();
    else {
      worker.state = "draining";
      worker.send({ type: "drain", timeoutMs });
    }
    const timer = setTimeout(() => worker.kill(), timeoutMs + END_GRACE_MS);
    await exited;
    clearTimeout(timer);
  }
}
