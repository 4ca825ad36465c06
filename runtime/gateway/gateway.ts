// The gateway of one worker: the routes of the configuration file beside those of endpoints, each a chain of policies
// in front of a target. A configuration is compiled whole and then swapped in; requests that are under way end as
// they began. What did not change goes on with its connections and counts; what all workers know (rate limits,
// breakers, health) lies outside (shared/store.ts) and outlives any reload.

import type { Exchange, HeaderList } from "../../sdk/exchange.ts";
import { createNetworkTest, type NetworkTest } from "../../sdk/gateway/cidr.ts";
import {
  EMPTY_GATEWAY,
  type GatewayConfig,
  type GatewayRoute,
  type StoreConfig,
  type UpstreamConfig,
} from "../../sdk/gateway/config.ts";
import type { Purge } from "../../sdk/gateway/purge.ts";
import type { SharedLimits } from "../../sdk/gateway/limits.ts";
import { LIMITS } from "../../sdk/limits.ts";
import type { UpstreamStats } from "../../sdk/node.ts";
import { compileChain, runSteps, type Chain } from "./chain.ts";
import { createSharedClock, type Clock } from "./clock.ts";
import { addressedHeaders, clientAddress } from "./client-address.ts";
import { FilteredExchange } from "./filtered-exchange.ts";
import { Pass, type PassParts } from "./pass.ts";
import { Consumers } from "./policies/auth/consumers.ts";
import type { InFlight, PolicyMetric } from "./policies/contract.ts";
import type { RunPolicy } from "./policies/custom/outcome.ts";
import { addPurge } from "./policies/stored/purges.ts";
import { isPreflight } from "./policies/content/cors.ts";
import type { RouteInput } from "./route/contract.ts";
import { fileRoutes, methodsOf, routeOwner } from "./route/file-routes.ts";
import { LagMeter } from "./policies/limits/lag-meter.ts";
import { WaitingRoom } from "./policies/limits/waiting-room.ts";
import { LimitCells } from "./shared/limit-cells.ts";
import { LimitStores } from "./shared/limit-stores.ts";
import type { ReplyStore } from "./shared/reply-store.ts";
import { OpenCounts } from "./shared/open-counts.ts";
import type { NodeStore } from "./shared/store.ts";
import { isSplitSeen, showSplit, type Target } from "./split.ts";
import { createTarget } from "./target.ts";
import { Upstream } from "./upstream/upstream.ts";

/** What an upload to an upstream may have at most; it is streamed, so this only ends what never ends. */
const BODY_BYTES_MAX: number = LIMITS.bodyBytes.max;

const LABELS: Readonly<Record<PolicyMetric, string>> = {
  edge_ratelimit_decisions_total: "decision",
  edge_auth_failures_total: "reason",
  edge_mirror_requests_total: "result",
};

export interface GatewayHost {
  /** Opened when there is something to keep. */
  readonly openStore: () => NodeStore;
  readonly log: (level: "info" | "warn", text: string) => void;
  readonly runPolicy: RunPolicy;
  readonly openLimitStore: (config: StoreConfig) => SharedLimits;
  readonly openReplies: () => Promise<ReplyStore>;
  readonly random?: () => number;
  readonly clock?: Clock;
  readonly now?: Clock;
  readonly wallClock?: Clock;
}

interface Gate {
  readonly steps: Chain["steps"];
  readonly replySteps: Chain["replySteps"];
  readonly target: Target;
  readonly trusted: NetworkTest;
  /** Its target sees the request, or the client the reply, as it is changed here. */
  readonly isFiltered: boolean;
  /** It takes OPTIONS for preflights alone; what it answers others with, as Allow. */
  readonly preflightsOnly: string | null;
}

/** What the routes of one configuration share. */
interface GateParts {
  readonly trusted: NetworkTest;
  readonly consumers: Consumers;
}

