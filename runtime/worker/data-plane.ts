// Joins the parts of a worker: registry reader, snapshots, isolates, routes, listener, log and counters.

import { join } from "node:path";
import { buildGuest } from "../../compiler/guest.ts";
import { openSnapshotStore, type SnapshotBasis } from "../../compiler/snapshot-store.ts";
import { openBlobs } from "../../control/blobs.ts";
import { openRegistryReader } from "../../control/registry/registry.ts";
import { HEADER_BYTES_MAX, LIMITS, resolveLimits } from "../../sdk/limits.ts";
import type { WorkerStats } from "../../sdk/node.ts";
import type { VersionRecord } from "../../sdk/records.ts";
import { listenNode } from "../http/node-listener.ts";
import { listenUws } from "../http/uws-listener.ts";
import { createCryptoCalls } from "../isolate/crypto-calls.ts";
import { createEgress } from "../isolate/egress/egress.ts";
import { createSliceHost } from "../isolate/slice-host.ts";
import type { MetricSamples, WorkerConfig } from "../link/messages.ts";
import { GUEST_ENTRY, V8_FLAGS } from "../link/places.ts";
import { openAccessLog } from "../observe/access-log.ts";
import { createLog } from "../observe/log.ts";
import { RequestMetrics, addSamples, type Samples } from "../observe/metrics.ts";
import { createDispatcher } from "./dispatcher.ts";
import { Endpoints } from "./endpoints.ts";
import { startOf } from "./loader.ts";

export interface DataPlaneOptions {
  readonly config: WorkerConfig;
  readonly worker: number;
  /** isolated-vm's version: part of a snapshot's key. */
  readonly engine: string;
  /** A thread is lost: replace this process. */
  readonly onCondemned: (reason: string) => void;
}

export interface DataPlane {
  readonly port: number;
  refresh(): number;
  prepare(version: VersionRecord): Promise<void>;
  forget(endpoint: string): void;
  stats(): WorkerStats;
  samples(): MetricSamples;
  drain(timeoutMs: number): Promise<void>;
}

/** How often time limits of requests are looked at. */
const EXPIRE_MS = 100;

export async function startDataPlane(options: DataPlaneOptions): Promise<DataPlane> {
  const { config, worker, onCondemned } = options;
  const guest = await buildGuest({ entry: GUEST_ENTRY, cacheDir: config.cache });
  const basis: SnapshotBasis = {
    engine: options.engine,
    v8Flags: V8_FLAGS,
    guestHash: guest.hash,
  };
  const loader = {
    blobs: openBlobs(join(config.data, "blobs")),
    snapshots: openSnapshotStore(join(config.data, "snapshots")),
    basis,
    guestCode: guest.code,
  };
  const handlers = createLog({ format: config.logFormat, tag: "handler" });
  const log = createLog({ format: config.logFormat, tag: `worker-${worker}` });
  const metrics = new RequestMetrics();
  const access = openAccessLog(join(config.data, "logs", `access-${worker}.log`));
  const host = createSliceHost(config.poolSlicesMax);
  const reader = openRegistryReader({ dir: join(config.data, "registry") });
  const endpoints = new Endpoints({
    reader,
    startOf: (version) => startOf(version, loader),
    defaultTrust: config.defaultTrust,
    isolate: { host, onCatastrophic: onCondemned },
    services: (version) => [
      createEgress({
        allowPrivate: config.allowPrivateEgress,
        subrequestsMax: resolveLimits(version.manifest.limits).subrequests,
      }),
      createCryptoCalls(),
    ],
    now: Date.now,
    onDeath(endpoint, death) {
      metrics.terminated(endpoint, death);
      log.write("error", `An isolate died: ${death}.`, { endpoint });
      if (death === "wedged") onCondemned(`A thread of ${endpoint} does not come back.`);
    },
    onLoadError: (endpoint, error) => log.write("error", String(error), { endpoint }),
  });
  const listen = config.listener === "node" ? listenNode : listenUws;
  endpoints.refresh();
  const listener = await listen({
    host: config.host,
    port: config.port,
    handler: createDispatcher(endpoints, { access, metrics, handlers }),
    bodyBytesMax: LIMITS.bodyBytes.default,
    headerBytesMax: HEADER_BYTES_MAX,
  });
  const expiry = setInterval(() => endpoints.expire(Date.now()), EXPIRE_MS);

  function stats(): WorkerStats {
    const isolates = endpoints.stats();
    return {
      worker,
      pid: process.pid,
      revision: endpoints.revision,
      requestsTotal: metrics.total,
      inFlight: isolates.reduce((sum, isolate) => sum + isolate.inFlight, 0),
      isolates,
      rssBytes: process.memoryUsage.rss(),
    };
  }

  return {
    port: listener.port,
    refresh: () => endpoints.refresh(),
    prepare: (version) => endpoints.prepare(version),
    forget: (endpoint) => endpoints.forget(endpoint),
    stats,
    samples() {
      const samples: Samples = {};
      addSamples(samples, metrics.samples());
      addSamples(samples, gauges(stats()));
      return samples;
    },
    async drain(timeoutMs) {
      clearInterval(expiry);
      await listener.drain(timeoutMs);
      access.close();
      log.flush();
      handlers.flush();
      await reader.close();
    },
  };
}

function gauges(stats: WorkerStats): MetricSamples {
  const isolates: Record<string, number> = {};
  const heap: Record<string, number> = {};
  for (const { endpoint, heapBytes } of stats.isolates) {
    const label = `endpoint="${endpoint}"`;
    isolates[label] = (isolates[label] ?? 0) + 1;
    heap[label] = (heap[label] ?? 0) + heapBytes;
  }
  return {
    edge_http_inflight: { "": stats.inFlight },
    edge_isolates: isolates,
    edge_isolate_heap_bytes: heap,
    edge_config_revision: { "": stats.revision },
  };
}
