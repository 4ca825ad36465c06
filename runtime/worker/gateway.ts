// The gateway as this worker has it, and its numbers for the metrics.

import { join } from "node:path";
import { Gateway } from "../gateway/gateway.ts";
import type { RunPolicy } from "../gateway/policies/custom/outcome.ts";
import { openNodeStore } from "../gateway/shared/store.ts";
import { SHARED_FOLDER } from "../link/places.ts";
import type { Log } from "../observe/log.ts";
import type { Samples } from "../observe/metrics.ts";
import { openLimitStore } from "./stores/limit-store.ts";
import { openReplyStore } from "./stores/reply-store.ts";

/** Beside the folders of services, whose names are ids. */
const REPLIES = "gateway-replies";

export function openGateway(data: string, log: Log, runPolicy: RunPolicy): Gateway {
  return new Gateway({
    runPolicy,
    openLimitStore,
    openReplies: () => openReplyStore(join(data, "services", REPLIES)),
    openStore: () => openNodeStore(join(data, SHARED_FOLDER)),
    log: (level, text) => log.write(level, text),
  });
}

export function gatewaySamples(gateway: Gateway): Samples {
  const samples: Samples = {};
  const add = (metric: string, labels: string, value: number): void => {
    (samples[metric] ??= {})[labels] = value;
  };
  for (const { upstream, servers, retries } of gateway.upstreams()) {
    add("edge_retries_total", `upstream="${upstream}"`, retries);
    for (const server of servers) {
      const labels = `upstream="${upstream}",target="${server.url}"`;
      add("edge_upstream_requests_total", labels, server.requests);
      add("edge_upstream_failures_total", labels, server.failures);
      add("edge_upstream_inflight", labels, server.active);
      add("edge_upstream_healthy", labels, server.healthy ? 1 : 0);
      add("edge_breaker_state", `${labels},state="${server.breaker}"`, 1);
    }
  }
  for (const [key, value] of gateway.counts) {
    const [metric = "", labels = ""] = key.split("\n");
    add(metric, labels, value);
  }
  return samples;
}
