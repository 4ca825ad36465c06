// Connections to one server: as many as were needed at once, up to a number. Each serves one caller at a time, so that
// nobody's statements stand in a line behind another's, and a cancelled one cannot hit a stranger's. Each is for one
// database; one that rests makes room for another database's.

import { EdgeError } from "../../../sdk/errors.ts";

export interface PooledConnection {
  /** It is closed, or must not be used again. */
  readonly worn: boolean;
  close(): void;
}

export class ConnectionPool<C extends PooledConnection> {
  readonly #create: (database: string) => C;
  readonly #max: number;
  readonly #resting: C[] = [];
  /** And for which database it is. */
  readonly #all = new Map<C, string>();
  #asking: (() => void)[] = [];
  #closed = false;

  constructor(create: (database: string) => C, max: number) {
    this.#create = create;
    this.#max = max;
  }

  get size(): number {
    return this.#all.size;
  }

  /** The caller gives it back in any case. Rejects when the signal aborts first. */
  async take(database: string, signal: AbortSignal): Promise<C> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#closed) throw new EdgeError("SERVICE_STOPPED");
      const found = this.#rested(database) ?? this.#made(database);
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
    for (const connection of this.#all.keys()) this.#drop(connection);
    for (const wake of this.#asking.splice(0)) wake();
  }

  /** The one that served last: the others may be closed by whoever is between, and are no loss. */
  #rested(database: string): C | null {
    for (;;) {
      const at = this.#resting.findLastIndex((each) => this.#all.get(each) === database);
      const [connection] = at === -1 ? [] : this.#resting.splice(at, 1);
      if (connection === undefined) return null;
      if (!connection.worn) return connection;
      this.#drop(connection);
    }
  }

  #made(database: string): C | null {
    if (this.#all.size >= this.#max) {
      const other = this.#resting.shift();
      if (other === undefined) return null;
      this.#drop(other);
    }
    const connection = this.#create(database);
    this.#all.set(connection, database);
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
