// Addresses for which a request is on its way to the target, and who waits for what comes of it.

/** Whoever has waited so long goes there too. */
const WAIT_MS_MAX = 10_000;
/** Over all addresses of a policy; others go there at once. */
export const WAITING_MAX = 4_096;

export class Flights {
  readonly #open = new Map<string, Set<() => void>>();
  #waiting = 0;

  has(key: string): boolean {
    return this.#open.has(key);
  }

  /** False: there is one. */
  begin(key: string): boolean {
    if (this.#open.has(key)) return false;
    this.#open.set(key, new Set());
    return true;
  }

  end(key: string): void {
    const waiters = this.#open.get(key);
    this.#open.delete(key);
    for (const waiter of waiters ?? []) waiter();
  }

  async wait(key: string): Promise<void> {
    const waiters = this.#open.get(key);
    if (waiters === undefined || this.#waiting >= WAITING_MAX) return;
    this.#waiting++;
    await new Promise<void>((resolve) => {
      const over = (): void => {
        clearTimeout(timer);
        waiters.delete(over);
        resolve();
      };
      const timer = setTimeout(over, WAIT_MS_MAX);
      waiters.add(over);
    });
    this.#waiting--;
  }
}
