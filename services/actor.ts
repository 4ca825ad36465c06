// The owner of one service's connections in one worker. Calls go through its mailbox: a bounded number run at once, a
// bounded number wait, each has its time. Callers (endpoints) take turns, so that one that floods the service delays
// itself. A backend that cannot be opened, or that breaks, is opened anew with a growing pause; meanwhile calls are
// refused at once. Nothing that goes wrong here reaches the worker but as an answer.

import { EdgeError, errorData, type Code } from "../sdk/errors.ts";
import type { Backend, Probe } from "../sdk/services/service.ts";
import { LatencyHistogram } from "./latency.ts";
import { Mailbox } from "./mailbox.ts";

export interface ActorLimits {
  /** Calls that run at once. */
  readonly concurrency: number;
  /** Calls that wait, of all callers together. */
  readonly queue: number;
  /** From a call's arrival until its answer. */
  readonly timeoutMs: number;
}

/** A pool of ten connections is the seeds' default; a queue of a hundred calls is a second's worth on a slow server. */
export const ACTOR_LIMITS: ActorLimits = { concurrency: 10, queue: 1_000, timeoutMs: 30_000 };
/** Of the queue, what one caller may fill. */
export const CALLER_SHARE = 0.5;
/** Pauses before a backend is opened again: doubling from the first to the last. */
const RESTART_MS_MIN = 100;
const RESTART_MS_MAX = 10_000;
/** What a probe or an opening may take. */
const OPEN_MS_MAX = 10_000;

export interface ActorOptions<B extends Backend> {
  readonly name: string;
  readonly limits: ActorLimits;
  /** Rejects with an EdgeError of the SERVICE codes. Reached servers that go away later are the backend's to redial. */
  open(signal: AbortSignal): Promise<B>;
  readonly now: () => number;
  /** Health has changed: told once per change, not per call. */
  readonly onHealth: (health: Health) => void;
  /** A bug of the backend's: what it threw is no EdgeError. */
  readonly onPanic: (error: unknown) => void;
}

export interface Health {
  readonly ok: boolean;
  /** Of the last failure, null while all is well. */
  readonly code: Code | null;
  readonly message: string;
}

export interface ActorStats {
  readonly health: Health;
  readonly open: boolean;
  readonly running: number;
  readonly waiting: number;
  readonly calls: number;
  readonly failures: number;
  readonly restarts: number;
  readonly latency: LatencyHistogram;
}

export interface RunOptions {
  /** Whose turn it takes. */
  readonly caller: string;
  readonly signal: AbortSignal;
  /** Instead of the actor's own, and never longer. */
  readonly timeoutMs?: number;
  /** A stream or a transaction: ends with its signal, not by the time it takes. */
  readonly lasting?: boolean;
}

const WELL: Health = { ok: true, code: null, message: "" };
/** Failures that say that the server, not the call, is the matter. */
const UNWELL: ReadonlySet<Code> = new Set([
  "SERVICE_UNAVAILABLE",
  "SERVICE_REFUSED",
  "SERVICE_TIMEOUT",
]);

export class ServiceActor<B extends Backend> {
  readonly #options: ActorOptions<B>;
  readonly #mailbox: Mailbox;
  readonly #latency = new LatencyHistogram();
  #backend: B | null = null;
  #opening: Promise<B> | null = null;
  #stopped: EdgeError | null = null;
  #health = WELL;
  #retryAtMs = 0;
  #pauseMs = RESTART_MS_MIN;
  #calls = 0;
  #failures = 0;
  #restarts = 0;

