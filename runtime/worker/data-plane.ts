// Joins the parts of a worker: registry reader, snapshots, isolates, routes, listener, log and counters.

import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { openRegistryReader } from "../../control/registry/registry.ts";
import type { Listener } from "../../sdk/exchange.ts";
import type { GatewayConfig } from "../../sdk/gateway/config.ts";
import type { Purge } from "../../sdk/gateway/purge.ts";
import { LIMITS, resolveLimits, type Limits } from "../../sdk/limits.ts";
import type { RegistryReader, RequestAccount, WorkerStats } from "../../sdk/node.ts";
import type { VersionRecord } from "../../sdk/records.ts";
import type { Scheduled, ScheduledEnd } from "../../sdk/schedule/schedule.ts";
import { FETCH } from "../../sdk/services/faults.ts";
import type { OperatorCall, PackedText, ServiceProbe } from "../../sdk/services/service.ts";
import type { Gateway } from "../gateway/gateway.ts";
import { createCompressionCalls } from "../isolate/compression/compression-calls.ts";
import { createGate } from "../isolate/compression/gate.ts";
import { createCryptoCalls } from "../isolate/crypto-calls.ts";
import { createEgress } from "../isolate/egress/egress.ts";
import { isWedge } from "../isolate/engine.ts";
import { createServiceCalls } from "../isolate/services/service-calls.ts";
import type { SliceHost } from "../isolate/slice/contract.ts";
import type { Stock } from "../isolate/life/stock.ts";
import type { Condemnation, MetricSamples, WorkerConfig } from "../link/messages.ts";
import { openWitness, witnessPath, type Witness } from "../link/witness.ts";
import { openAccessLog } from "../observe/access-log.ts";
import { createLog, type Log } from "../observe/log.ts";
import { RequestMetrics, addSamples, type Samples } from "../observe/metrics.ts";
import { listenCordon } from "./cordon/cordon-listener.ts";
import { createLinks } from "./cordon/link.ts";
import {
  createCordonDispatcher,
  createDispatcher,
  createInnerDispatch,
  createOwnHosts,
} from "./dispatcher.ts";
import { Endpoints } from "./endpoints.ts";
import { Front, openFront } from "./front.ts";
import { runScheduled } from "./events/scheduled.ts";
import { Consumers } from "./queues/consumers.ts";
import { createRunPolicy } from "./events/policy.ts";
import { gatewaySamples, openGateway } from "./gateway.ts";
import type { HousekeepingOptions } from "./housekeeping.ts";
import { openLoader, openStock, startOf, type LoaderOptions } from "./loader.ts";
import { RequestTicket, type Observers } from "./request-ticket.ts";
import { boundFetches } from "./services/inner-fetch.ts";
import { NodeServices } from "./services/node-services.ts";
import { serviceSamples } from "./services/samples.ts";
import { RecentRequests } from "./recent-requests.ts";
import { createStackMaps } from "./stacks.ts";

export interface DataPlaneOptions {
  readonly config: WorkerConfig;
  readonly worker: number;
  /** Of the moment; later ones by configureGateway. */
  readonly gateway: GatewayConfig;
  /** isolated-vm's version: part of a snapshot's key. */
  readonly engine: string;
  readonly slices: SliceHost;
  /** What all isolates together may take before those that rest are evicted. */
  readonly isolateBytes: () => number;
  /** A thread is lost: replace this process. */
  readonly onCondemned: (condemnation: Condemnation) => void;
}

/** How often time limits of requests are looked at. */
const EXPIRE_MS = 100;
/** How often isolates are looked at: far below what it takes a leak that is not hopeless to fill a heap. */
const LOOK_MS = 1_000;
/** When a drain's time is over, for telling so to those who still wait. */
const REFUSAL_MS = 250;
const IDLE_LOOK_MS = 20;
/** What connections of services may take to close; the process ends right after. */
const SERVICES_CLOSE_MS = 500;

