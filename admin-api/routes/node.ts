// The node as a whole: health, stats, metrics, what became of a request.

import type { Hono } from "hono";
import { EdgeError } from "../../sdk/errors.ts";
import type { WorkerStats } from "../../sdk/node.ts";
import type { AdminDeps } from "../deps.ts";
import { stateOf } from "../endpoint-view.ts";
import { queueSamples } from "../queues.ts";
import { respond, succeed, successOf, type AdminContext, type AdminEnv } from "../envelope.ts";

/** Prometheus' text format. */
const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Answers without a token. 503 until every worker has accepted once; afterwards only without any worker. */
export function healthHandler(deps: AdminDeps): (context: AdminContext) => Response {
  let wasHealthy = false;
  return (context) => {
    const ready = deps.workersReady();
    const isComplete = ready >= deps.fleet.size;
    wasHealthy ||= isComplete;
    const degraded = wasHealthy && ready > 0 ? "degraded" : "starting";
    const status = isComplete ? "healthy" : degraded;
    const data = { status, version: deps.version, workers: ready };
    const envelope = successOf(data, context.get("requestId"));
    if (status !== "starting") return respond(context, envelope, 200);
    const error = "The node is starting";
    return respond(context, { ...envelope, ok: false, success: false, error }, 503);
  };
}

export function addNodeRoutes(app: Hono<AdminEnv>, deps: AdminDeps): void {
  const startedAt = deps.clock.now();
  app.get("/api/stats", async (context) => {
    const workers = await deps.fleet.stats();
    const all = deps.registry.all();
    return succeed(context, {
      endpoints_total: all.length,
      endpoints_running: all.filter((each) => stateOf(each) === "loaded").length,
      endpoints_quarantined: all.filter((each) => stateOf(each) === "quarantined").length,
      requests_handled: workers.reduce((sum, { requestsTotal }) => sum + requestsTotal, 0),
      uptime_seconds: Math.floor((deps.clock.now() - startedAt) / 1000),
      ...isolateCounts(workers),
      workers,
      worker_restarts: deps.fleet.restarts(),
    });
  });
  app.get("/api/requests/:id", async (context) => {
    const id = context.req.param("id");
    const account = await deps.fleet.explain(id);
    if (account !== null) return succeed(context, account);
    throw new EdgeError("REQUEST_UNKNOWN", `No worker remembers request ${id.slice(0, 64)}`);
  });
  app.get("/metrics", async (context) => {
    context.header("content-type", METRICS_TYPE);
    return context.body(await deps.fleet.metrics(await queueSamples(deps)));
  });
}

/** The seeds' counts: handlers once each however many workers run them, requests over all workers. */
function isolateCounts(workers: readonly WorkerStats[]): Readonly<Record<string, number>> {
  const isolates = workers.flatMap((worker) => worker.isolates);
  const countOf = (state: "loaded" | "draining"): number =>
    new Set(
      isolates
        .filter((isolate) => isolate.state === state)
        .map(({ endpoint, generation }) => `${endpoint}/${generation}`),
    ).size;
  const draining = isolates.filter(({ state }) => state === "draining");
  return {
    loaded_count: countOf("loaded"),
    draining_count: countOf("draining"),
    active_requests: workers.reduce((sum, { inFlight }) => sum + inFlight, 0),
    draining_requests: draining.reduce((sum, { inFlight }) => sum + inFlight, 0),
  };
}
