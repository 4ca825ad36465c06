import { expect, test } from "vitest";
import { RequestMetrics } from "./metrics.ts";

test("an endpoint that is gone leaves no series, and one that comes back counts anew", () => {
  const metrics = new RequestMetrics();
  for (const endpoint of ["stays", "goes"]) {
    metrics.ended(endpoint, "ok", 200, 1, 1);
    metrics.terminated(endpoint, "memory");
    metrics.recycled(endpoint, "age");
    metrics.evicted(endpoint, "idle");
  }
  metrics.forget("goes");
  expect(JSON.stringify(metrics.samples())).not.toContain("goes");
  expect(metrics.total).toBe(2);
  metrics.ended("goes", "ok", 200, 1, 1);
  metrics.ended("stays", "ok", 200, 1, 1);
  expect(metrics.samples()["edge_http_requests_total"]).toEqual({
    'endpoint="stays",outcome="ok",class="2xx"': 2,
    'endpoint="goes",outcome="ok",class="2xx"': 1,
  });
  expect(metrics.samples()["edge_isolate_recycles_total"]).toEqual({
    'endpoint="stays",reason="age"': 1,
  });
});
