// Keeps the workers alive, those that clients connect to and those that are cordons: adopts those of a supervisor
// that died, starts what is missing, replaces at once what died, waits longer each time when they die in a loop,
// kills what no longer beats. Unless the operator wants none, one worker stands by, started but not configured, so that
// a replacement serves within milliseconds. A worker that can still serve leaves only when its replacement serves.

import type { Socket } from "node:net";
import { rmSync } from "node:fs";
import type { ErrorData } from "../../sdk/errors.ts";
import { openChannel, type Channel } from "../link/channel.ts";
import type { Culprit, ToSupervisor, ToWorker, WorkerConfig } from "../link/messages.ts";
import type { RestartReason, WorkerRestarts } from "../../sdk/node.ts";
import type { Log } from "../observe/log.ts";
import { witnessPath } from "../link/witness.ts";
import { memoryBytesOf, sicknessOf, SILENCE_MS_MAX, type Sickness } from "./health.ts";
import { Inquest } from "./inquest/inquest.ts";
import { CordonPools } from "./pools/cordon-pools.ts";
import { WorkerPool } from "./pools/worker-pool.ts";
import { isStopped, type Orphan } from "./processes.ts";
import { reasonOfEnd, RestartLedger } from "./restarts.ts";
import { openWorkersFolder } from "./rights/data-access.ts";
import type { EarlyStart } from "./start/early.ts";
import {
  adoptWorker,
  LINGER_MS,
  spawnWorker,
  WorkerProcess,
  type End,
  type WorkerStart,
} from "./worker-process.ts";

const CHECK_MS = 500;
/** Beyond its drain timeout a worker gets this long to end by itself. */
const END_GRACE_MS = 1_000;

export interface KeeperOptions {
  readonly workers: number;
  /** Whether one more stands by. */
  readonly hasStandby: boolean;
  readonly workerMemoryBytes: number;
  /** What each worker is told on each connection. No part of its configuration: no reason to replace it. */
  readonly greeting: () => readonly ToWorker[];
  readonly socketPath: string;
  /** Where workers come to, and those that were started before. */
  readonly meet: () => Promise<Pick<EarlyStart, "control" | "workers">>;
  readonly config: WorkerConfig;
  readonly start: WorkerStart;
  readonly log: Log;
  /** Names of the cordons that the registry asks for. */
  readonly cordons: () => ReadonlySet<string>;
  readonly onMessage: (worker: WorkerProcess, message: ToSupervisor) => void;
  readonly onGone: (worker: WorkerProcess) => void;
  /** A version was what a worker ran when it had to be replaced. */
  readonly onCulprit: (culprit: Culprit, reason: RestartReason) => void;
}

