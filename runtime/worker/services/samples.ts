// What a worker's services did, as samples of metrics (runtime/observe/metrics.ts).

import type { ServiceStats } from "../../../sdk/node.ts";
import { LATENCY_BOUNDS_MS } from "../../../services/latency.ts";
import type { Samples } from "../../observe/metrics.ts";

export function serviceSamples(services: readonly ServiceStats[]): Samples {
  const samples = {
    edge_binding_ops_total: {} as Record<string, number>,
    edge_binding_seconds: {} as Record<string, number>,
    edge_binding_running: {} as Record<string, number>,
    edge_binding_queue_depth: {} as Record<string, number>,
    edge_binding_healthy: {} as Record<string, number>,
    edge_binding_restarts_total: {} as Record<string, number>,
  };
  for (const stats of services) {
    const label = `service="${stats.service}",kind="${stats.kind}"`;
    const { calls, failures, latency } = stats;
    samples.edge_binding_ops_total[`${label},outcome="ok"`] = calls - failures;
    samples.edge_binding_ops_total[`${label},outcome="failed"`] = failures;
    samples.edge_binding_running[label] = stats.running;
    samples.edge_binding_queue_depth[label] = stats.waiting;
    samples.edge_binding_healthy[label] = stats.ok ? 1 : 0;
    samples.edge_binding_restarts_total[label] = stats.restarts;
    addHistogram(samples.edge_binding_seconds, label, latency);
  }
  return samples;
}

function addHistogram(
  into: Record<string, number>,
  label: string,
  { buckets, sumMs }: ServiceStats["latency"],
): void {
  let below = 0;
  buckets.forEach((count, index) => {
    below += count;
    const bound = LATENCY_BOUNDS_MS[index];
    const le = bound === undefined ? "+Inf" : `${bound / 1_000}`;
    into[`_bucket{${label},le="${le}"}`] = below;
  });
  into[`_sum{${label}}`] = sumMs / 1_000;
  into[`_count{${label}}`] = below;
}
