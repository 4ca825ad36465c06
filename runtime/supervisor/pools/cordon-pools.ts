// The cordons of a node: a pool of one worker for each. A cordon is there as long as a deployed version asks for it,
// and for a while when a publish under way may.

import { rmSync } from "node:fs";
import { cordonSocket } from "../../link/cordon-socket.ts";
import type { WorkerConfig } from "../../link/messages.ts";
import { WorkerPool } from "./worker-pool.ts";

/** From a publish's wish for a cordon to its commit: loading the version takes seconds at most. */
const WANTED_MS = 60_000;

export interface CordonEvents {
  /** Names of those that the registry asks for. */
  readonly needed: () => ReadonlySet<string>;
  readonly serving: (pool: WorkerPool) => number;
  /** It needs its worker. */
  opened(pool: WorkerPool): void;
  /** Its workers are to be ended. */
  ended(pool: WorkerPool): void;
}

export class CordonPools {
  readonly #base: WorkerConfig;
  readonly #events: CordonEvents;
  readonly #pools = new Map<string, WorkerPool>();
  #needed: ReadonlySet<string> = new Set();

  constructor(base: WorkerConfig, events: CordonEvents) {
    this.#base = base;
    this.#events = events;
  }

  all(): WorkerPool[] {
    return [...this.#pools.values()];
  }

  find(name: string): WorkerPool | null {
    return this.#pools.get(name) ?? null;
  }

  /** At the start: their workers may be there already. */
  adopt(): void {
    this.#needed = this.#events.needed();
    for (const name of this.#needed) this.#create(name);
  }

  /** Resolves when it serves. It is kept for a while, and then only if the registry asks for it. */
  open(name: string, now: number): Promise<void> {
    const known = this.#pools.get(name);
    const pool = known ?? this.#create(name);
    pool.wantedUntilMs = now + WANTED_MS;
    if (known === undefined) this.#events.opened(pool);
    return pool.whenReady(this.#events.serving(pool));
  }

  /** Starts those that the registry asks for, and ends the others. */
  settle(now: number): void {
    const needed = this.#events.needed();
    this.#needed = needed;
    for (const name of needed) {
      const known = this.#pools.get(name);
      const pool = known ?? this.#create(name);
      pool.wantedUntilMs = 0;
      if (known === undefined) this.#events.opened(pool);
    }
    this.expire(now);
  }

  /** Ends what no version asks for, and no publish any more. */
  expire(now: number): void {
    for (const [name, pool] of this.#pools) {
      if (!this.#needed.has(name) && pool.wantedUntilMs <= now) this.#drop(name, pool);
    }
  }

  #create(name: string): WorkerPool {
    const cordon = { name, socket: cordonSocket(this.#base.cordons, name) };
    const pool = new WorkerPool({ ...this.#base, cordon }, 1);
    this.#pools.set(name, pool);
    return pool;
  }

  #drop(name: string, pool: WorkerPool): void {
    this.#pools.delete(name);
    pool.ended = true;
    if (pool.config.cordon !== null) tryRemove(pool.config.cordon.socket);
    this.#events.ended(pool);
  }
}

/** The folder may be another account's, who may have put anything there. */
function tryRemove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // A folder of that name is in nobody's way.
  }
}
