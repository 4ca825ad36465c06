// Who runs now and who waits. Callers take turns: the next to run is the first of the caller whose last turn is longest
// ago.

interface Waiting {
  readonly start: () => void;
  readonly signal: AbortSignal;
}

export interface MailboxOptions {
  readonly runningMax: number;
  readonly waitingMax: number;
  readonly waitingPerCallerMax: number;
}

/** Gives the place back. */
export type Leave = () => void;

export class Mailbox {
  readonly #options: MailboxOptions;
  /** In the order of their turns. */
  readonly #queues = new Map<string, Waiting[]>();
  readonly #whenIdle: (() => void)[] = [];
  #running = 0;
  #waiting = 0;

  constructor(options: MailboxOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /**
   * At once when there is a place. null: too many wait. Never resolves when the signal aborts first: whoever asked has
   * stopped waiting by then.
   */
  enter(caller: string, signal: AbortSignal): Leave | Promise<Leave> | null {
    const { runningMax, waitingMax, waitingPerCallerMax } = this.#options;
    if (this.#running < runningMax) {
      this.#running++;
      return this.#createLeave();
    }
    const queue = this.#queues.get(caller) ?? [];
    if (this.#waiting >= waitingMax || queue.length >= waitingPerCallerMax) return null;
    this.#queues.set(caller, queue);
    return new Promise((resolve) => {
      const mine: Waiting = { start: () => resolve(this.#createLeave()), signal };
      queue.push(mine);
      this.#waiting++;
      signal.addEventListener("abort", () => this.#forget(caller, mine), { once: true });
    });
  }

  /** Nobody runs and nobody waits. */
  idle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  #createLeave(): Leave {
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#running--;
      this.#startNext();
    };
  }

  #startNext(): void {
    for (const [caller, queue] of this.#queues) {
      const next = queue.shift();
      this.#queues.delete(caller);
      if (next === undefined) continue;
      if (queue.length > 0) this.#queues.set(caller, queue);
      this.#waiting--;
      this.#running++;
      next.start();
      return;
    }
    if (this.#running === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  #forget(caller: string, mine: Waiting): void {
    const queue = this.#queues.get(caller);
    const at = queue?.indexOf(mine) ?? -1;
    if (queue === undefined || at < 0) return;
    queue.splice(at, 1);
    this.#waiting--;
    if (queue.length === 0) this.#queues.delete(caller);
  }
}
