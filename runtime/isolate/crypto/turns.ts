// Where cryptography runs. Node's thread pool has four threads for the whole process, and files and host names need
// them too. Compression takes two at most (compression/gate.ts), and two are taken here: one by what is done in ten
// milliseconds, one by what takes long. So only one of the four is ever held for longer. Isolates take turns: a flood
// waits behind itself. What Node does on this thread (import and export of keys) takes turns as well, a millisecond of
// them per turn of the event loop.

import { CRYPTO_WAITING_MAX } from "../../../sdk/limits.ts";

export type Lane = "here" | "quick" | "slow";

export interface Operation {
  /** The request that asks for it. */
  readonly owner: number;
  /** Never rejects. */
  run(): Promise<void>;
  /** Instead of `run`. */
  cancel(): void;
}

/** The operations of one isolate in one lane. */
class Line {
  waiting: Operation[] = [];
  /** Running one, or in the row. */
  busy = false;
}

/** On this thread, before others have their turn. */
const HERE_MS_MAX = 1;

/** One operation at a time. */
class Row {
  readonly #here: boolean;
  /** Lines in the order of their turns. */
  readonly #ready: Line[] = [];
  #running = false;
  /** Of the operations on this thread since others had their turn. */
  #spentMs = 0;

  constructor(here: boolean) {
    this.#here = here;
  }

  add(line: Line, operation: Operation): void {
    line.waiting.push(operation);
    if (line.busy) return;
    line.busy = true;
    this.#ready.push(line);
    this.#fill();
  }

  #fill(): void {
    while (!this.#running) {
      const line = this.#ready.shift();
      const operation = line?.waiting.shift();
      if (line === undefined) return;
      if (operation === undefined) {
        // Cancelled meanwhile.
        line.busy = false;
        continue;
      }
      this.#running = true;
      void this.#run(line, operation);
    }
  }

  async #run(line: Line, operation: Operation): Promise<void> {
    const startedMs = performance.now();
    await operation.run();
    if (this.#here) {
      this.#spentMs += performance.now() - startedMs;
      if (this.#spentMs >= HERE_MS_MAX) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        this.#spentMs = 0;
      }
    }
    this.#running = false;
    this.#ready.push(line);
    this.#fill();
  }
}

/** The pool is the process's, and so are the places in it. */
const ROWS: Readonly<Record<Lane, Row>> = {
  here: new Row(true),
  quick: new Row(false),
  slow: new Row(false),
};

/** The operations of one isolate. */
export class Turns {
  readonly #lines: Readonly<Record<Lane, Line>> = {
    here: new Line(),
    quick: new Line(),
    slow: new Line(),
  };

  /** False when too many wait. */
  add(lane: Lane, operation: Operation): boolean {
    const { here, quick, slow } = this.#lines;
    const waiting = here.waiting.length + quick.waiting.length + slow.waiting.length;
    if (waiting >= CRYPTO_WAITING_MAX) return false;
    ROWS[lane].add(this.#lines[lane], operation);
    return true;
  }

  /** What waits of this request's will not run; what runs comes to its end. */
  cancel(owner: number): void {
    for (const line of Object.values(this.#lines)) {
      const cancelled = line.waiting.filter((operation) => operation.owner === owner);
      if (cancelled.length === 0) continue;
      line.waiting = line.waiting.filter((operation) => operation.owner !== owner);
      for (const operation of cancelled) operation.cancel();
    }
  }

  close(): void {
    for (const line of Object.values(this.#lines)) line.waiting = [];
  }
}
