// One deployment of an endpoint, live in this worker: loads its isolate when first needed (or when told to
// prepare), hands requests to it, replaces it when it dies, and drains: no new requests, the old ones finish,
// then it is disposed of, after the time limit by force.

import { errorData, type Code } from "../../sdk/errors.ts";
import type { Loaded } from "./load.ts";
import type { Limits } from "../../sdk/limits.ts";
import type { InstanceEvents } from "./instance.ts";
import type { Death } from "./slice/contract.ts";
import type { Ticket } from "./ticket.ts";

/** After this many deaths in a row an isolate is not loaded again at once … */
const DEATHS_MAX = 3;
/** Deaths further apart than this are not in a row. */
const DEATH_WINDOW_MS = 10_000;
/** … but only after this pause: a version that kills its isolate with every request must not only load. */
const DEATH_PAUSE_MS = 1_000;

export type Load = (events: InstanceEvents) => Promise<Loaded>;

export interface GenerationOptions {
  readonly load: Load;
  /** It may not be loaded: what requests fail with. */
  readonly refuses?: Code | null;
  readonly drainTimeoutMs: number;
  /** How many requests may be here, open and waiting, and how long one may wait. */
  readonly limits: Pick<Limits, "concurrency" | "queue" | "wallMs">;
  /** Monotonic. */
  readonly now: () => number;
  /** Drained and disposed of. */
  readonly onGone: () => void;
  readonly onDeath: (death: Death) => void;
  readonly onLoadError: (error: unknown) => void;
}

export class Generation {
  readonly #options: GenerationOptions;
  #loaded: Loaded | null = null;
  #loading: Promise<Loaded> | null = null;
  /** For the isolate to load, or for room in it; in order. */
  #waiting: Ticket[] = [];
  #deaths = 0;
  #lastDeathMs = Number.NEGATIVE_INFINITY;
  #pausedUntilMs = 0;
  #draining = false;
  #gone = false;
  #drainTimer: NodeJS.Timeout | null = null;

  constructor(options: GenerationOptions) {
    this.#options = options;
  }

  get state(): "loaded" | "draining" {
    return this.#draining ? "draining" : "loaded";
  }

  get inFlight(): number {
    return this.#waiting.length + (this.#loaded?.instance.inFlight ?? 0);
  }

  heapBytes(): number {
    return this.#loaded?.heapBytes() ?? 0;
  }

  /** Loads the isolate; rejects with whatever stopped it. */
  async prepare(): Promise<void> {
    if (this.#loaded === null) await this.#load();
  }

  accept(ticket: Ticket): void {
    const instance = this.#loaded?.instance;
    if (instance?.hasRoom === true && this.#waiting.length === 0) {
      instance.accept(ticket);
      return;
    }
    const { refuses = null, now } = this.#options;
    if (refuses !== null) ticket.fail(refuses);
    else if (this.#gone) ticket.fail("SHUTTING_DOWN");
    else if (instance === undefined && now() < this.#pausedUntilMs) ticket.fail("ISOLATE_FAILED");
    else if (this.#isFull()) ticket.fail("OVERLOADED", this.#fullText());
    else {
      this.#waiting.push(ticket);
      this.#loadForWaiting();
    }
  }

  /** Ends what has passed its time limit; what only waited never met the handler. */
  expire(now: number): void {
    this.#loaded?.instance.expire(now);
    const waitedSince = now - this.#options.limits.wallMs;
    while ((this.#waiting[0]?.startedMs ?? now) <= waitedSince) {
      this.#waiting.shift()?.fail("OVERLOADED", "It waited for its turn until its time was over.");
    }
    if (this.#draining && this.inFlight === 0) this.#dispose();
  }

  /** No new requests from here on; idempotent. */
  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    if (this.inFlight === 0) {
      this.#dispose();
      return;
    }
    this.#drainTimer = setTimeout(() => this.abandon(), this.#options.drainTimeoutMs);
  }

  /** At once, whatever is open. */
  abandon(): void {
    this.#draining = true;
    // Before those that are open: each that ends would let one in.
    this.#failWaiting("SHUTTING_DOWN");
    this.#loaded?.instance.failAll("SHUTTING_DOWN");
    this.#dispose();
  }

  #isFull(): boolean {
    const { concurrency, queue } = this.#options.limits;
    if (this.inFlight < concurrency + queue) return false;
    // Those whose clients have given up need no place.
    this.#waiting = this.#waiting.filter(({ exchange }) => exchange.state === "open");
    return this.inFlight >= concurrency + queue;
  }

  #fullText(): string {
    const { concurrency, queue } = this.#options.limits;
    return `${concurrency} requests were open (limit concurrency) and ${queue} waited (limit queue).`;
  }

  #failWaiting(code: Code, logged?: string): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const ticket of waiting) ticket.fail(code, logged);
  }

  #loadForWaiting(): void {
    // A failure reaches every waiting ticket in #load.
    if (this.#loaded === null) this.#load().catch(() => {});
  }

  #admit(): void {
    const instance = this.#loaded?.instance;
    while (instance?.hasRoom === true) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      instance.accept(next);
    }
  }

  async #load(): Promise<Loaded> {
    this.#loading ??= this.#options.load({
      ended: () => {
        if (this.#waiting.length > 0) this.#admit();
        if (this.#draining && this.inFlight === 0) this.#dispose();
      },
      died: (death) => this.#died(death),
    });
    const loading = this.#loading;
    try {
      const loaded = await loading;
      if (this.#loading === loading) this.#arrived(loaded);
      return loaded;
    } catch (error) {
      if (this.#loading === loading) this.#failed(error);
      throw error;
    }
  }

  #arrived(loaded: Loaded): void {
    this.#loading = null;
    if (this.#gone) {
      loaded.dispose();
      return;
    }
    this.#loaded = loaded;
    this.#admit();
  }

  #failed(error: unknown): void {
    this.#loading = null;
    this.#pausedUntilMs = this.#options.now() + DEATH_PAUSE_MS;
    this.#failWaiting("ISOLATE_FAILED", errorData(error).message);
    this.#options.onLoadError(error);
    if (this.#draining) this.#dispose();
  }

  #died(death: Death): void {
    const dead = this.#loaded;
    this.#loaded = null;
    // A wedged thread still runs in there; touching the isolate could block this one.
    if (death !== "wedged") dead?.dispose();
    const now = this.#options.now();
    this.#deaths = now - this.#lastDeathMs > DEATH_WINDOW_MS ? 1 : this.#deaths + 1;
    this.#lastDeathMs = now;
    if (this.#deaths >= DEATHS_MAX) {
      this.#deaths = 0;
      this.#pausedUntilMs = this.#options.now() + DEATH_PAUSE_MS;
    }
    this.#options.onDeath(death);
    if (this.#waiting.length > 0) {
      // They were not in there: the next isolate serves them.
      if (now < this.#pausedUntilMs) this.#failWaiting("ISOLATE_FAILED");
      else this.#loadForWaiting();
    }
    if (this.#draining && this.inFlight === 0) this.#dispose();
  }

  #dispose(): void {
    if (this.#gone) return;
    this.#gone = true;
    if (this.#drainTimer !== null) clearTimeout(this.#drainTimer);
    this.#failWaiting("SHUTTING_DOWN");
    this.#loaded?.dispose();
    this.#loaded = null;
    this.#options.onGone();
  }
}
