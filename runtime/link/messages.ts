// What supervisor and workers say to each other over the control socket. One JSON document per line; both ends
// are this release's own processes (the socket lies in the data folder, mode 0700), so a message that does not
// parse is a bug, not an attack.

import type { ErrorData } from "../../sdk/errors.ts";
import type { GatewayConfig } from "../../sdk/gateway/config.ts";
import type { Purge } from "../../sdk/gateway/purge.ts";
import type { LongSlices, RequestAccount, RestartReason, WorkerStats } from "../../sdk/node.ts";
import type { LimitOverrides } from "../../sdk/limits.ts";
import type { Trust, VersionRecord } from "../../sdk/records.ts";
import type { Scheduled, ScheduledEnd } from "../../sdk/schedule/schedule.ts";
import type { OperatorCall, PackedText, ServiceProbe } from "../../sdk/services/service.ts";

/** A worker whose configuration is the same text as a new supervisor's is adopted by it, else replaced. */
export interface WorkerConfig {
  /** What code the node runs: release, Node and engine. */
  readonly build: string;
  /** Which file the registry is: one that was put in its place is another. */
  readonly registry: string;
  readonly host: string;
  readonly port: number;
  /** null: the node does not speak TLS. Certificates come with the gateway's configuration. */
  readonly tlsPort: number | null;
  readonly listener: "uws" | "node";
  /** The user that workers run as; null: the supervisor's own. */
  readonly uid: number | null;
  /** Data folder, absolute. */
  readonly data: string;
  /** Where caches of code (guest script, redirected addon) lie. */
  readonly cache: string;
  readonly defaultTrust: Trust;
  readonly allowPrivateEgress: boolean;
  readonly egressMayBePrivate: boolean;
  /** Pool slices that may run at once in this worker: short ones, and beside them long ones. */
  readonly poolSlicesMax: {
    readonly short: number;
    /** Where no supervisor gives turns. */
    readonly long: number;
  };
  readonly logFormat: "pretty" | "json";
  readonly drainTimeoutMs: number;
  /** Whether replies in a handler's place name the outcome in x-edge-outcome. */
  readonly outcomeHeader: boolean;
  /** Show authors what broke, in the replies. */
  readonly dev: boolean;
  /** It serves the endpoints of this cordon, on this socket instead of host and port; null: all others, for clients. */
  readonly cordon: { readonly name: string; readonly socket: string } | null;
  /** Where cordons' sockets lie. */
  readonly cordons: string;
  /** The operator's ceilings. */
  readonly limitMax: LimitOverrides;
  /** What opens sealed secrets, as base64. Here and nowhere else: arguments and environment are seen by others. */
  readonly secretKey: string;
}

/** Numbers summed over workers: name, then label text (`endpoint="a",class="2xx"`), then value. */
export type MetricSamples = Readonly<Record<string, Readonly<Record<string, number>>>>;

export type ToWorker =
  | { readonly type: "configure"; readonly config: WorkerConfig }
  /** What its isolates may take together before those that rest are evicted. First on each connection. */
  | { readonly type: "budget"; readonly isolateBytes: number }
  /** Serve by this configuration of the gateway, then say so. Also before `configure`, with the number 0. */
  | { readonly type: "gateway"; readonly ask: number; readonly config: GatewayConfig }
  /** Read the registry at least up to this revision, serve by it, then say so. */
  | { readonly type: "announce"; readonly revision: number }
  | { readonly type: "prepare"; readonly ask: number; readonly version: VersionRecord }
  | { readonly type: "forget"; readonly endpoint: string; readonly version: string }
  | { readonly type: "stats"; readonly ask: number }
  | { readonly type: "metrics"; readonly ask: number }
  | { readonly type: "explain"; readonly ask: number; readonly request: string }
  /** Give no kept reply any more that this is about, then say so. */
  | { readonly type: "purge"; readonly ask: number; readonly purge: Purge }
  /** Open the service of this id, available or not, and ask it. */
  | { readonly type: "probe"; readonly ask: number; readonly service: string }
  | {
      readonly type: "call";
      readonly ask: number;
      readonly call: OperatorCall;
      readonly args: PackedText;
    }
  /** Run the handler's `scheduled`, and say what came of it. */
  | { readonly type: "scheduled"; readonly ask: number; readonly scheduled: Scheduled }
  /** A worker died and its witness (witness.ts) could not tell enough: let this one's be exact. */
  | { readonly type: "look-closely"; readonly forMs: number }
  /** To long slices: one that waits may run, or has to wait on. */
  | { readonly type: "turn"; readonly given: boolean }
  /** Connections without a request are kept so long for one that is on its way. */
  | { readonly type: "drain"; readonly timeoutMs: number; readonly lingerMs: number };

/** A version that ran when a worker broke. */
export interface Culprit {
  readonly endpoint: string;
  readonly version: string;
}

export interface Condemnation {
  readonly reason: Extract<RestartReason, "wedged" | "catastrophic" | "terminated">;
  readonly text: string;
  /** null: nobody's fault. */
  readonly culprit: Culprit | null;
}

export type ToSupervisor =
  /** First on each connection; `config` when it has been configured before, by this supervisor or another. */
  | {
      readonly type: "hello";
      readonly pid: number;
      readonly config: WorkerConfig | null;
      /** It drains and will end. */
      readonly ending: boolean;
    }
  | { readonly type: "listening"; readonly port: number }
  | { readonly type: "failed"; readonly error: ErrorData }
  | { readonly type: "read"; readonly revision: number }
  | { readonly type: "prepared"; readonly ask: number; readonly error: ErrorData | null }
  | { readonly type: "stats"; readonly ask: number; readonly stats: WorkerStats }
  | { readonly type: "metrics"; readonly ask: number; readonly samples: MetricSamples }
  | { readonly type: "explained"; readonly ask: number; readonly account: RequestAccount | null }
  | { readonly type: "called"; readonly ask: number; readonly result: PackedText | ErrorData }
  | { readonly type: "probed"; readonly ask: number; readonly result: ServiceProbe | ErrorData }
  /** null: the endpoint does not run there, and nothing has begun. */
  | { readonly type: "scheduled"; readonly ask: number; readonly end: ScheduledEnd | null }
  | { readonly type: "gateway-taken"; readonly ask: number; readonly error: ErrorData | null }
  | { readonly type: "purged"; readonly ask: number }
  /** `brisk`: it has served many short slices since the last. */
  | { readonly type: "beat"; readonly brisk: boolean }
  | { readonly type: "long"; readonly slices: LongSlices }
  /** This worker must be replaced. It still serves. Said again on each connection. */
  | { readonly type: "condemned"; readonly condemnation: Condemnation }
  | { readonly type: "drained" };