  constructor(options: ActorOptions<B>) {
    this.#options = options;
    const { concurrency, queue } = options.limits;
    this.#mailbox = new Mailbox({
      runningMax: concurrency,
      waitingMax: queue,
      waitingPerCallerMax: Math.max(1, Math.floor(queue * CALLER_SHARE)),
    });
  }

  /**
   * Runs `work` on the open backend when its turn comes. `work` must settle soon after its signal aborts: until then
   * it keeps its place. A stream or a transaction is one lasting work, from its beginning to its end.
   */
  async run<T>(
    work: (backend: B, signal: AbortSignal) => Promise<T>,
    { caller, signal, timeoutMs = Infinity, lasting = false }: RunOptions,
  ): Promise<T> {
    const { name, limits, now } = this.#options;
    if (this.#stopped !== null) throw this.#stopped;
    if (signal.aborted) throw new EdgeError("CANCELLED", "The call is wanted no more.");
    const startedMs = now();
    const limitMs = lasting ? Infinity : Math.min(timeoutMs, limits.timeoutMs);
    const deadline = new Deadline(signal, limitMs, name);
    this.#calls++;
    try {
      const result = await deadline.race(this.#turn(work, caller, deadline));
      this.#became(WELL);
      return result;
    } catch (error) {
      throw this.#failed(error);
    } finally {
      deadline.clear();
      if (!lasting) this.#latency.add(now() - startedMs);
    }
  }

  /** As `test` of the admin API shows it. */
  async probe(): Promise<Probe & { readonly latencyMs: number }> {
    const startedMs = this.#options.now();
    const probe = await this.run((backend, signal) => backend.probe(signal), {
      caller: "",
      signal: new AbortController().signal,
      timeoutMs: OPEN_MS_MAX,
    });
    return { ...probe, latencyMs: this.#options.now() - startedMs };
  }

  stats(): ActorStats {
    return {
      health: this.#health,
      open: this.#backend !== null,
      running: this.#mailbox.running,
      waiting: this.#mailbox.waiting,
      calls: this.#calls,
      failures: this.#failures,
      restarts: this.#restarts,
      latency: this.#latency,
    };
  }

  /** Takes no more calls, lets those that it has end, and closes the backend. */
  async stop(reason: EdgeError = new EdgeError("SERVICE_STOPPED")): Promise<void> {
    this.#stopped = reason;
    await this.#mailbox.idle();
    await this.#close();
  }

  async #turn<T>(
    work: (backend: B, signal: AbortSignal) => Promise<T>,
    caller: string,
    { signal }: Deadline,
  ): Promise<T> {
    const entered = this.#mailbox.enter(caller, signal);
    if (entered === null) {
      const { name, limits } = this.#options;
      const text = `${limits.queue} calls wait for the service ${name} already, or half as many of this endpoint.`;
      throw new EdgeError("SERVICE_OVERLOADED", text);
    }
    const leave = await entered;
    try {
      return await work(this.#backend ?? (await this.#open()), signal);
    } finally {
      leave();
    }
  }

  #open(): Promise<B> {
    const { name, now } = this.#options;
    const waitMs = this.#retryAtMs - now();
    if (this.#opening === null && waitMs > 0) {
      const { code, message } = this.#health;
      const text = `${message} The service ${name} is tried again in ${Math.ceil(waitMs)} ms.`;
      throw new EdgeError(code ?? "SERVICE_UNAVAILABLE", text);
    }
    this.#opening ??= this.#openAnew().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  async #openAnew(): Promise<B> {
    const { name, now } = this.#options;
    const deadline = new Deadline(new AbortController().signal, OPEN_MS_MAX, name);
    try {
      const opening = this.#options.open(deadline.signal);
      // Whatever comes after the time is closed again.
      opening.then(
        (late) => (deadline.over ? late.close() : undefined),
        () => undefined,
      );
      const backend = await deadline.race(opening);
      this.#backend = backend;
      this.#pauseMs = RESTART_MS_MIN;
      return backend;
    } catch (error) {
      this.#retryAtMs = now() + this.#pauseMs;
      this.#pauseMs = Math.min(2 * this.#pauseMs, RESTART_MS_MAX);
      throw error;
    } finally {
      deadline.clear();
    }
  }

  #failed(error: unknown): EdgeError {
    this.#failures++;
    if (!(error instanceof EdgeError)) {
      this.#options.onPanic(error);
      this.#restarts++;
      this.#retryAtMs = this.#options.now() + this.#pauseMs;
      this.#pauseMs = Math.min(2 * this.#pauseMs, RESTART_MS_MAX);
      void this.#close();
      const broken = new EdgeError("SERVICE_UNAVAILABLE", "The service's connection broke down.");
      this.#became({ ok: false, code: broken.code, message: broken.message });
      return broken;
    }
    const { code, message } = errorData(error);
    if (UNWELL.has(code)) this.#became({ ok: false, code, message });
    return error;
  }

  #became(health: Health): void {
    const changed = health.ok !== this.#health.ok || health.code !== this.#health.code;
    this.#health = health;
    if (changed) this.#options.onHealth(health);
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

/** A signal that aborts with another one or when the time is over, and a race against it. */
class Deadline {
  readonly signal: AbortSignal;
  over = false;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #parent: AbortSignal;
  readonly #onAbort: () => void;
  readonly #aborted: Promise<never>;

  constructor(parent: AbortSignal, timeoutMs: number, name: string) {
    const controller = new AbortController();
    this.signal = controller.signal;
    this.#parent = parent;
    let reject: (reason: EdgeError) => void = () => undefined;
    this.#aborted = new Promise<never>((_resolve, refuse) => {
      reject = refuse;
    });
    this.#aborted.catch(() => undefined);
    const end = (reason: EdgeError): void => {
      this.over = true;
      controller.abort(reason);
      reject(reason);
    };
    this.#onAbort = () => end(new EdgeError("CANCELLED", "The call is wanted no more."));
    parent.addEventListener("abort", this.#onAbort);
    if (timeoutMs === Infinity) return;
    this.#timer = setTimeout(() => {
      const text = `The service ${name} did not answer within ${timeoutMs} ms.`;
      end(new EdgeError("SERVICE_TIMEOUT", text));
    }, timeoutMs);
  }

  race<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#aborted]);
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#parent.removeEventListener("abort", this.#onAbort);
  }
}
