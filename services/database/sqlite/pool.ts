// The processes of one backend: as many as have something to do, up to a few. A lease (a transaction, a cursor) has
// one to itself; one is never leased, so that there is always one for what comes and goes.

import { EdgeError } from "../../../sdk/errors.ts";
import { SqliteProcess } from "./process.ts";

/** Readers do not disturb each other, writers wait in any case: more would only take memory, 15 MB each. */
export const PROCESSES_MAX = 4;
/** After this time at rest a process ends; the next call waits 60 ms for a new one. */
const REST_MS_MAX = 30_000;

interface Asking {
  readonly lasting: boolean;
  readonly resolve: (process: SqliteProcess) => void;
}

export class SqlitePool {
  readonly #all = new Set<SqliteProcess>();
  readonly #resting = new Map<SqliteProcess, NodeJS.Timeout>();
  readonly #leased = new Set<SqliteProcess>();
  #asking: Asking[] = [];
  #closed = false;

  get size(): number {
    return this.#all.size;
  }

  /** The caller gives it back in any case. Rejects when the signal aborts first. */
  take({ lasting, signal }: { lasting: boolean; signal: AbortSignal }): Promise<SqliteProcess> {
    signal.throwIfAborted();
    if (this.#closed) throw new EdgeError("SERVICE_STOPPED");
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#asking = this.#asking.filter((each) => each !== mine);
        const reason: unknown = signal.reason;
        reject(reason instanceof EdgeError ? reason : new EdgeError("CANCELLED"));
      };
      const mine: Asking = {
        lasting,
        resolve: (process) => {
          signal.removeEventListener("abort", onAbort);
          resolve(process);
        },
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#asking = [...this.#asking, mine];
      this.#serve();
    });
  }

  give(process: SqliteProcess): void {
    this.#leased.delete(process);
    if (process.worn || this.#closed) process.kill();
    else this.#rest(process);
    this.#serve();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#resting.values()) clearTimeout(timer);
    const all = [...this.#all];
    for (const process of all) process.kill();
    await Promise.all(all.map(({ ended }) => ended));
  }

  #rest(process: SqliteProcess): void {
    const timer = setTimeout(() => process.kill(), REST_MS_MAX);
    timer.unref();
    this.#resting.set(process, timer);
  }

  #serve(): void {
    // The list is replaced, never changed, meanwhile.
    for (const asking of this.#asking) {
      if (asking.lasting && this.#leased.size >= PROCESSES_MAX - 1) continue;
      const process = this.#wake() ?? this.#start();
      if (process === null) return;
      this.#asking = this.#asking.filter((each) => each !== asking);
      if (asking.lasting) this.#leased.add(process);
      asking.resolve(process);
    }
  }

  #wake(): SqliteProcess | null {
    for (const [process, timer] of this.#resting) {
      clearTimeout(timer);
      this.#resting.delete(process);
      if (!process.worn) return process;
      process.kill();
    }
    return null;
  }

  #start(): SqliteProcess | null {
    if (this.#all.size >= PROCESSES_MAX) return null;
    const started = new SqliteProcess((process) => {
      this.#all.delete(process);
      clearTimeout(this.#resting.get(process));
      this.#resting.delete(process);
      this.#serve();
    });
    this.#all.add(started);
    return started;
  }
}
