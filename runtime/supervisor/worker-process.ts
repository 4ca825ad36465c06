// One worker as the supervisor sees it: its process, its end of the control socket, what it has said so far. The
// process is a child of this one, or was one of a supervisor that died.

import type { Channel } from "../link/channel.ts";
import type { ToWorker } from "../link/messages.ts";
import { ISOLATE_FLAGS, WORKER_MAIN } from "../link/places.ts";
import { workerEnvironment } from "./environment.ts";
import type { WorkerPool } from "./pools/worker-pool.ts";
import { isGone, isWorker } from "./processes.ts";
import type { Confinement } from "./rights/confinement.ts";

/** With what rights workers are started. */
export interface WorkerStart {
  readonly confinement: Confinement;
  /** The account's; null: without one. */
  readonly home: string | null;
}

export type WorkerState =
  /** Left by a supervisor that died; has not said hello to this one yet. */
  | "orphan"
  /** Started, not configured: stands by to take another's place. */
  | "standby"
  | "starting"
  | "serving"
  /** Serves until its replacement does. */
  | "leaving"
  | "draining"
  | "gone";

/** How a process ended; both null when nobody can tell. */
export interface End {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface WorkerHandle {
  readonly pid: number;
  readonly isChild: boolean;
  /** Resolves when the process is gone. */
  readonly ended: Promise<End>;
  kill(): void;
}

/** How often a process that is no child is looked at once it is expected to be gone. */
const GONE_LOOK_MS = 10;

/**
 * Clients that ask at least once a second learn from a reply that they have to go elsewhere, and lose nothing. Longer
 * would cost: a worker may leave because a thread of it spins.
 */
export const LINGER_MS = 1_000;

export class WorkerProcess {
  readonly number: number;
  readonly handle: WorkerHandle;
  readonly startedMs: number;
  state: WorkerState;
  channel: Channel<ToWorker> | null = null;
  /** What it is, or shall be: told as soon as it connects. null while it stands by. */
  pool: WorkerPool | null = null;
  revision = 0;
  /** It is too sick to drain. */
  doomed = false;
  lastBeatMs: number;

  constructor(number: number, handle: WorkerHandle, now: number) {
    this.number = number;
    this.handle = handle;
    this.state = handle.isChild ? "standby" : "orphan";
    this.startedMs = now;
    this.lastBeatMs = now;
  }

  get pid(): number {
    return this.handle.pid;
  }

  send(message: ToWorker): void {
    this.channel?.send(message);
  }

  configure(pool: WorkerPool): void {
    this.state = "starting";
    this.pool = pool;
    this.send({ type: "configure", config: pool.config });
  }

  /** `lingerMs`: for requests that are on their way to it. */
  drain(timeoutMs: number, lingerMs: number): void {
    this.state = "draining";
    this.send({ type: "drain", timeoutMs, lingerMs });
  }

  connected(channel: Channel<ToWorker>, now: number): void {
    this.channel = channel;
    this.lastBeatMs = now;
  }

  kill(): void {
    this.handle.kill();
  }
}

export function spawnWorker(number: number, socketPath: string, start: WorkerStart): WorkerHandle {
  const args = [...ISOLATE_FLAGS, WORKER_MAIN, socketPath, `${number}`];
  const child = start.confinement.spawn(process.execPath, args, {
    env: workerEnvironment(start.home),
    // uWS prints there what it makes of server names.
    stdio: ["ignore", "ignore", "inherit"],
    listens: true,
  });
  return {
    pid: child.pid ?? 0,
    isChild: true,
    ended: new Promise((resolve) => {
      child.once("exit", (code, signal) => resolve({ code, signal }));
      // It could not be started at all.
      child.once("error", () => resolve({ code: null, signal: null }));
    }),
    kill: () => void child.kill("SIGKILL"),
  };
}

/** A worker that somebody else has started. Its end shows by its connection: the keeper kills what it lost. */
export function adoptWorker(pid: number, socketPath: string): WorkerHandle {
  const { promise: ended, resolve } = Promise.withResolvers<End>();
  const look = (): void => {
    if (isGone(pid)) resolve({ code: null, signal: null });
    else setTimeout(look, GONE_LOOK_MS);
  };
  let killed = false;
  return {
    pid,
    isChild: false,
    ended,
    kill() {
      if (killed) return;
      killed = true;
      try {
        // Its number may be somebody else's by now.
        if (isWorker(pid, socketPath)) process.kill(pid, "SIGKILL");
      } catch {
        // It ended between the two.
      }
      look();
    },
  };
}
