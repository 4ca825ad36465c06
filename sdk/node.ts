// The seams between the parts of a node. Each part is written against these and joined to the others only in
// the composition roots (runtime/supervisor.ts, runtime/worker.ts, runtime/jail.ts).

import type { PublishStage } from "./publish.ts";
import type { BundleFormat, Change, Deployed, SecretRecord, VersionRecord } from "./records.ts";
import type { Code } from "./errors.ts";
import type { ServiceKind, ServiceRecord } from "./services/service.ts";

/** Checks code before it may reach a worker. Implemented by compiler/, used by control/. */
export interface Checker {
  /**
   * Dry run in a limited, throw-away isolate, then a snapshot where that is safe, made and probed in killable
   * children. Rejects with an EdgeError of the "Publishing" codes; leaves nothing behind but a snapshot file.
   */
  check(input: CheckInput): Promise<CheckResult>;
}

export type HandlerNeed = "scheduled" | "queue";

export interface CheckInput {
  readonly format: BundleFormat;
  readonly code: string;
  readonly bundleHash: string;
  /** For places in what the module throws; without it they are those of the bundle. */
  readonly map?: string | null;
  /** What the handler will be called for beside requests. */
  readonly needs?: readonly HandlerNeed[];
  /** What `env` will hold, packed (packEnvironment); without secrets' texts. Absent: nothing. */
  readonly env?: string;
  readonly onStage?: (stage: PublishStage) => void;
}

export interface CheckResult {
  readonly start: VersionRecord["start"];
  readonly checkMs: number;
  readonly snapshotMs: number;
}

/** The workers as the control plane sees them. Implemented by runtime/supervisor, used by control/. */
export interface Fleet {
  readonly size: number;
  /**
   * Every worker loads the version's isolate beside what it serves, and warms it. Rejects with PREPARE_FAILED
   * (and every worker forgets the candidate) when one cannot.
   */
  prepare(version: VersionRecord): Promise<void>;
  /** Resolves when every worker that is alive has read the registry up to `revision` and routes by it. */
  announce(revision: number): Promise<void>;
  /** Ask every worker for its numbers; a worker that does not answer in time is left out. */
  stats(): Promise<readonly WorkerStats[]>;
  /** Prometheus text of every worker, merged, and of `more`: samples by metric, then by labels. */
  metrics(more?: Readonly<Record<string, Readonly<Record<string, number>>>>): Promise<string>;
  /** null when no worker remembers it. */
  explain(request: string): Promise<RequestAccount | null>;
  /** Since the supervisor's start. */
  restarts(): WorkerRestarts;
}

/** Why a worker was replaced. */
export type RestartReason =
  /** By a signal that only broken code gets, as SIGSEGV or V8's abort; or nobody could see how. */
  | "crash"
  /** By another signal: somebody's, or the kernel's when memory is short. */
  | "killed"
  /** It ended by itself. */
  | "exit"
  /** Its event loop stood still. */
  | "stalled"
  /** It had more memory than it may. */
  | "memory"
  /** An isolate took a thread of it. */
  | "wedged"
  /** V8 reported an error that nobody survives. */
  | "catastrophic"
  /** SIGTERM told it to end. */
  | "terminated"
  /** It was started by another supervisor with another configuration. */
  | "outdated";

export interface WorkerRestart {
  readonly worker: number;
  readonly pid: number;
  readonly reason: RestartReason;
  readonly text: string;
  readonly at: string;
  /** The version that ran, when it can be told; it was given a strike. */
  readonly culprit: { readonly endpoint: string; readonly version: string } | null;
}

export interface WorkerRestarts {
  readonly counts: { readonly [reason in RestartReason]?: number };
  /** Newest first. */
  readonly recent: readonly WorkerRestart[];
}

/** What became of a request that came near its limits, and what it used. */
export interface RequestAccount {
  readonly id: string;
  /** When it ended. */
  readonly time: string;
  readonly endpoint: string;
  readonly version: string;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly status: number;
  readonly outcome: string;
  /** From accept to the end of the reply. */
  readonly us: number;
  readonly cpuUs: number;
  /** How often its CPU time was looked at: runs it had a part in, and ticks within long ones. */
  readonly slices: number;
  readonly limits: { readonly cpuMs: number; readonly wallMs: number };
  /** Where the CPU time went, as frames of a stack in the author's files; "" when that is not known. */
  readonly burned: string;
}

