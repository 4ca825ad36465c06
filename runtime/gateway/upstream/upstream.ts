// An upstream in this worker: its servers, which of them can be used, and the requests that are open to it.

import type { UpstreamConfig } from "../../../sdk/gateway/config.ts";
import type { ServerStats } from "../../../sdk/node.ts";
import type { Clock } from "../clock.ts";
import type { Pass } from "../pass.ts";
import type { NodeStore } from "../shared/store.ts";
import { Attempt, type AttemptOwner } from "./attempt.ts";
import { createBalancer, type Choose } from "./balancer.ts";
import { backSince, isClosed, isDown, isProbeDue, stateOf, waitMs } from "./breaker.ts";
import { openConnections, type Connections } from "./connections.ts";
import { HealthChecks, type HealthEvents } from "./health.ts";
import { Proxied } from "./proxied.ts";
import { Server } from "./server.ts";

/** Retries that may always be open, whatever the budget: a few requests are no storm. */
const RETRIES_MIN = 3;
/** What a server that has just come back is given at least. */
const SLOW_START_SHARE_MIN = 0.1;
/** Beyond the time that a probe's reply may take. */
const LEASE_GRACE_MS = 1_000;

export interface UpstreamHost {
  readonly store: NodeStore;
  /** The same in all workers. */
  readonly clock: Clock;
  /** performance.now(). */
  readonly now: Clock;
  readonly random: () => number;
  readonly health: HealthEvents;
}

export class Upstream {
  readonly config: UpstreamConfig;
  readonly now: Clock;
  readonly random: () => number;
  readonly #host: UpstreamHost;
  readonly #servers: readonly Server[];
  readonly #choose: Choose;
  readonly #checks: HealthChecks | null;
  readonly #open = new Set<Proxied>();
  /** Of the pick that is being made. */
  readonly #candidates: Server[] = [];
  #retries = 0;
  retriesTotal = 0;

  constructor(config: UpstreamConfig, host: UpstreamHost) {
    this.config = config;
    this.now = host.now;
    this.random = host.random;
    this.#host = host;
    this.#servers = config.servers.map((server) => this.#server(server));
    this.#choose = createBalancer({ ...config, random: host.random });
    this.#checks =
      config.health === null
        ? null
        : new HealthChecks(config.name, config.health, this.#servers, host);
  }

  proxy(pass: Pass): void {
    const proxied = new Proxied(pass, this);
    this.#open.add(proxied);
    proxied.start();
  }

  over(proxied: Proxied): void {
    this.#open.delete(proxied);
  }

  expire(now: number): void {
    for (const proxied of this.#open) proxied.expire(now);
    this.#checks?.look(now);
  }

  /** null: nobody can take it. */
  pick(pass: Pass, tried: readonly Server[]): Server | null {
    const now = this.#host.clock();
    let usable = this.#fill(now, tried);
    // Better the same again than nobody.
    if (usable === 0 && tried.length > 0) usable = this.#fill(now, []);
    const candidates = this.#candidates;
    if (usable < this.config.panic * this.#servers.length) {
      this.#fillAll();
      return candidates.length === 0 ? null : this.#choose(candidates, pass);
    }
    while (candidates.length > 0) {
      const server = this.#choose(candidates, pass);
      const at = candidates.indexOf(server);
      const isHeldBack = candidates.length > 1 && this.#isSlow(server, now);
      if (!isHeldBack && (isClosed(server.seen()) || server.claim(this.#leaseMs()))) return server;
      candidates.splice(at, 1);
    }
    return null;
  }

  attempt(owner: AttemptOwner, server: Server): Attempt {
    return new Attempt({
      owner,
      server,
      config: this.config,
      now: this.now,
      mayOpen: () => this.#mayOpen(),
    });
  }

  /** Why `pick` found nobody. */
  refusal(): { code: "OVERLOADED" | "NO_HEALTHY_UPSTREAM"; retryAfterSec: number } {
    const now = this.#host.clock();
    const isFull = this.#servers.some(
      (server) => isClosed(server.seen()) && !isDown(server.seen()) && server.weight > 0,
    );
    const waits = this.#servers.map((server) => waitMs(server.seen(), now)).filter((ms) => ms > 0);
    const soonestMs = waits.length === 0 ? 0 : Math.min(...waits);
    return {
      code: isFull ? "OVERLOADED" : "NO_HEALTHY_UPSTREAM",
      retryAfterSec: Math.max(1, Math.ceil(soonestMs / 1_000)),
    };
  }

  /** False: too many are under way already. Given back when the request is over. */
  takeRetry(): boolean {
    const budget = Math.max(RETRIES_MIN, Math.floor(this.#open.size * this.config.retry.budget));
    if (this.#retries >= budget) return false;
    this.#retries++;
    return true;
  }

  gaveRetry(): void {
    this.#retries--;
  }

  get isIdle(): boolean {
    return this.#open.size === 0;
  }

  /** Takes no more; what is open finishes. */
  close(): void {
    this.#checks?.close();
    for (const { connections } of this.#servers) connections.close();
  }

  view(): ServerStats[] {
    return this.#servers.map((server) => ({
      url: server.url,
      healthy: !isDown(server.seen()),
      breaker: stateOf(server.seen()),
      active: server.active,
      latencyMs: Math.round(server.latencyMs * 1_000) / 1_000,
      requests: server.requests,
      failures: server.failures,
    }));
  }

  #server(config: UpstreamConfig["servers"][number]): Server {
    const { name, timeout, maxConnections, keepAliveMs, requestsPerConnection, tls, http2 } =
      this.config;
    const connections: Connections = openConnections(config.url, {
      connectMs: timeout.connectMs,
      maxConnections,
      keepAliveMs,
      requestsPerConnection,
      tls,
      http2,
    });
    const { store, clock } = this.#host;
    return new Server({ config, upstream: name, connections, store, clock });
  }

  /** Those that can be used and were not tried; how many. */
  #fill(now: number, tried: readonly Server[]): number {
    const candidates = this.#candidates;
    candidates.length = 0;
    for (const server of this.#servers) {
      if (server.weight === 0 || server.active >= this.config.maxConnections) continue;
      const row = server.seen();
      if (isDown(row) || !(isClosed(row) || isProbeDue(row, now))) continue;
      if (tried.length === 0 || !tried.includes(server)) candidates.push(server);
    }
    return candidates.length;
  }

  #fillAll(): void {
    this.#candidates.length = 0;
    for (const server of this.#servers) {
      if (server.weight > 0 && server.active < this.config.maxConnections) {
        this.#candidates.push(server);
      }
    }
  }

  #isSlow(server: Server, now: number): boolean {
    const { slowStartMs } = this.config;
    const since = backSince(server.seen());
    if (slowStartMs === 0 || since === 0 || now - since >= slowStartMs) return false;
    return this.random() > Math.max(SLOW_START_SHARE_MIN, (now - since) / slowStartMs);
  }

  #leaseMs(): number {
    const { connectMs, firstByteMs } = this.config.timeout;
    return connectMs + firstByteMs + LEASE_GRACE_MS;
  }

  #mayOpen(): boolean {
    const share = this.config.breaker?.maxOpen ?? 1;
    const open = this.#servers.filter((server) => !isClosed(server.seen())).length;
    return open === 0 || open + 1 <= share * this.#servers.length;
  }
}