export async function startDataPlane(options: DataPlaneOptions): Promise<DataPlane> {
  const { config, worker } = options;
  const loader = await openLoader(config, options.engine);
  const observers: Observers = {
    access:
      config.cordon === null
        ? openAccessLog(join(config.data, "logs", `access-${worker}.log`))
        : null,
    metrics: new RequestMetrics(),
    recent: new RecentRequests(),
    limits: ({ manifest }) => resolveLimits(manifest.limits, config.limitMax),
    handlers: createLog({ format: config.logFormat, tag: "handler" }),
    mapStack: createStackMaps(loader.blobs),
    outcomeHeader: config.outcomeHeader,
    dev: config.dev,
  };
  const witness = openWitness(witnessPath(config.data, worker));
  const log = createLog({ format: config.logFormat, tag: `worker-${worker}` });
  const reader = openRegistryReader({ dir: join(config.data, "registry") });
  const services = new NodeServices({
    reader,
    data: config.data,
    secretKey: config.secretKey,
    log,
  });
  const runPolicy = createRunPolicy(() => endpoints, observers);
  const gateway = openGateway(config.data, log, runPolicy);
  services.faults.configure(options.gateway.faults);
  if (config.cordon === null) gateway.apply(options.gateway);
  observers.access?.configure(options.gateway.accessLog, (exchange) => gateway.client(exchange));
  const stock = openStock(loader, options);
  const within: Within = { loader, stock, witness, reader, services, gateway, log };
  const endpoints: Endpoints = openEndpoints(options, within, observers);
  endpoints.refresh();
  const listener = await listen(options, { endpoints, gateway, services }, observers);
  const consumers = new Consumers({ endpoints, services, observers, log });
  const own = { listener, consumers, witness, services, stock };
  return new DataPlane({ options, endpoints, gateway, observers, ...own });
}

async function listen(
  { config, gateway: { tls } }: DataPlaneOptions,
  { endpoints, gateway, services }: Pick<Parts, "endpoints" | "gateway" | "services">,
  observers: Observers,
): Promise<Listener> {
  if (config.cordon !== null) {
    const handler = createCordonDispatcher(endpoints, observers);
    const bodyBytesMax = LIMITS.bodyBytes.default;
    return listenCordon({ path: config.cordon.socket, handler, bodyBytesMax });
  }
  return openFront(config, {
    tls,
    isProxy: (address) => gateway.isProxy(address),
    handler: createDispatcher(endpoints, observers, {
      gateway,
      signedObjects: services.signedObjects,
    }),
    answer(exchange, status, headers) {
      new RequestTicket(exchange, observers).answered("ok");
      exchange.reply(status, headers, null);
    },
  });
}

interface Parts {
  readonly options: DataPlaneOptions;
  readonly endpoints: Endpoints;
  readonly gateway: Gateway;
  readonly listener: Listener;
  readonly observers: Observers;
  readonly witness: Witness;
  readonly services: NodeServices;
  readonly consumers: Consumers;
  readonly stock: Stock;
}

export class DataPlane {
  readonly port: number;
  readonly #worker: number;
  readonly #cordon: string | null;
  readonly #endpoints: Endpoints;
  readonly #gateway: Gateway;
  readonly #listener: Listener;
  readonly #observers: Observers;
  readonly #witness: Witness;
  readonly #services: NodeServices;
  readonly #consumers: Consumers;
  readonly #stock: Stock;
  readonly #expiry: NodeJS.Timeout;
  readonly #looks: NodeJS.Timeout;

