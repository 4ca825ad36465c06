// Workers that stand in for each other: those that take clients' connections, or the one that is a cordon. Each
// pool has its own replacements, and its own pauses when its workers die in a loop.

import type { ErrorData } from "../../../sdk/errors.ts";
import { EdgeError } from "../../../sdk/errors.ts";
import type { WorkerConfig } from "../../link/messages.ts";
import type { WorkerProcess } from "../worker-process.ts";

/** Deaths within this time count as one loop … */
const LOOP_WINDOW_MS = 10_000;
/** … of which so many per worker are taken as bad luck before replacements wait. */
const LOOP_DEATHS = 5;
const BACKOFF_MS_FIRST = 100;
const BACKOFF_MS_MAX = 10_000;

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class WorkerPool {
  readonly config: WorkerConfig;
  readonly size: number;
  /** In the order in which they go, one with each replacement that serves. */
  leaving: WorkerProcess[] = [];
  /** Nobody needs it any more: none of its workers is replaced. */
  ended = false;
  /** Until then it is kept for a publish that is under way. */
  wantedUntilMs = 0;
  readonly #deaths: number[] = [];
  #waiters: Waiter[] = [];

  constructor(config: WorkerConfig, size: number) {
    this.config = config;
    this.size = size;
  }

  /** null: the workers that clients connect to. */
  get cordon(): string | null {
    return this.config.cordon?.name ?? null;
  }

  /** Whether a worker that was configured so is what its own would be. */
  takes(config: WorkerConfig): boolean {
    return JSON.stringify(config) === JSON.stringify(this.config);
  }

  /** Resolves when all of its workers serve; rejects when one says that it cannot start. */
  whenReady(serving: number): Promise<void> {
    if (serving >= this.size) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  served(serving: number): void {
    if (serving < this.size) return;
    for (const { resolve } of this.#waiters.splice(0)) resolve();
  }

  failed({ code, message, detail }: ErrorData): void {
    const error = new EdgeError(code, message, detail === undefined ? {} : { detail });
    for (const { reject } of this.#waiters.splice(0)) reject(error);
  }

  leave(worker: WorkerProcess): void {
    worker.state = "leaving";
    this.leaving.push(worker);
  }

  /** How long to wait before a worker that died now is replaced. */
  delayMs(now: number): number {
    this.#deaths.push(now);
    while ((this.#deaths[0] ?? now) < now - LOOP_WINDOW_MS) this.#deaths.shift();
    // The window forgets: a worker that serves a moment before each death is in the loop all the same.
    const beyond = this.#deaths.length - LOOP_DEATHS * this.size;
    return beyond <= 0 ? 0 : Math.min(BACKOFF_MS_FIRST * 2 ** (beyond - 1), BACKOFF_MS_MAX);
  }
}
