// What the admin API stands on. It decides nothing about deployments: it parses, calls control and shows.

import type { Control } from "../control/control.ts";
import type { SecretControl } from "../control/secrets/secrets.ts";
import type { BindingControl } from "../control/services/bound.ts";
import type { ServiceControl } from "../control/services/services.ts";
import type { Crons } from "../sdk/schedule/schedule.ts";
import type { OperatorCall } from "../sdk/services/service.ts";
import type { Value } from "../sdk/services/values.ts";
import type { GatewayConfig } from "../sdk/gateway/config.ts";
import type { Purge } from "../sdk/gateway/purge.ts";
import type { UpstreamServers } from "../sdk/gateway/servers.ts";
import type { RouteTrace } from "../sdk/gateway/trace.ts";
import type { Blobs, Fleet, RegistryReader } from "../sdk/node.ts";

export interface GatewayView {
  /** In force. */
  config(): GatewayConfig;
  readonly servers: UpstreamServers;
  /** Over all routes of the node. */
  trace(asked: {
    readonly method: string;
    readonly host: string;
    readonly path: string;
  }): RouteTrace;
  /** In force in every worker when it resolves. */
  purge(purge: Purge): Promise<void>;
}

export interface AdminDeps {
  readonly control: Control;
  readonly services: ServiceControl;
  readonly secrets: SecretControl;
  readonly bindings: BindingControl;
  /** A call of a service as a handler that binds it makes it (runtime/worker/services/operator-calls.ts). */
  readonly callService: (call: OperatorCall, args: readonly Value[]) => Promise<Value>;
  readonly crons: Crons;
  readonly registry: RegistryReader;
  readonly blobs: Blobs;
  readonly gateway: GatewayView;
  readonly fleet: Fleet;
  readonly clock: { now(): number };
  readonly token: string;
  /** The release, shown by health. */
  readonly version: string;
  /** Workers that accept connections now. */
  readonly workersReady: () => number;
  /** Where the gateway answers, as "http://127.0.0.1:9080". */
  readonly gatewayUrl: () => string;
  /** The host the server is bound to; bound to loopback, requests under other names are refused. */
  readonly host: string;
  /** Takes failures that are the node's own; callers see their request id only. */
  readonly report: (error: unknown, requestId: string) => void;
}
