// The owner of one service's connections in one worker. Calls go through its mailbox: a bounded number run at once, a
// bounded number wait, each has its time. Callers (endpoints) take turns, so that one that floods the service delays
// itself. A backend that cannot be opened, or that breaks, is opened anew with a growing pause; meanwhile calls are
// refused at once. Nothing that goes wrong here reaches the worker but as an answer.

import { EdgeError, type Code } from "../sdk/errors.ts";
import type { Backend, Probe } from "../sdk/services/service.ts";
import { Deadline } from "./deadline.ts";
import { LatencyHistogram } from "./latency.ts";
import { OPEN_MS_MAX, Tenure, type ActorLimits } from "./tenure.ts";

export type { ActorLimits } from "./tenure.ts";

/** Ten connections are the seeds' pool; a thousand waiting calls are a second's worth for a quick server. */
export const ACTOR_LIMITS: ActorLimits = { concurrency: 10, queue: 1_000, timeoutMs: 30_000 };

export interface ActorEvents {
  readonly now: () => number;
  /** Health has changed: told once per change, not per call. */
  readonly onHealth: (health: Health) => void;
  /** A bug of the backend's: what it threw is no EdgeError. */
  readonly onPanic: (error: unknown) => void;
}

/** What may change while the actor lives. */
export interface ActorSetting<B extends Backend> {
  readonly limits: ActorLimits;
  readonly open: (signal: AbortSignal) => Promise<B>;
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
  /** That have ended, well or not. */
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
  readonly name: string;
  readonly #events: ActorEvents;
  readonly #latency = new LatencyHistogram();
  #tenure: Tenure<B> | null = null;
  #stopped = new EdgeError("SERVICE_STOPPED");
  #health = WELL;
  #calls = 0;
  #failures = 0;
  #restarts = 0;

  /** Takes no calls before `start`. */
  constructor(name: string, events: ActorEvents) {
    this.name = name;
    this.#events = events;
  }

  /** What a call may take, under the setting of now. */
  get timeoutMs(): number {
    return this.#tenure?.limits.timeoutMs ?? ACTOR_LIMITS.timeoutMs;
  }

  /** Also anew: calls from now on run under this setting, those under way end under the one before. */
  start({ limits, open }: ActorSetting<B>): void {
    const before = this.#tenure;
    const { now, onPanic } = this.#events;
    this.#tenure = new Tenure({ name: this.name, limits, open, now, onPanic });
    this.#became(WELL);
    void before?.end();
  }

  /** Takes no more calls; resolves when those that it has have ended, and the backend is closed. */
  async stop(reason: EdgeError = new EdgeError("SERVICE_STOPPED")): Promise<void> {
    const tenure = this.#tenure;
    this.#stopped = reason;
    this.#tenure = null;
    await tenure?.end();
  }

  /**
   * Runs `work` on the open backend when its turn comes. `work` must settle soon after its signal aborts: until then
   * it keeps its place. A stream or a transaction is one lasting work, from its beginning to its end.
   */
  async run<T>(
    work: (backend: B, signal: AbortSignal) => Promise<T>,
    { caller, signal, timeoutMs = Infinity, lasting = false }: RunOptions,
  ): Promise<T> {
    const tenure = this.#tenure;
    if (tenure === null) throw this.#stopped;
    if (signal.aborted) throw new EdgeError("CANCELLED", "The call is wanted no more.");
    const { now } = this.#events;
    const startedMs = now();
    const limitMs = lasting ? Infinity : Math.min(timeoutMs, tenure.limits.timeoutMs);
    const deadline = new Deadline(signal, limitMs, this.name);
    try {
      const result = await deadline.race(tenure.run(work, { caller, signal: deadline.signal }));
      this.#became(WELL);
      return result;
    } catch (error) {
      throw this.#failed(error, tenure);
    } finally {
      deadline.clear();
      this.#calls++;
      if (!lasting) this.#latency.add(now() - startedMs);
    }
  }

  /** The answer of a backend that has it at hand. null: it has not, is not open, or others wait; then `run`. */
  runNow<T>(work: (backend: B) => T | null): T | null {
    const tenure = this.#tenure;
    const backend = tenure?.freeBackend ?? null;
    if (tenure === null || backend === null) return null;
    const startedMs = this.#events.now();
    try {
      const result = work(backend);
      if (result === null) return null;
      this.#became(WELL);
      this.#calls++;
      this.#latency.add(this.#events.now() - startedMs);
      return result;
    } catch (error) {
      this.#calls++;
      throw this.#failed(error, tenure);
    }
  }

  /** As `test` of the admin API shows it. */
  async probe(): Promise<Probe & { readonly latencyMs: number }> {
    const { now } = this.#events;
    const startedMs = now();
    const probe = await this.run((backend, signal) => backend.probe(signal), {
      caller: "",
      signal: new AbortController().signal,
      timeoutMs: OPEN_MS_MAX,
    });
    return { ...probe, latencyMs: now() - startedMs };
  }

  stats(): ActorStats {
    return {
      health: this.#health,
      open: this.#tenure?.isOpen ?? false,
      running: this.#tenure?.mailbox.running ?? 0,
      waiting: this.#tenure?.mailbox.waiting ?? 0,
      calls: this.#calls,
      failures: this.#failures,
      restarts: this.#restarts,
      latency: this.#latency,
    };
  }

  #failed(error: unknown, tenure: Tenure<B>): EdgeError {
    this.#failures++;
    if (error instanceof EdgeError) {
      const { code, message } = error;
      if (UNWELL.has(code)) this.#became({ ok: false, code, message });
      return error;
    }
    this.#events.onPanic(error);
    this.#restarts++;
    void tenure.discard();
    const message = "The service's connection broke down; it is being opened again.";
    this.#became({ ok: false, code: "SERVICE_UNAVAILABLE", message });
    return new EdgeError("SERVICE_UNAVAILABLE", message);
  }

  #became(health: Health): void {
    const changed = health.ok !== this.#health.ok || health.code !== this.#health.code;
    this.#health = health;
    if (changed) this.#events.onHealth(health);
  }
}
