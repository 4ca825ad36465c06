// The publish call of the admin API: POST /api/publish, body as PublishRequest in JSON. The CLI bundles where
// the author's node_modules are and uploads the result; code sent to the API as source is bundled by the node.
// With `Accept: application/x-ndjson` the answer is a line { stage } per step and the usual envelope last.

import type { BundleFormat, RouteSpec } from "./records.ts";
import type { Json, JsonObject } from "./errors.ts";
import type { Isolation } from "./isolation.ts";
import type { LimitOverrides } from "./limits.ts";
import type { BindingFaults } from "./services/faults.ts";
import type { Binding, QueueConsumer, ServiceKind } from "./services/service.ts";

/** As an author writes it: without a service it means the embedded one, without a scope one of the endpoint's own. */
export type BindingRequest =
  | {
      readonly kind: ServiceKind;
      readonly name: string;
      readonly service?: string;
      readonly scope?: string;
      readonly options?: JsonObject;
    }
  | Exclude<Binding, { readonly kind: ServiceKind }>;

export type ConsumerRequest = Pick<QueueConsumer, "queue"> & {
  readonly [field in keyof QueueConsumer]?: QueueConsumer[field];
};

export interface PublishRequest {
  readonly name: string;
  /** Empty: every host at /NAME and /NAME/*. */
  readonly routes: readonly RouteSpec[];
  readonly vars: { readonly [name: string]: Json };
  readonly limits: LimitOverrides;
  readonly trust?: "own" | "untrusted";
  readonly isolation?: Isolation;
  /** Private hosts to reach: HOST or HOST:PORT. */
  readonly egress?: readonly string[];
  readonly bindings?: readonly BindingRequest[];
  readonly consumers?: readonly ConsumerRequest[];
  /** When its `scheduled` runs (sdk/schedule/cron.ts). */
  readonly crons?: readonly string[];
  /** What is made to fail on purpose. */
  readonly faults?: BindingFaults;
  readonly drainTimeoutMs?: number;
  readonly message?: string;
  readonly format: BundleFormat;
  readonly code: string;
  /** Of `code` as UTF-8: an upload that was cut short is refused. */
  readonly codeSha256: string;
  readonly map: string | null;
  /** Milliseconds the client spent bundling, repeated in the answer's timings. */
  readonly bundleMs?: number;
  /** Check only; nothing is stored. */
  readonly dryRun?: boolean;
}

export type PublishStage = "check" | "snapshot" | "load" | "live";

export interface PublishResult {
  readonly endpoint: string;
  readonly version: string;
  readonly generation: number;
  readonly routes: readonly RouteSpec[];
  readonly urls: readonly string[];
  /** All that the handler sees: the version's, and those made through the API. */
  readonly bindings: readonly Binding[];
  readonly bundleBytes: number;
  readonly start: "full" | "quick" | "platform";
  readonly timingsMs: {
    readonly bundle: number;
    readonly check: number;
    readonly snapshot: number;
    readonly live: number;
    readonly total: number;
  };
}

/** One place in the author's source. */
export interface Diagnostic {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly text: string;
  readonly severity: "error" | "warning";
}

/** What a bundle is: the same for the CLI (which makes it) and the node (which runs it). */
export interface Bundle {
  readonly format: BundleFormat;
  readonly code: string;
  readonly map: string | null;
  /** Bytes per input file, largest first, for "what makes it large". */
  readonly inputs: readonly { readonly file: string; readonly bytes: number }[];
  readonly warnings: readonly Diagnostic[];
}

export function diagnosticsDetail(diagnostics: readonly Diagnostic[]): JsonObject {
  return { diagnostics: diagnostics.map((diagnostic) => ({ ...diagnostic })) };
}