export class Keeper {
  readonly cordons: CordonPools;
  readonly #options: KeeperOptions;
  readonly #workers = new Set<WorkerProcess>();
  readonly #clients: WorkerPool;
  readonly #ledger = new RestartLedger();
  readonly #inquest = new Inquest();
  #control: EarlyStart["control"] | null = null;
  #standby: WorkerProcess | null = null;
  #nextNumber = 1;
  #stopping = false;
  #watch: NodeJS.Timeout | null = null;
  #lastCheckMs = Date.now();
  /** An orphan has said hello or ended. */
  #met: () => void = () => {};

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#clients = new WorkerPool(options.config, options.workers);
    this.cordons = new CordonPools(options.config, {
      needed: options.cordons,
      serving: (pool) => this.#servingOf(pool).length,
      opened: (pool) => this.#replace(pool),
      ended: (pool) => this.#of(pool).forEach((worker) => void this.#end(worker)),
    });
  }

  /** Workers that are configured and not gone. */
  get workers(): WorkerProcess[] {
    return [...this.#workers].filter(({ state }) => state !== "standby" && state !== "orphan");
  }

  /** Also those that stand by. */
  get all(): Iterable<WorkerProcess> {
    return this.#workers;
  }

  get serving(): WorkerProcess[] {
    return [...this.#workers].filter(({ state }) => state === "serving");
  }

  /** Of those that take clients' connections. */
  get servingClients(): WorkerProcess[] {
    return this.#servingOf(this.#clients);
  }

  restarts(): WorkerRestarts {
    return this.#ledger.view();
  }

  /** Resolves when all workers serve; rejects when one cannot start at all. */
  async start(orphans: readonly Orphan[]): Promise<void> {
    openWorkersFolder(this.#options.config.cordons, this.#options.start.confinement.account);
    const { control, workers } = await this.#options.meet();
    this.#control = control;
    this.cordons.adopt();
    const now = Date.now();
    for (const { number, handle } of workers) this.#add(new WorkerProcess(number, handle, now));
    this.#nextNumber += workers.length;
    control.connect((socket) => this.#connected(socket));
    await this.#adopt(orphans);
    const ready = this.#clients.whenReady(0);
    for (const pool of [this.#clients, ...this.cordons.all()]) this.#fill(pool);
    this.#watch = setInterval(() => this.#check(), CHECK_MS);
    this.#clients.served(this.servingClients.length);
    await ready;
    for (const worker of this.#clients.leaving.splice(0)) void this.#end(worker);
  }

  /** What it has been left, and what it lacks. */
  #fill(pool: WorkerPool): void {
    const kept = this.#of(pool).filter(({ state }) => state === "starting" || state === "serving");
    // Of two that were a cordon, workers dial the one that came last.
    for (const worker of kept.slice(0, Math.max(0, kept.length - pool.size))) pool.leave(worker);
    for (let i = kept.length; i < pool.size; i++) this.#spawn().configure(pool);
    if (pool.cordon === null || kept.length < pool.size) return;
    for (const worker of pool.leaving.splice(0)) void this.#end(worker);
  }

  /** Starts the worker that stands by; after the node answers, since it costs start-up time. */
  standBy(): void {
    if (this.#stopping || this.#standby !== null || !this.#options.hasStandby) return;
    this.#standby = this.#spawn();
  }

  /** Drains every worker and ends them; what is left after the timeout is killed. */
  async stop(): Promise<void> {
    await this.#close([...this.#workers]);
  }

  /** After a start that failed: ends what this node has started; what it has adopted goes on without it. */
  async abandon(): Promise<void> {
    const own = [...this.#workers].filter(({ handle }) => handle.isChild);
    for (const worker of this.#workers) {
      if (worker.handle.isChild) continue;
      this.#workers.delete(worker);
      worker.channel?.close();
    }
    await this.#close(own);
  }

  killAll(): void {
    for (const worker of this.#workers) worker.kill();
  }

  async #close(workers: readonly WorkerProcess[]): Promise<void> {
    this.#stopping = true;
    if (this.#watch !== null) clearInterval(this.#watch);
    // First, so that nobody who is left behind comes back.
    this.#control?.close();
    const isCordon = ({ pool }: WorkerProcess): boolean => (pool?.cordon ?? null) !== null;
    await Promise.all(workers.filter((one) => !isCordon(one)).map((one) => this.#end(one)));
    // They answer what the others still have open.
    await Promise.all(workers.filter(isCordon).map((one) => this.#end(one)));
  }

  /** Resolves when each of them has said hello, or was silent for too long and is gone. */
  async #adopt(orphans: readonly Orphan[]): Promise<void> {
    const { log, socketPath } = this.#options;
    if (orphans.length === 0) return;
    for (const { pid, number } of orphans) {
      this.#add(new WorkerProcess(number, adoptWorker(pid, socketPath), Date.now()));
      this.#nextNumber = Math.max(this.#nextNumber, number + 1);
    }
    const unmet = (): WorkerProcess[] =>
      [...this.#workers].filter(({ state }) => state === "orphan");
    const tooLate = setTimeout(() => {
      for (const worker of unmet()) {
        log.write("error", `Worker ${worker.number} (pid ${worker.pid}) was left and is silent.`);
        worker.kill();
      }
    }, SILENCE_MS_MAX);
    await new Promise<void>((resolve) => {
      this.#met = () => {
        if (unmet().length === 0) resolve();
      };
    });
    clearTimeout(tooLate);
  }

  #spawn(): WorkerProcess {
    const idle = [...this.#workers].find((one) => one.state === "standby" && one !== this.#standby);
    if (idle !== undefined) return idle;
    const number = this.#nextNumber++;
    // Numbers begin anew with each supervisor.
    rmSync(this.#witness(number), { force: true });
    const handle = spawnWorker(number, this.#options.socketPath, this.#options.start);
    return this.#add(new WorkerProcess(number, handle, Date.now()));
  }

  #add(worker: WorkerProcess): WorkerProcess {
    this.#workers.add(worker);
    void worker.handle.ended.then((end) => this.#exited(worker, end));
    return worker;
  }

  #connected(socket: Socket): void {
    let worker: WorkerProcess | undefined;
    const channel = openChannel<ToSupervisor, ToWorker>(socket, {
      message: (message) => {
        if (message.type === "hello") {
          worker = [...this.#workers].find(({ pid }) => pid === message.pid);
          if (worker === undefined) socket.destroy();
          else this.#hello(worker, channel, message);
        } else if (worker !== undefined) {
          this.#message(worker, message);
        }
      },
      closed: () => {
        // How an adopted worker's end shows; it closes only when it ends.
        if (worker?.handle.isChild === false && this.#workers.has(worker)) worker.kill();
      },
    });
  }

  #hello(worker: WorkerProcess, channel: Channel<ToWorker>, { config, ending }: Hello): void {
    worker.connected(channel, Date.now());
    for (const message of this.#options.greeting()) worker.send(message);
    if (worker.state !== "orphan") {
      if (config === null && worker.pool !== null) worker.configure(worker.pool);
      return;
    }
    if (config === null) {
      // Its supervisor died before it was of use; it ends by itself, or now.
      worker.kill();
      return;
    }
    const cordon = config.cordon?.name;
    const pool = cordon === undefined ? this.#clients : this.cordons.find(cordon);
    worker.pool = pool;
    if (ending || pool === null) {
      if (ending) worker.state = "draining";
      void this.#end(worker);
    } else if (pool.takes(config)) worker.state = "starting";
    else {
      this.#note(worker, "outdated", "its configuration is another");
      pool.leave(worker);
    }
    this.#options.log.write("info", `Worker ${worker.number} (pid ${worker.pid}) was taken over.`);
    this.#met();
  }

  #message(worker: WorkerProcess, message: ToSupervisor): void {
    worker.lastBeatMs = Date.now();
    if (message.type === "read") worker.revision = message.revision;
    if (message.type === "listening") this.#listening(worker);
    if (message.type === "failed") this.#failed(worker, message.error);
    if (message.type === "condemned")
      this.#retire(worker, { ...message.condemnation, kill: false });
    this.#options.onMessage(worker, message);
  }

  #listening(worker: WorkerProcess): void {
    if (worker.state !== "starting") return;
    worker.state = "serving";
    this.#lookClosely([worker]);
    const { pool } = worker;
    const relieved = worker.handle.isChild ? pool?.leaving.shift() : undefined;
    if (relieved?.doomed === true) relieved.kill();
    else if (relieved !== undefined) void this.#end(relieved);
    if (pool !== null) pool.served(this.#servingOf(pool).length);
  }

  #of(pool: WorkerPool): WorkerProcess[] {
    return this.workers.filter((worker) => worker.pool === pool);
  }

  #servingOf(pool: WorkerPool): WorkerProcess[] {
    return this.serving.filter((worker) => worker.pool === pool);
  }

  #failed(worker: WorkerProcess, error: ErrorData): void {
    this.#options.log.write("error", `Worker ${worker.number} cannot start: ${error.message}`);
    worker.pool?.failed(error);
    worker.kill();
  }

  /** If it serves, its replacement serves first; then it drains, or is killed if it cannot. */
  #retire(worker: WorkerProcess, { reason, text, kill, culprit = null }: Sickness): void {
    if (this.#stopping || worker.state === "gone" || (worker.state !== "serving" && !kill)) return;
    const isNews = !worker.doomed && worker.state !== "leaving";
    worker.doomed ||= kill;
    if (isNews) this.#note(worker, reason, text, culprit);
    const { pool } = worker;
    if (worker.state === "serving" && pool !== null) {
      pool.leave(worker);
      this.#replace(pool);
    } else if (worker.state !== "leaving") worker.kill();
  }

  #note(
    worker: WorkerProcess,
    reason: RestartReason,
    text: string,
    named: Culprit | null = null,
  ): void {
    const { number, pid } = worker;
    const culprit = named ?? this.#culprit(worker, reason);
    const fields = { reason, endpoint: culprit?.endpoint, version: culprit?.version };
    this.#options.log.write("warn", `Worker ${number} (pid ${pid}) is replaced: ${text}.`, fields);
    const at = new Date().toISOString();
    this.#ledger.add({ worker: number, pid, reason, text, at, culprit });
    if (culprit !== null) this.#options.onCulprit(culprit, reason);
  }

  #culprit(worker: WorkerProcess, reason: RestartReason): Culprit | null {
    const { number, pid, handle, doomed } = worker;
    // Of an adopted worker nobody sees whether it crashed or somebody ended it.
    if (isStopped(pid) || (reason === "crash" && !handle.isChild)) return null;
    // What ran just now has not filled a memory that took its time to fill.
    if (reason === "memory" && !doomed) return null;
    const culprit = this.#inquest.culprit(this.#witness(number), reason, Date.now());
    this.#lookClosely(this.serving);
    return culprit;
  }

  #lookClosely(workers: readonly WorkerProcess[]): void {
    const forMs = this.#inquest.closeLookMs(Date.now());
    if (forMs === 0) return;
    for (const worker of workers) worker.send({ type: "look-closely", forMs });
  }

  #witness(number: number): string {
    return witnessPath(this.#options.config.data, number);
  }

  #exited(worker: WorkerProcess, { code, signal }: End): void {
    const { state, pool } = worker;
    worker.state = "gone";
    this.#workers.delete(worker);
    if (pool !== null) pool.leaving = pool.leaving.filter((one) => one !== worker);
    if (this.#standby === worker) this.#standby = null;
    this.#options.onGone(worker);
    if (state === "orphan") this.#met();
    if (this.#stopping || state === "draining" || state === "orphan") return;
    if (pool?.ended === true) return;
    const how = signal ?? (code === null ? "nobody saw how" : `code ${code}`);
    // Its replacement is on its way.
    if (state === "leaving") return;
    if (!worker.doomed) this.#note(worker, reasonOfEnd(code, signal), `it ended: ${how}`);
    const delayMs = (pool ?? this.#clients).delayMs(Date.now());
    const start = (): void => (pool === null ? this.standBy() : this.#replace(pool));
    if (pool !== null && delayMs === 0) start();
    // Nothing of it may keep a stopped node waiting.
    else setTimeout(start, delayMs).unref();
  }

  #replace(pool: WorkerPool): void {
    if (this.#stopping || pool.ended) return;
    const worker = this.#standby ?? this.#spawn();
    this.#standby = null;
    worker.configure(pool);
    this.standBy();
  }

  #check(): void {
    const now = Date.now();
    // This process itself stood still: nobody's silence means anything.
    const stalled = now - this.#lastCheckMs > CHECK_MS + SILENCE_MS_MAX / 2;
    this.#lastCheckMs = now;
    this.cordons.expire(now);
    for (const worker of this.#workers) {
      if (stalled) worker.lastBeatMs = now;
      if (worker.state === "orphan") continue;
      const memoryBytes = memoryBytesOf(worker.pid);
      const memoryBytesMax = this.#options.workerMemoryBytes;
      const sickness = sicknessOf(worker, { now, memoryBytes, memoryBytesMax });
      if (sickness !== null) this.#retire(worker, sickness);
    }
  }

  async #end(worker: WorkerProcess): Promise<void> {
    const timeoutMs = this.#options.config.drainTimeoutMs;
    if (worker.state === "gone") return;
    if (worker.state === "standby" || worker.channel === null) worker.kill();
    // When all go, there is nowhere to go to.
    else if (worker.state !== "draining") worker.drain(timeoutMs, this.#stopping ? 0 : LINGER_MS);
    const timer = setTimeout(() => worker.kill(), timeoutMs + END_GRACE_MS);
    await worker.handle.ended;
    clearTimeout(timer);
  }
}

type Hello = Extract<ToSupervisor, { readonly type: "hello" }>;
