// A signal that aborts with another one or when the time is over, and a race against it.

import { EdgeError } from "../sdk/errors.ts";

export class Deadline {
  readonly signal: AbortSignal;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #parent: AbortSignal | null;
  readonly #onAbort: () => void;
  readonly #aborted: Promise<never>;
  #over = false;

  /** `timeoutMs`: Infinity for no time-out. `name`: whose time it is, for the error. */
  constructor(parent: AbortSignal | null, timeoutMs: number, name: string) {
    const controller = new AbortController();
    const { promise, reject } = Promise.withResolvers<never>();
    const end = (reason: EdgeError): void => {
      this.#over = true;
      controller.abort(reason);
      reject(reason);
    };
    this.signal = controller.signal;
    this.#parent = parent;
    this.#aborted = promise;
    // Nobody may be racing when it ends.
    promise.catch(() => undefined);
    this.#onAbort = () => end(new EdgeError("CANCELLED", "The call is wanted no more."));
    parent?.addEventListener("abort", this.#onAbort);
    if (timeoutMs === Infinity) return;
    this.#timer = setTimeout(() => {
      const text = `The service ${name} did not answer within ${timeoutMs} ms.`;
      end(new EdgeError("SERVICE_TIMEOUT", text));
    }, timeoutMs);
  }

  get over(): boolean {
    return this.#over;
  }

  race<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#aborted]);
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#parent?.removeEventListener("abort", this.#onAbort);
  }
}
