// One server of an upstream as this worker has it: its connections, what is open on them, how quick it was lately,
// and a copy of what all workers know of it.

import type {
  BreakerConfig,
  FailureRate,
  HealthConfig,
  ServerConfig,
} from "../../../sdk/gateway/config.ts";
import type { Clock } from "../clock.ts";
import type { NodeStore } from "../shared/store.ts";
import * as breaker from "./breaker.ts";
import type { Connections } from "./connections.ts";

/** How old the copy may be: at most so long does a worker send to a server that another has found broken. */
const COPY_MS_MAX = 2;
/** How often what goes well is written down, where it is counted; what fails is at once. */
const COUNT_MS = 50;
/** Weight of the newest latency in the mean. */
const NEWEST = 0.2;

export interface ServerParts {
  readonly config: ServerConfig;
  readonly upstream: string;
  readonly connections: Connections;
  readonly store: NodeStore;
  readonly clock: Clock;
}

export class Server {
  readonly url: string;
  readonly weight: number;
  readonly connections: Connections;
  /** Requests of this worker that are open. */
  active = 0;
  /** Mean time to the first byte; 0: not known. */
  latencyMs = 0;
  /** Of smooth weighted round robin. */
  current = 0;
  requests = 0;
  failures = 0;
  readonly #key: string;
  readonly #store: NodeStore;
  readonly #clock: Clock;
  readonly #row = new Float64Array(breaker.SERVER_ROW);
  /** Requests that went well and stand in no row yet. */
  #well = 0;
  #countedMs = Number.NEGATIVE_INFINITY;
  #readMs = Number.NEGATIVE_INFINITY;

  constructor({ config, upstream, connections, store, clock }: ServerParts) {
    this.url = config.url;
    this.weight = config.weight;
    this.connections = connections;
    this.#key = `${upstream}\n${config.url}`;
    this.#store = store;
    this.#clock = clock;
  }

  /** What all workers know, at most COPY_MS_MAX old. */
  seen(): Float64Array {
    const now = this.#clock();
    if (now - this.#readMs >= COPY_MS_MAX) {
      this.#store.servers.read(this.#key, this.#row);
      breaker.forgetOtherBoot(this.#row, now);
      this.#readMs = now;
    }
    return this.#row;
  }

  answered(latencyMs: number): void {
    this.latencyMs =
      this.latencyMs === 0 ? latencyMs : this.latencyMs + NEWEST * (latencyMs - this.latencyMs);
  }

  /** Takes the one place of a probe. */
  claim(leaseMs: number): boolean {
    return this.#update((row, now) => breaker.claim(row, now, leaseMs));
  }

  /** Of a request that began in the epoch. */
  succeeded(epoch: number, config: BreakerConfig | null): void {
    if (config !== null && config.rate !== null) this.#count(config.rate);
    if (!breaker.isSpotless(this.seen())) {
      this.#update((row, now) => breaker.succeeded(row, epoch, now));
    }
  }

  failed(epoch: number, config: BreakerConfig, mayOpen: boolean): void {
    const well = this.#well;
    this.#well = 0;
    this.#update((row, now) => breaker.failed(row, epoch, { breaker: config, now, mayOpen, well }));
  }

  abandoned(epoch: number): void {
    if (!breaker.isClosed(this.seen())) {
      this.#update((row, now) => breaker.abandoned(row, epoch, now));
    }
  }

  claimCheck(everyMs: number): boolean {
    if (!breaker.isCheckDue(this.seen(), this.#clock())) return false;
    return this.#update((row, now) => breaker.claimCheck(row, now, everyMs));
  }

  /** True: it went down or came back by this. */
  checked(isWell: boolean, health: HealthConfig): boolean {
    const before = breaker.isDown(this.seen());
    this.#update((row, now) => breaker.checked(row, isWell, { health, now }));
    return breaker.isDown(this.#row) !== before;
  }

  /** A write for each that goes well would cost more than what it is for. */
  #count(rate: FailureRate): void {
    this.#well++;
    const now = this.#clock();
    if (now - this.#countedMs < COUNT_MS) return;
    this.#countedMs = now;
    const well = this.#well;
    this.#well = 0;
    this.#update((row) => breaker.wentWell(row, well, now, rate));
  }

  #update(change: (row: Float64Array, now: number) => boolean): boolean {
    const now = this.#clock();
    let isChanged = false;
    this.#store.servers.update(this.#key, this.#row, () => {
      breaker.forgetOtherBoot(this.#row, now);
      isChanged = change(this.#row, now);
      return isChanged;
    });
    this.#readMs = now;
    return isChanged;
  }
}
