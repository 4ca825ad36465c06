// One deployment of an endpoint, live in this worker: loads its isolate when first needed (or when told to
// prepare), hands requests to it, replaces it when it dies, and drains: no new requests, the old ones finish,
// then it is disposed of, after the time limit by force.
//
// An isolate is not there for ever: `recycle` loads a fresh one beside it and lets it drain, `evict` lets go of one
// that rests, and the next request loads it again. When, is for others to say (life/recycling.ts, worker).

import { errorData, type Code } from "../../sdk/errors.ts";
import type { Loaded } from "./load.ts";
import type { Limits } from "../../sdk/limits.ts";
import { BACKGROUND_MS, type InstanceEvents } from "./instance.ts";
import { createRecyclingJudge, type RecycleReason, type RecyclingJudge } from "./life/recycling.ts";
import { Retired, disposeOfDead } from "./life/retired.ts";
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
  /** How many requests may be here, open and waiting, how long one may wait, and what an isolate may take. */
  readonly limits: Pick<Limits, "concurrency" | "queue" | "wallMs" | "memoryMb">;
  /** Monotonic. */
  readonly now: () => number;
  /** Drained and disposed of. */
  readonly onGone: () => void;
  /** One isolate more serves. */
  readonly onLoaded?: () => void;
  readonly onDeath: (death: Death) => void;
  readonly onLoadError: (error: unknown) => void;
}

export interface Occupancy {
  readonly isolates: number;
  readonly heapBytes: number;
  /** When a request was last here, as of the looks. */
  readonly lastUsedMs: number;
  /** The isolate that serves could go: nothing is open in it, and what goes on in it is not waited for. */
  readonly rests: boolean;
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
  readonly #retired: Retired;
  readonly #recycling: RecyclingJudge;
  #loadedMs = 0;
  #accepted = 0;
  #acceptedAtLook = 0;
  #lastUsedMs = 0;
  #recycles = 0;
  #evictions = 0;

  constructor(options: GenerationOptions) {
    this.#options = options;
    this.#retired = new Retired(options.drainTimeoutMs);
    this.#recycling = createRecyclingJudge(options.limits.memoryMb * 1_048_576);
  }

  get state(): "loaded" | "draining" {
    return this.#draining ? "draining" : "loaded";
  }

  get inFlight(): number {
    return this.#here + this.#retired.inFlight;
  }

  /** In the isolate that serves, and waiting for it. */
  get #here(): number {
    return this.#waiting.length + (this.#loaded?.instance.inFlight ?? 0);
  }

  heapBytes(): number {
    return (this.#loaded?.heapBytes() ?? 0) + this.#retired.heapBytes();
  }

  /** That serves or drains. */
  get isolates(): number {
    return (this.#loaded === null ? 0 : 1) + this.#retired.size;
  }

  /** Of the isolate that serves; null when none is loaded. */
  ageMs(): number | null {
    return this.#loaded === null ? null : Math.round(this.#options.now() - this.#loadedMs);
  }

  get recycles(): number {
    return this.#recycles;
  }

  get evictions(): number {
    return this.#evictions;
  }

  /** Loads the isolate; rejects with whatever stopped it. */
  async prepare(): Promise<void> {
    if (this.#loaded === null) await this.#load();
  }

  accept(ticket: Ticket): void {
    const instance = this.#loaded?.instance;
    if (instance?.hasRoom === true && this.#waiting.length === 0) {
      this.#accepted++;
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
    this.#retired.expire(now);
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

  /** Called about once a second, and before `evict`. */
  look(): Occupancy {
    const now = this.#options.now();
    if (this.#accepted !== this.#acceptedAtLook || this.#here > 0) this.#lastUsedMs = now;
    this.#acceptedAtLook = this.#accepted;
    return {
      isolates: this.isolates,
      heapBytes: this.heapBytes(),
      lastUsedMs: this.#lastUsedMs,
      rests: this.#rests(now),
    };
  }

  #rests(now: number): boolean {
    const loaded = this.#loaded;
    if (loaded === null || this.#loading !== null || this.#here > 0 || !loaded.quiet) return false;
    // Timers and calls that no request waits for have as long as background work has, then they keep nothing.
    return loaded.instance.isStill || now - this.#lastUsedMs >= BACKGROUND_MS;
  }

  /** Lets go of an isolate that rests; the next request loads it again. */
  evict(): void {
    if (!this.#rests(this.#options.now())) return;
    const loaded = this.#loaded;
    this.#loaded = null;
    this.#evictions++;
    loaded?.dispose();
  }

  /** Why its isolate should be replaced now. Called about once a second. */
  reasonToRecycle(): RecycleReason | null {
    const loaded = this.#loaded;
    if (loaded === null || this.#loading !== null || this.#draining) return null;
    const { cuts } = loaded;
    return this.#recycling.look(this.#options.now(), { heapBytes: loaded.heapBytes(), cuts });
  }

  /** Resolves to whether a fresh isolate, loaded beside the old one, has taken its place. */
  async recycle(): Promise<boolean> {
    if (this.#loaded === null || this.#loading !== null || this.#draining) return false;
    this.#recycling.replacing(this.#options.now());
    try {
      await this.#load();
    } catch {
      // Told by onLoadError. The old one goes on.
      return false;
    }
    if (this.#draining) return false;
    this.#recycles++;
    return true;
  }

  #isFull(): boolean {
    const { concurrency, queue } = this.#options.limits;
    if (this.#here < concurrency + queue) return false;
    // Those whose clients have given up need no place.
    this.#waiting = this.#waiting.filter(({ exchange }) => exchange.state === "open");
    return this.#here >= concurrency + queue;
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
      this.#accepted++;
      instance.accept(next);
    }
  }

  async #load(): Promise<Loaded> {
    this.#loading ??= this.#open();
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

  async #open(): Promise<Loaded> {
    let own: Loaded | null = null;
    own = await this.#options.load({
      ended: () => {
        if (own !== null && own !== this.#loaded) this.#retired.ended(own);
        else if (this.#waiting.length > 0) this.#admit();
        if (this.#draining && this.inFlight === 0) this.#dispose();
      },
      died: (death) => {
        if (own !== null) this.#died(own, death);
      },
    });
    return own;
  }

  #arrived(loaded: Loaded): void {
    this.#loading = null;
    const old = this.#loaded;
    // A generation that drains has no use for a fresh one beside the old.
    if (this.#gone || (this.#draining && old !== null)) {
      loaded.dispose();
      return;
    }
    this.#loaded = loaded;
    this.#loadedMs = this.#lastUsedMs = this.#options.now();
    this.#recycling.began(this.#loadedMs);
    this.#admit();
    if (old !== null) this.#retired.add(old);
    this.#options.onLoaded?.();
  }

  #failed(error: unknown): void {
    this.#loading = null;
    this.#options.onLoadError(error);
    // The one that was to be replaced still serves.
    if (this.#loaded !== null) return;
    this.#pausedUntilMs = this.#options.now() + DEATH_PAUSE_MS;
    this.#failWaiting("ISOLATE_FAILED", errorData(error).message);
    if (this.#draining && this.inFlight === 0) this.#dispose();
  }

  #died(dead: Loaded, death: Death): void {
    if (dead !== this.#loaded) {
      this.#retired.died(dead, death);
      this.#options.onDeath(death);
      if (this.#draining && this.inFlight === 0) this.#dispose();
      return;
    }
    this.#loaded = null;
    disposeOfDead(dead, death);
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
    this.#retired.abandon();
    this.#options.onGone();
  }
}