export interface WorkerStats {
  readonly worker: number;
  readonly pid: number;
  /** Name of the cordon that it is; null: it takes clients' connections. */
  readonly cordon: string | null;
  readonly revision: number;
  readonly requestsTotal: number;
  readonly inFlight: number;
  readonly isolates: readonly IsolateStats[];
  readonly services: readonly ServiceStats[];
  readonly upstreams: readonly UpstreamStats[];
  readonly rssBytes: number;
}

/** An upstream of the gateway as one worker has it. */
export interface UpstreamStats {
  readonly upstream: string;
  /** Since it was configured as it is. */
  readonly retries: number;
  readonly servers: readonly ServerStats[];
}

export interface ServerStats {
  readonly url: string;
  /** What all workers know together: active health checks, and the circuit breaker. */
  readonly healthy: boolean;
  readonly breaker: "closed" | "open" | "half-open";
  /** Requests that are open. */
  readonly active: number;
  /** Mean time to the first byte, the newest counting most. */
  readonly latencyMs: number;
  readonly requests: number;
  readonly failures: number;
}

/** A service as one worker has it: one that no endpoint of the worker binds is not there. */
export interface ServiceStats {
  readonly kind: ServiceKind | "ratelimit";
  readonly service: string;
  /** Whether its last call that had to do with the server went well. */
  readonly ok: boolean;
  readonly code: Code | null;
  readonly message: string;
  /** It has a backend open. */
  readonly open: boolean;
  readonly running: number;
  readonly waiting: number;
  /** That have ended, well or not. */
  readonly calls: number;
  readonly failures: number;
  readonly restarts: number;
  /** Calls by how long they took; bounds: services/latency.ts. */
  readonly latency: { readonly buckets: readonly number[]; readonly sumMs: number };
}

export interface IsolateStats {
  readonly endpoint: string;
  readonly version: string;
  readonly generation: number;
  readonly state: "loaded" | "draining";
  readonly inFlight: number;
  readonly heapBytes: number;
  /** 0 when the next request loads it, more than 1 while one that was replaced drains. */
  readonly isolates: number;
  /** How long the one that serves has been there. */
  readonly ageMs: number | null;
  /** How often a fresh one took its place. */
  readonly recycles: number;
  /** How often it was let go of because nobody asked or memory was short. */
  readonly evictions: number;
}

/** The write side of the registry: alone, LMDB; in a cluster the log lives elsewhere. */
export interface RegistryWriter extends RegistryReader {
  /** One transaction: durable when it resolves. Resolves to its revision. */
  append(ops: Change["ops"]): Promise<number>;
  /** The highest generation ever deployed under this name, also if it was deleted since; 0 for none. */
  generation(endpoint: string): number;
  close(): Promise<void>;
}

export interface RegistryReader {
  /** The newest revision that this process can see now. */
  revision(): number;
  /** Every endpoint with what is deployed on it. */
  all(): readonly Deployed[];
  get(name: string): Deployed | null;
  /** Newest first. */
  versions(endpoint: string): readonly VersionRecord[];
  version(endpoint: string, id: string): VersionRecord | null;
  /** Newest first. */
  deployments(endpoint: string): readonly import("./records.ts").DeploymentRecord[];
  /** In the order of their names. */
  services(): readonly ServiceRecord[];
  /** Of an endpoint, or the node's own, in the order of their names. */
  secrets(endpoint: string | null): readonly SecretRecord[];
  /**
   * Names of the endpoints that changed after `revision`, by their secrets too; null when the log no longer reaches
   * back so far. Services and the node's own secrets belong to none: read those anew at each revision.
   */
  changedSince(revision: number): readonly string[] | null;
  close(): Promise<void>;
}

/** Content-addressed files. */
export interface Blobs {
  /** Durable (synced) when it resolves; the same content twice is one file. */
  put(bytes: Uint8Array): Promise<string>;
  /** Throws BLOB_CORRUPT when missing or when its content does not hash to its name. */
  read(hash: string): Uint8Array;
}

/** A worker's slices that hold a processor for long (decisions/018-fairness.md), at this moment. */
export interface LongSlices {
  readonly running: number;
  readonly waiting: number;
  /** How many turns it has had, ever. */
  readonly turns: number;
}
