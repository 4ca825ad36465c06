// What the control plane needs from outside; joined in the composition root.

import type { Blobs, Checker, Fleet, RegistryWriter } from "../sdk/node.ts";
import type { LimitOverrides } from "../sdk/limits.ts";
import type { Bundle } from "../sdk/publish.ts";
import type { BlobStore } from "./blobs.ts";
import type { Clock } from "./clock.ts";
import type { RouteClaim } from "./manifest.ts";

export interface ControlPorts {
  readonly registry: RegistryWriter;
  readonly blobs: Blobs & Pick<BlobStore, "collect">;
  readonly checker: Checker;
  readonly fleet: Fleet;
  readonly clock: Clock;
  /** Throws ROUTE_INVALID or ROUTE_CONFLICT. Gets every route of the node, the new ones last. */
  readonly checkRoutes: (routes: readonly RouteClaim[]) => void;
  /** Whether endpoints may name private hosts that they want to reach. */
  readonly egressMayBePrivate: boolean;
  /** The operator's ceilings of limits. */
  readonly limitMax: LimitOverrides;
  readonly bundleSource: (input: {
    readonly code: string;
    readonly filename: string;
  }) => Promise<Bundle>;
  /** Where the gateway answers, as "http://127.0.0.1:9080"; asked anew each time, port 0 is known late. */
  readonly gatewayUrl: () => string;
}
