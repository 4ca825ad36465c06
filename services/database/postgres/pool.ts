// Connections to one server: as many as were needed at once, up to a number. Each serves one caller at a time, so that
// nobody's statements stand in a line behind another's, and a cancelled one cannot hit a stranger's.

import { EdgeError } from "../../../sdk/errors.ts";

export interface PooledConnection {
  /** It is closed, or must not be used again. */
  readonly worn: boolean;
  close(): void;
}

export class ConnectionPool<C extends PooledConnection> {
  readonly #create: () => C;
  readonly #max: number;
  readonly #resting: C[] = [];
  readonly #all = new Set<C>();
  #asking: (() => void)[] = [];
  #closed = false;

  constructor(create: () => C, max: number) {
    this.#create = create;
    this.#max = max;
  }

  get size(): number {
    return this.#all.size;
  }

  /** The caller gives it back in any case. Rejects when the signal aborts first. */
  async take(signal: AbortSignal): Promise<C> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#closed) throw new EdgeError("SERVICE_STOPPED");
      const found = this.#rested() ?? this.#made();
      if (found !== null) return found;
      await this.#turn(signal);
    }
  }

  give(connection: C): void {
    if (connection.worn || this.#closed) this.#drop(connection);
    else this.#resting.push(connection);
    this.#asking.shift()?.();
  }

  close(): void {
    this.#closed = true;
    for (const connection of this.#all) this.#drop(connection);
    for (const wake of this.#asking.splice(0)) wake();
  }

  /** The one that served last: the others may be closed by whoever is between, and are no loss. */
  #rested(): C | null {
    for (;;) {
      const connection = this.#resting.pop();
      if (connection === undefined) return null;
      if (!connection.worn) return connection;
      this.#drop(connection);
    }
  }

  #made(): C | null {
    if (this.#all.size >= this.#max) return null;
    const connection = this.#create();
    this.#all.add(connection);
    return connection;
  }

  #drop(connection: C): void {
    this.#all.delete(connection);
    connection.close();
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      };
      const onAbort = (): void => {
        this.#asking = this.#asking.filter((each) => each !== wake);
        resolve();
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#asking.push(wake);
    });
  }
}
