import { expect, test } from "vitest";
import { LatencyHistogram } from "../../../services/latency.ts";
import { metricsText } from "../../observe/metrics.ts";
import { serviceSamples } from "./samples.ts";

test("a service's counts are text that Prometheus reads, its buckets cumulative", () => {
  const { counts, sumMs } = filled([0.2, 0.3, 20_000]);
  const text = metricsText(
    serviceSamples([
      {
        kind: "kv",
        service: "main",
        ok: false,
        code: "SERVICE_TIMEOUT",
        message: "",
        open: true,
        running: 2,
        waiting: 5,
        calls: 10,
        failures: 3,
        restarts: 1,
        latency: { buckets: counts, sumMs },
      },
    ]),
  );
  const lines = text.split("\n");
  for (const line of [
    'edge_binding_ops_total{service="main",kind="kv",outcome="ok"} 7',
    'edge_binding_ops_total{service="main",kind="kv",outcome="failed"} 3',
    'edge_binding_queue_depth{service="main",kind="kv"} 5',
    'edge_binding_healthy{service="main",kind="kv"} 0',
    'edge_binding_seconds_bucket{service="main",kind="kv",le="0.00025"} 1',
    'edge_binding_seconds_bucket{service="main",kind="kv",le="0.0005"} 2',
    'edge_binding_seconds_bucket{service="main",kind="kv",le="10"} 2',
    'edge_binding_seconds_bucket{service="main",kind="kv",le="+Inf"} 3',
    'edge_binding_seconds_count{service="main",kind="kv"} 3',
  ]) {
    expect(lines).toContain(line);
  }
});

function filled(values: readonly number[]): LatencyHistogram {
  const histogram = new LatencyHistogram();
  for (const value of values) histogram.add(value);
  return histogram;
}