  constructor(parts: Parts) {
    const { options, endpoints, gateway, listener, observers, witness, services } = parts;
    const { worker, config } = options;
    this.port = listener.port;
    this.#worker = worker;
    this.#cordon = config.cordon?.name ?? null;
    this.#endpoints = endpoints;
    this.#gateway = gateway;
    this.#listener = listener;
    this.#observers = observers;
    this.#witness = witness;
    this.#services = services;
    this.#consumers = parts.consumers;
    this.#stock = parts.stock;
    this.#expiry = setInterval(() => {
      endpoints.expire(performance.now());
      gateway.expire();
    }, EXPIRE_MS);
    this.#looks = setInterval(() => endpoints.look(), LOOK_MS);
  }

  refresh(): number {
    const revision = this.#endpoints.refresh();
    this.#consumers.refresh();
    return revision;
  }

  /** Requests that are under way end as they began. */
  configureGateway(config: GatewayConfig): void {
    this.#services.faults.configure(config.faults);
    // A cordon is given requests that have found their endpoint.
    if (this.#cordon !== null) return;
    if (this.#listener instanceof Front) this.#listener.renew(config.tls);
    this.#gateway.apply(config);
    this.#observers.access?.configure(config.accessLog, (exchange) =>
      this.#gateway.client(exchange),
    );
    this.#endpoints.compile();
  }

  prepare(version: VersionRecord): Promise<void> {
    return this.#endpoints.prepare(version);
  }

  forget(endpoint: string): void {
    this.#endpoints.forget(endpoint);
  }

  probe(service: string): Promise<ServiceProbe> {
    return this.#services.probe(service);
  }

  callService(call: OperatorCall, args: PackedText): Promise<PackedText> {
    return this.#services.call(call, args);
  }

  runScheduled(scheduled: Scheduled): Promise<ScheduledEnd | null> {
    const slot = this.#endpoints.slot(scheduled.endpoint);
    return runScheduled(slot, scheduled, this.#observers);
  }

  lookClosely(forMs: number): void {
    this.#witness.lookClosely(forMs);
  }

  stats(): WorkerStats {
    const isolates = this.#endpoints.stats();
    return {
      worker: this.#worker,
      pid: process.pid,
      cordon: this.#cordon,
      revision: this.#endpoints.revision,
      requestsTotal: this.#observers.metrics.total,
      inFlight: isolates.reduce((sum, isolate) => sum + isolate.inFlight, 0),
      isolates,
      services: this.#services.stats(),
      upstreams: this.#gateway.upstreams(),
      rssBytes: process.memoryUsage.rss(),
    };
  }

  explain(request: string): RequestAccount | null {
    return this.#observers.recent.find(request);
  }

  async purge(purge: Purge): Promise<void> {
    if (this.#cordon === null) await this.#gateway.purge(purge);
  }

  samples(): MetricSamples {
    const samples: Samples = {};
    addSamples(samples, this.#observers.metrics.samples());
    addSamples(samples, gauges(this.stats()));
    addSamples(samples, serviceSamples(this.#services.stats()));
    addSamples(samples, this.#services.faults.samples());
    addSamples(samples, gatewaySamples(this.#gateway));
    return samples;
  }

  async drain(timeoutMs: number, lingerMs: number): Promise<void> {
    clearInterval(this.#looks);
    this.#stock.close();
    const settled = this.#consumers.stop();
    const deadlineMs = performance.now() + timeoutMs;
    const force = setTimeout(() => this.#endpoints.end(), timeoutMs);
    await this.#listener.drain(timeoutMs + REFUSAL_MS, lingerMs);
    // Replies are out; what handlers began with waitUntil may still run.
    while (this.#endpoints.inFlight > 0 && performance.now() < deadlineMs) {
      await delay(IDLE_LOOK_MS);
    }
    clearTimeout(force);
    clearInterval(this.#expiry);
    await Promise.race([settled, delay(SERVICES_CLOSE_MS)]);
    await Promise.race([this.#services.close(), delay(SERVICES_CLOSE_MS)]);
    await Promise.race([this.#gateway.close(), delay(SERVICES_CLOSE_MS)]);
    this.#observers.access?.close();
    this.#observers.handlers.flush();
  }
}

interface Within {
  readonly loader: LoaderOptions;
  readonly stock: Stock;
  readonly witness: Witness;
  readonly reader: RegistryReader;
  readonly services: NodeServices;
  readonly gateway: Gateway;
  readonly log: Log;
}

function openEndpoints(
  options: DataPlaneOptions,
  { loader, stock, witness, reader, services, gateway, log }: Within,
  observers: Observers,
): Endpoints {
  const { config, onCondemned } = options;
  const { metrics } = observers;
  const compression = createGate();
  const limitsOf = ({ manifest }: VersionRecord): Limits =>
    resolveLimits(manifest.limits, config.limitMax);
  const endpoints: Endpoints = new Endpoints({
    cordon: config.cordon?.name ?? null,
    linkTo: createLinks(config.cordons, () => performance.now()),
    reader,
    startOf: (version) => startOf(version, loader, { stock, memoryMb: limitsOf(version).memoryMb }),
    defaultTrust: config.defaultTrust,
    witness: (version) => witness.of(version),
    host: options.slices,
    limits: limitsOf,
    fileRoutes: () => gateway.routes,
    addressed: (exchange) => gateway.addressed(exchange),
    onRefresh: () => services.refresh(),
    surroundings: (version) => services.surroundingsOf(version),
    surroundingsKey: (deployed) => services.surroundingsKey(deployed),
    services: (
      { subrequests, subrequestsAtOnce, serviceCalls, socketBytes },
      { manifest },
      surroundings,
    ) => [
      createServiceCalls({ ports: surroundings.createPorts(), callsMax: serviceCalls }),
      createEgress({
        allowPrivate: config.allowPrivateEgress,
        privateHosts: config.egressMayBePrivate ? (manifest.egress ?? []) : [],
        subrequestsMax: subrequests,
        socketBytesMax: socketBytes,
        atOnceMax: subrequestsAtOnce,
        bound: boundFetches(surroundings, createInnerDispatch(endpoints, observers)),
        before: (send) => surroundings.faults.send(FETCH, send),
        // A cordon has its own endpoints only.
        ...(config.cordon === null ? { ownHosts: createOwnHosts(endpoints, observers) } : {}),
      }),
      createCryptoCalls(),
      createCompressionCalls(compression),
    ],
    now: () => performance.now(),
    onDeath(version, death) {
      const { endpoint } = version;
      metrics.terminated(endpoint, death);
      log.write("error", `An isolate died: ${death}.`, { endpoint });
      if (death !== "wedged") return;
      onCondemned(wedge(version));
    },
    onCatastrophic(version, error) {
      const { endpoint, id } = version;
      const text = `an isolate of ${endpoint} broke: ${error}`;
      const culprit = { endpoint, version: id };
      onCondemned(isWedge(error) ? wedge(version) : { reason: "catastrophic", text, culprit });
    },
    onLoad: (endpoint, level, what) => log.write(level, String(what), { endpoint }),
    onRemoved: (endpoint) => metrics.forget(endpoint),
    housekeeping: housekeepingOptions(options, stock, { log, metrics }),
  });
  return endpoints;
}

function housekeepingOptions(
  { isolateBytes }: DataPlaneOptions,
  stock: Stock,
  { log, metrics }: { log: Log; metrics: RequestMetrics },
): HousekeepingOptions {
  return {
    budgetBytes: isolateBytes,
    stock,
    now: () => performance.now(),
    onRecycled(endpoint, reason) {
      metrics.recycled(endpoint, reason);
      log.write("info", `A fresh isolate took over: ${reason}.`, { endpoint, reason });
    },
    onEvicted: (endpoint, reason) => metrics.evicted(endpoint, reason),
    onEvictions: ({ idle, memory }) =>
      log.write("info", `Isolates were evicted: ${memory} for memory, ${idle} idle.`),
  };
}

function wedge({ endpoint, id }: VersionRecord): Condemnation {
  const text = `a thread of ${endpoint} does not come back`;
  return { reason: "wedged", text, culprit: { endpoint, version: id } };
}

function gauges(stats: WorkerStats): MetricSamples {
  const isolates: Record<string, number> = {};
  const heap: Record<string, number> = {};
  for (const { endpoint, heapBytes, isolates: count } of stats.isolates) {
    const label = `endpoint="${endpoint}"`;
    isolates[label] = (isolates[label] ?? 0) + count;
    heap[label] = (heap[label] ?? 0) + heapBytes;
  }
  return {
    edge_http_inflight: { "": stats.inFlight },
    edge_isolates: isolates,
    edge_isolate_heap_bytes: heap,
    edge_config_revision: { "": stats.revision },
  };
}
