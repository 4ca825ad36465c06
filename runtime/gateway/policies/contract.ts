// What policies are given when they are made.

import type { Clock } from "../clock.ts";
import type { Pass } from "../pass.ts";
import type { Consumers } from "./auth/consumers.ts";
import type { RunPolicy } from "./custom/outcome.ts";
import type { ReplyStore } from "../shared/reply-store.ts";
import type { LagMeter } from "./limits/lag-meter.ts";
import type { WaitingRoom } from "./limits/waiting-room.ts";
import type { LimitCells } from "../shared/limit-cells.ts";
import type { LimitStores } from "../shared/limit-stores.ts";
import type { OpenCounts } from "../shared/open-counts.ts";

export interface InFlight {
  readonly open: OpenCounts;
  readonly waiting: WaitingRoom;
}

export interface PolicyHost {
  readonly limits: LimitCells;
  /** For those limits that other nodes count in too. */
  readonly stores: LimitStores;
  readonly consumers: Consumers;
  /** Begins to measure when a policy first asks. */
  readonly lag: () => LagMeter;
  /** Made when a policy first counts what is open. */
  readonly inFlight: () => InFlight;
  /** Of the wall, for tokens. */
  readonly wallClock: Clock;
  readonly runPolicy: RunPolicy;
  readonly random: () => number;
  /** Opened when somebody asks. */
  readonly replies: () => Promise<ReplyStore>;
  /** Sends a request to an upstream, whatever the route's target is. */
  readonly proxy: (upstream: string, pass: Pass) => void;
  /** Name of the route. */
  readonly route: string;
  /** Counted for the metrics. */
  readonly counted: (metric: PolicyMetric, label: string) => void;
}

export type PolicyMetric =
  | "edge_ratelimit_decisions_total"
  | "edge_auth_failures_total"
  | "edge_mirror_requests_total";
