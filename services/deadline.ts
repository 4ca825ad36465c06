// A signal that aborts with another one or when the time is over, and a race against it.

import { EdgeError } from "../sdk/errors.ts";

export class Deadline {
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #parent: AbortSignal | null;
  readonly #controller = new AbortController();
  readonly #onAbort = (): void =>
    this.#end(new EdgeError("CANCELLED", "The call is wanted no more."));
  #reason: EdgeError | null = null;
  /** Of the race that is on. */
  #lose: ((reason: EdgeError) => void) | null = null;

  /** `timeoutMs`: Infinity for no time-out. `name`: whose time it is, for the error. */
  constructor(parent: AbortSignal | null, timeoutMs: number, name: string) {
    this.#parent = parent;
    parent?.addEventListener("abort", this.#onAbort);
    if (timeoutMs === Infinity) return;
    this.#timer = setTimeout(() => {
      const text = `The service ${name} did not answer within ${timeoutMs} ms.`;
      this.#end(new EdgeError("SERVICE_TIMEOUT", text));
    }, timeoutMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get over(): boolean {
    return this.#reason !== null;
  }

  /** One at a time. Not Promise.race: a service call is a race each, and that makes six promises of one. */
  race<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#lose = reject;
      if (this.#reason !== null) reject(this.#reason);
      work.then(resolve, reject);
    });
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#parent?.removeEventListener("abort", this.#onAbort);
  }

  #end(reason: EdgeError): void {
    this.#reason = reason;
    this.#controller.abort(reason);
    this.#lose?.(reason);
  }
}
