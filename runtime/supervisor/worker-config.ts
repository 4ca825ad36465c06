// What every worker of a node is told: the node's options, and what must be the same for a worker to be adopted.

import { statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { ServeOptions } from "../../sdk/serve.ts";
import { engineVersion } from "../isolate/engine.ts";
import type { WorkerConfig } from "../link/messages.ts";

export interface Place {
  /** Absolute. */
  readonly data: string;
  readonly cache: string;
  readonly port: number;
  readonly tlsPort: number | null;
  /** Folder of the cordons' sockets. */
  readonly cordons: string;
  readonly release: string;
  readonly uid: number | null;
  /** As base64. */
  readonly secretKey: string;
}

/** Together about as many as the engine has threads for, and long ones in all workers no more than cores. */
function poolSlicesMax(workers: number): WorkerConfig["poolSlicesMax"] {
  const short = Math.max(2, workers);
  const share = Math.floor(availableParallelism() / workers);
  return { short, long: Math.max(1, Math.min(short, share) - 1) };
}

/** The registry has to exist. */
export function workerConfig(options: ServeOptions, place: Place): WorkerConfig {
  const { dev, ino } = statSync(join(place.data, "registry", "data.mdb"));
  return {
    build: `${place.release} ${process.version} ${engineVersion()}`,
    registry: `${dev}:${ino}`,
    host: options.host,
    port: place.port,
    tlsPort: place.tlsPort,
    listener: options.listener,
    data: place.data,
    uid: place.uid,
    cache: place.cache,
    defaultTrust: options.defaultTrust,
    allowPrivateEgress: options.allowPrivateEgress,
    egressMayBePrivate: options.egressMayBePrivate,
    outcomeHeader: options.outcomeHeader,
    poolSlicesMax: poolSlicesMax(options.workers),
    logFormat: process.stderr.isTTY ? "pretty" : "json",
    drainTimeoutMs: options.drainTimeoutMs,
    limitMax: options.limitMax,
    dev: options.dev,
    cordon: null,
    cordons: place.cordons,
    secretKey: place.secretKey,
  };
}
