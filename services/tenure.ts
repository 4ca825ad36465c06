// One backend under one configuration: opened by the first call that needs it, opened anew with a growing pause when
// that fails or it breaks, closed when all its calls have ended. An actor whose configuration changes begins another
// tenure, while the calls of the one before come to their end.

import { EdgeError } from "../sdk/errors.ts";
import type { Backend } from "../sdk/services/service.ts";
import { Deadline } from "./deadline.ts";
import { Mailbox } from "./mailbox.ts";

export interface ActorLimits {
  /** Calls that run at once. */
  readonly concurrency: number;
  /** Calls that wait, of all callers together. */
  readonly queue: number;
  /** From a call's arrival until its answer. */
  readonly timeoutMs: number;
}

/** Of the queue, what one caller may fill. */
const CALLER_SHARE = 0.5;
/** Pauses before a backend is opened again: doubling from the first to the last. */
const RESTART_MS_MIN = 100;
const RESTART_MS_MAX = 10_000;
/** What an opening may take. */
export const OPEN_MS_MAX = 10_000;

export interface TenureOptions<B extends Backend> {
  readonly name: string;
  readonly limits: ActorLimits;
  /** Rejects with an EdgeError of the SERVICE codes. Reached servers that go away later are the backend's to redial. */
  readonly open: (signal: AbortSignal) => Promise<B>;
  readonly now: () => number;
  /** A bug of the backend's. */
  readonly onPanic: (error: unknown) => void;
}

export class Tenure<B extends Backend> {
  readonly limits: ActorLimits;
  readonly mailbox: Mailbox;
  readonly #options: TenureOptions<B>;
  #backend: B | null = null;
  #opening: Promise<B> | null = null;
  #failure: EdgeError | null = null;
  #retryAtMs = 0;
  #pauseMs = RESTART_MS_MIN;

  constructor(options: TenureOptions<B>) {
    this.#options = options;
    this.limits = options.limits;
    const { concurrency, queue } = options.limits;
    this.mailbox = new Mailbox({
      runningMax: concurrency,
      waitingMax: queue,
      waitingPerCallerMax: Math.max(1, Math.floor(queue * CALLER_SHARE)),
    });
  }

  get isOpen(): boolean {
    return this.#backend !== null;
  }

  /** Open, with a place that nobody waits for. */
  get freeBackend(): B | null {
    const { running, waiting } = this.mailbox;
    return waiting === 0 && running < this.limits.concurrency ? this.#backend : null;
  }

  async run<T>(
    work: (backend: B, signal: AbortSignal) => Promise<T>,
    { caller, signal }: { readonly caller: string; readonly signal: AbortSignal },
  ): Promise<T> {
    const entered = this.mailbox.enter(caller, signal);
    if (entered === null) {
      const { name } = this.#options;
      const text = `${this.limits.queue} calls wait for the service ${name}, or half of them are this endpoint's.`;
      throw new EdgeError("SERVICE_OVERLOADED", text);
    }
    const leave = entered instanceof Promise ? await entered : entered;
    try {
      return await work(this.#backend ?? (await this.#open()), signal);
    } finally {
      leave();
    }
  }

  /** It broke: whatever it is in now, the next call gets another one. */
  async discard(): Promise<void> {
    this.#pause(new EdgeError("SERVICE_UNAVAILABLE", "The service's connection broke down."));
    await this.#close();
  }

  /** When the calls that it has are over. */
  async end(): Promise<void> {
    await this.mailbox.idle();
    await this.#close();
  }

  #open(): Promise<B> {
    const waitMs = this.#retryAtMs - this.#options.now();
    if (this.#opening === null && this.#failure !== null && waitMs > 0) {
      const { code, message } = this.#failure;
      const text = `${message} The service ${this.#options.name} is tried again in ${Math.ceil(waitMs)} ms.`;
      throw new EdgeError(code, text);
    }
    this.#opening ??= this.#openAnew().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  async #openAnew(): Promise<B> {
    const deadline = new Deadline(null, OPEN_MS_MAX, this.#options.name);
    try {
      const opening = this.#options.open(deadline.signal);
      // Whatever comes after the time is closed again.
      opening.then(
        (late) => (deadline.over ? late.close() : undefined),
        () => undefined,
      );
      this.#backend = await deadline.race(opening);
      this.#pauseMs = RESTART_MS_MIN;
      this.#failure = null;
      return this.#backend;
    } catch (error) {
      if (error instanceof EdgeError) this.#pause(error);
      throw error;
    } finally {
      deadline.clear();
    }
  }

  #pause(failure: EdgeError): void {
    this.#failure = failure;
    this.#retryAtMs = this.#options.now() + this.#pauseMs;
    this.#pauseMs = Math.min(2 * this.#pauseMs, RESTART_MS_MAX);
  }

  async #close(): Promise<void> {
    const backend = this.#backend;
    this.#backend = null;
    try {
      await backend?.close();
    } catch (error) {
      this.#options.onPanic(error);
    }
  }
}
