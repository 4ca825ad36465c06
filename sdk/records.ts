// What the registry stores. Plain readonly data; the log of changes is the truth, the view is folded from it.

import type { Json } from "./errors.ts";
import type { Isolation } from "./isolation.ts";
import type { LimitOverrides } from "./limits.ts";
import type { RestartReason } from "./node.ts";
import type { BindingFaults } from "./services/faults.ts";
import type { Binding, QueueConsumer, ServiceRecord } from "./services/service.ts";

/** SHA-256, 64 hex digits. Names a blob by its content. */
export type BlobHash = string;
/** First 16 hex digits of the SHA-256 over bundle hash, format and manifest: same input, same version. */
export type VersionId = string;

/** One route, in normal form: host lower-case ("*" for any, "*.example.com"), methods upper-case, [] for any. */
export interface RouteSpec {
  readonly host: string;
  readonly path: string;
  readonly methods: readonly string[];
}

export type Trust = "own" | "untrusted";

/** What an author decides about a version, beside its code. Part of the version's hash. */
export interface Manifest {
  readonly name: string;
  readonly routes: readonly RouteSpec[];
  readonly vars: { readonly [name: string]: Json };
  readonly limits: LimitOverrides;
  /** undefined: the node's --default-trust. */
  readonly trust?: Trust;
  /** undefined: shared. */
  readonly isolation?: Isolation;
  /** Private hosts that it may reach where the operator allows that (sdk/egress.ts). */
  readonly egress?: readonly string[];
  /** What the handler sees in `env` beside variables and secrets; absent: nothing. */
  readonly bindings?: readonly Binding[];
  /** Queues whose messages go to the handler's `queue`; absent: none. */
  readonly consumers?: readonly QueueConsumer[];
  /** When the handler's `scheduled` runs (sdk/schedule/cron.ts); absent: never. */
  readonly crons?: readonly string[];
  /** What is made to fail on purpose; absent: nothing. */
  readonly faults?: BindingFaults;
  readonly drainTimeoutMs: number;
}

/** script: `(() => exports)`-style IIFE that can be snapshotted; module: ESM, needed for top-level await. */
export type BundleFormat = "script" | "module";

export interface VersionRecord {
  readonly id: VersionId;
  readonly endpoint: string;
  readonly manifest: Manifest;
  readonly format: BundleFormat;
  readonly bundle: BlobHash;
  readonly bundleBytes: number;
  readonly map: BlobHash | null;
  /**
   * full: web platform and bundle in one snapshot; quick: bundle runs on top, with a code cache, which takes no longer;
   * platform: bundle runs on top, for the reason given.
   */
  readonly start:
    | { readonly kind: "full" }
    | { readonly kind: "quick" }
    | { readonly kind: "platform"; readonly reason: string };
  /** It names CLIENT_ADDRESS_HEADER: its requests carry it. Others go without, since asking costs a microsecond. */
  readonly readsAddress?: true;
  readonly message: string;
  readonly createdAt: string;
}

/** As Workers has it. In the requests of handlers only, and never the client's own. */
export const CLIENT_ADDRESS_HEADER = "cf-connecting-ip";

export interface DeploymentRecord {
  readonly endpoint: string;
  /** Grows by one with every deployment of this endpoint, also across delete and re-creation. */
  readonly generation: number;
  readonly versions: readonly { readonly version: VersionId; readonly share: number }[];
  readonly message: string;
  readonly createdAt: string;
}

/** A worker had to be replaced, and this version was what it ran. */
export interface Strike {
  readonly version: VersionId;
  readonly reason: RestartReason;
  readonly at: string;
}

/** A version that may not run until it is published anew or released by hand. */
export interface Quarantine {
  readonly version: VersionId;
  readonly since: string;
  /** Those that led to it, oldest first. */
  readonly strikes: readonly Strike[];
}

/** What the admin API lets people edit; `draft` is code that was stored but not compiled yet. */
export interface EndpointRecord {
  /** UUID, for the seeds' API; the name is what people use. Both are unique. */
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly enabled: boolean;
  readonly stopped: boolean;
  /** Routes given through the API before anything is compiled; a deployed version's manifest wins. */
  readonly routes: readonly RouteSpec[];
  readonly draft: string | null;
  /** Version that the last compile made and that is not deployed yet: what `start` deploys. */
  readonly compiled?: VersionId;
  /** The last compile that failed, shown as state `error`; cleared by the next that works. */
  readonly failure: { readonly code: string; readonly message: string } | null;
  /** Of any version, oldest first. */
  readonly strikes?: readonly Strike[];
  readonly quarantined?: readonly Quarantine[];
  /** Made through the API, beside those of the deployed version's manifest; no name is in both. */
  readonly bindings?: readonly Binding[];
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** A text that only handlers get to see, or the node's services. */
export interface SecretRecord {
  /** In whose `env` it is; null: the node's own, for `${secret:NAME}` in the configuration of services. */
  readonly endpoint: string | null;
  readonly name: string;
  /** By the node's key (control/secrets). */
  readonly sealed: string;
  readonly updatedAt: string;
}

export type ChangeOp =
  | { readonly op: "endpoint.put"; readonly endpoint: EndpointRecord }
  | { readonly op: "endpoint.delete"; readonly name: string }
  | { readonly op: "version.put"; readonly version: VersionRecord }
  | { readonly op: "version.delete"; readonly endpoint: string; readonly id: VersionId }
  | { readonly op: "deployment.put"; readonly deployment: DeploymentRecord }
  | { readonly op: "service.put"; readonly service: ServiceRecord }
  | { readonly op: "service.delete"; readonly id: string }
  | { readonly op: "secret.put"; readonly secret: SecretRecord }
  | { readonly op: "secret.delete"; readonly endpoint: string | null; readonly name: string };

/** One transaction of the change log. Replaying changes 1..n in order always gives the same view. */
export interface Change {
  readonly revision: number;
  readonly at: string;
  readonly ops: readonly ChangeOp[];
}

/** What a worker needs to serve one endpoint; folded from the view. */
export interface Deployed {
  readonly endpoint: EndpointRecord;
  readonly deployment: DeploymentRecord | null;
  /** The versions that the deployment names, by id. */
  readonly versions: readonly VersionRecord[];
}