export class Gateway {
  readonly #host: GatewayHost;
  readonly #clock: Clock;
  readonly #now: Clock;
  readonly #stores: LimitStores;
  readonly #counts = new Map<string, number>();
  #store: NodeStore | null = null;
  #limits: LimitCells | null = null;
  #replies: Promise<ReplyStore> | null = null;
  #inFlight: InFlight | null = null;
  #lag: LagMeter | null = null;
  #config: GatewayConfig = EMPTY_GATEWAY;
  #trusted: NetworkTest = createNetworkTest([]);
  #isProxy: NetworkTest = createNetworkTest([]);
  #gates = new Map<string, Gate>();
  #upstreams = new Map<string, Upstream>();
  /** Replaced, with requests that are under way. */
  readonly #leaving = new Set<Upstream>();

  constructor(host: GatewayHost) {
    this.#host = host;
    this.#clock = host.clock ?? createSharedClock();
    this.#now = host.now ?? (() => performance.now());
    this.#stores = new LimitStores({ open: host.openLimitStore, log: host.log });
  }

  /** What a handler sees of a request that came to no route of the file, and wants to know whose it is. */
  addressed(exchange: Exchange): HeaderList {
    return addressedHeaders(exchange, this.#trusted);
  }

  /** Who asks, for the access log. */
  client(exchange: Exchange): string {
    return clientAddress(exchange, this.#trusted);
  }

  /** Whether connections from this address begin with a PROXY header. */
  isProxy(address: string): boolean {
    return this.#isProxy(address);
  }

  /** For the route table. */
  get routes(): readonly RouteInput[] {
    return fileRoutes(this.#config);
  }

  apply(config: GatewayConfig): void {
    if (config.routes.length > 0 || config.upstreams.length > 0) this.#openStore();
    const before = this.#upstreams;
    const kept = new Map<string, Upstream>();
    for (const upstream of config.upstreams) kept.set(upstream.name, this.#upstream(upstream));
    this.#upstreams = kept;
    for (const upstream of before.values()) {
      if (kept.get(upstream.config.name) !== upstream) this.#leaving.add(upstream);
    }
    this.#stores.apply(config.stores);
    const trusted = createNetworkTest(config.trustedProxies);
    this.#trusted = trusted;
    this.#isProxy = createNetworkTest(config.proxyProtocol);
    const consumers = this.#consumers(config);
    const parts = { trusted, consumers };
    this.#gates = new Map(
      config.routes.map((route) => [routeOwner(route.name), this.#gate(route, parts)]),
    );
    this.#config = config;
  }

  /** False: the owner is no route of the file. */
  accept(
    owner: string,
    params: Readonly<Record<string, string>>,
    { ticket, enter }: Pick<PassParts, "ticket" | "enter">,
  ): boolean {
    const gate = this.#gates.get(owner);
    if (gate === undefined) return false;
    const { steps, replySteps, target, trusted, preflightsOnly } = gate;
    const pass = new Pass({ ticket, enter, params, trusted, bodyBytesMax: BODY_BYTES_MAX });
    if (gate.isFiltered) ticket.exchange = new FilteredExchange(pass, replySteps);
    if (preflightsOnly !== null && ticket.exchange.method === "OPTIONS" && !isPreflight(pass)) {
      ticket.fail("METHOD_NOT_ALLOWED", undefined, `allow\n${preflightsOnly}\n`);
      return true;
    }
    runSteps(steps, pass, target);
    return true;
  }

  /** Kept replies of a route are not given any more, by any worker, when this resolves. */
  async purge(purge: Purge): Promise<void> {
    await addPurge(await this.#openReplies(), purge);
  }

  /** About ten times a second. */
  expire(): void {
    const now = this.#now();
    this.#inFlight?.open.beat();
    this.#inFlight?.waiting.tick();
    for (const upstream of this.#upstreams.values()) upstream.expire(now);
    for (const upstream of this.#leaving) {
      upstream.expire(now);
      if (!upstream.isIdle) continue;
      this.#leaving.delete(upstream);
      upstream.close();
    }
  }

  upstreams(): UpstreamStats[] {
    return [...this.#upstreams].map(([upstream, one]) => ({
      upstream,
      servers: one.view(),
      retries: one.retriesTotal,
    }));
  }

  /** Requests that wait for others to end. */
  get waiting(): number {
    return this.#inFlight?.waiting.size ?? 0;
  }

  /** By metric and labels. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  async close(): Promise<void> {
    this.#lag?.close();
    for (const upstream of [...this.#upstreams.values(), ...this.#leaving]) upstream.close();
    await this.#stores.close();
    await this.#store?.close();
    await (await this.#replies)?.close();
  }

  #openStore(): NodeStore {
    this.#store ??= this.#host.openStore();
    return this.#store;
  }

  #openReplies(): Promise<ReplyStore> {
    return (this.#replies ??= this.#host.openReplies());
  }

  /** The one that there is, if nothing of it has changed. */
  #upstream(config: UpstreamConfig): Upstream {
    const present = this.#upstreams.get(config.name);
    if (present !== undefined && JSON.stringify(present.config) === JSON.stringify(config)) {
      return present;
    }
    return new Upstream(config, {
      store: this.#openStore(),
      clock: this.#clock,
      now: this.#now,
      random: this.#host.random ?? Math.random,
      health: {
        changed: (upstream, url, isWell) => {
          const what = isWell ? "is well again" : "is down";
          this.#host.log(isWell ? "info" : "warn", `Upstream ${upstream}: ${url} ${what}.`);
        },
      },
    });
  }

  #cells(): LimitCells {
    return (this.#limits ??= new LimitCells(this.#openStore(), this.#clock));
  }

  #inFlightOf(): InFlight {
    if (this.#inFlight === null) {
      const open = new OpenCounts(this.#openStore(), this.#clock);
      this.#inFlight = { open, waiting: new WaitingRoom(open, this.#now) };
    }
    return this.#inFlight;
  }

  #consumers({ consumers }: GatewayConfig): Consumers {
    const counted = (metric: PolicyMetric, label: string): void =>
      this.#count(metric, "consumers", label);
    const stores = this.#stores;
    return new Consumers(consumers, { limits: () => this.#cells(), stores, counted });
  }

  #gate(route: GatewayRoute, { trusted, consumers }: GateParts): Gate {
    const chain = compileChain(route.policies, {
      limits: this.#cells(),
      stores: this.#stores,
      consumers,
      inFlight: () => this.#inFlightOf(),
      lag: () => (this.#lag ??= new LagMeter(this.#now)),
      wallClock: this.#host.wallClock ?? Date.now,
      runPolicy: this.#host.runPolicy,
      random: this.#host.random ?? Math.random,
      replies: () => this.#openReplies(),
      proxy: (name, pass) => this.#proxy(name, pass),
      route: route.name,
      counted: (metric, label) => this.#count(metric, route.name, label),
    });
    const target = createTarget(route.target, {
      route: route.name,
      random: this.#host.random ?? Math.random,
      proxy: (name, pass) => this.#proxy(name, pass),
    });
    const { methods } = route.match;
    const preflightsOnly = methodsOf(route).length > methods.length ? methods.join(", ") : null;
    const isSplit = isSplitSeen(route.target);
    const isFiltered = route.policies.length > 0 || route.target.kind === "endpoint" || isSplit;
    const replySteps = isSplit ? [...chain.replySteps, showSplit] : chain.replySteps;
    return { steps: chain.steps, replySteps, target, trusted, isFiltered, preflightsOnly };
  }

  #proxy(name: string, pass: Pass): void {
    const upstream = this.#upstreams.get(name);
    // Gone by a reload while the request waited for a policy.
    if (upstream === undefined) pass.ticket.fail("NO_HEALTHY_UPSTREAM");
    else upstream.proxy(pass);
  }

  #count(metric: PolicyMetric, route: string, label: string): void {
    const name = LABELS[metric];
    const key = `${metric}\nroute="${route}",${name}="${label}"`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }
}
