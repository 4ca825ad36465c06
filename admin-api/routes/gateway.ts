// The gateway's configuration file as it is in force: upstreams with the state of their servers, and where a request
// would go. Secrets of policies are not shown.

import type { Hono } from "hono";
import { showServices } from "../../control/services/shown.ts";
import { EdgeError, type Json } from "../../sdk/errors.ts";
import type { GatewayConfig, UpstreamConfig } from "../../sdk/gateway/config.ts";
import type { ServerView, UpstreamServers } from "../../sdk/gateway/servers.ts";
import { shown } from "../../sdk/gateway/shown.ts";
import type { RouteTrace } from "../../sdk/gateway/trace.ts";
import type { ServerStats, WorkerStats } from "../../sdk/node.ts";
import { BODY_BYTES_MAX, readJson } from "../body.ts";
import type { AdminDeps } from "../deps.ts";
import { succeed, type AdminContext, type AdminEnv } from "../envelope.ts";

const TARGETS = "/api/upstreams/:name/targets";
const FILE_ROUTE = "route:";
/** A token, as HTTP has it. */
const METHOD = /^[!#$%&'*+.^`|~\w-]+$/;
/** Nobody means the host of `http:a` or `//a`. */
const ADDRESS = /^(?:https?:\/\/[^/]|\/(?!\/))/i;

export function addGatewayRoutes(app: Hono<AdminEnv>, deps: AdminDeps): void {
  app.get("/api/upstreams", async (context) => {
    const workers = await deps.fleet.stats();
    const { gateway } = deps;
    const views = gateway
      .config()
      .upstreams.map((upstream) =>
        upstreamView(upstream, gateway.servers.list(upstream.name), workers),
      );
    return succeed(context, views);
  });
  app.get("/api/upstreams/:name", async (context) => {
    const name = context.req.param("name");
    const servers = deps.gateway.servers.list(name);
    const upstream = deps.gateway.config().upstreams.find((one) => one.name === name);
    if (upstream === undefined) throw new EdgeError("UPSTREAM_NOT_FOUND");
    return succeed(context, upstreamView(upstream, servers, await deps.fleet.stats()));
  });
  addTargetRoutes(app, () => deps.gateway.servers);
  addCacheRoutes(app, deps);
  app.get("/api/routes", (context) => succeed(context, shown(deps.gateway.config().routes)));
  app.get("/api/policies", (context) => {
    const { routes } = deps.gateway.config();
    const all = routes.flatMap(({ name, policies }) =>
      policies.map((policy) => ({ route: name, policy })),
    );
    return succeed(context, shown(all));
  });
  app.get("/api/consumers", (context) =>
    succeed(context, shown(deps.gateway.config().consumers, "consumers")),
  );
  app.get("/api/config", (context) => {
    const services = showServices(deps.registry.services());
    return succeed(context, shown({ ...deps.gateway.config(), services }));
  });
  app.get("/api/routes/test", (context) => {
    const method = (context.req.query("method") ?? "GET").toUpperCase();
    const text = context.req.query("url") ?? "";
    if (!METHOD.test(method)) throw new EdgeError("INPUT_INVALID", `"${method}" is no method`);
    const url = ADDRESS.test(text) ? URL.parse(text, deps.gatewayUrl()) : null;
    if (url === null) {
      const message = `"${text}" is neither an address such as http://HOST/PATH nor a path that begins with /`;
      throw new EdgeError("INPUT_INVALID", message);
    }
    const asked = { method, host: url.hostname, path: url.pathname };
    return succeed(context, traceView(deps.gateway.trace(asked), deps.gateway.config()));
  });
}

function addCacheRoutes(app: Hono<AdminEnv>, { gateway, clock }: AdminDeps): void {
  app.post("/api/cache/purge", async (context) => {
    const asked = Object(await readJson(context.req.raw, BODY_BYTES_MAX)) as Record<
      string,
      unknown
    >;
    const { route, host = "", prefix = "/" } = asked;
    const found = gateway.config().routes.find(({ name }) => name === route);
    if (found?.policies.some(({ kind }) => kind === "cache") !== true) {
      const named = typeof route === "string" ? `"${route}"` : "route";
      throw new EdgeError("INPUT_INVALID", `${named} is no route of the file with a cache policy`);
    }
    if (typeof host !== "string" || typeof prefix !== "string" || !prefix.startsWith("/")) {
      const message = "host is a name, prefix the beginning of a path, with its /";
      throw new EdgeError("INPUT_INVALID", message);
    }
    const purge = { route: found.name, host: host.toLowerCase(), prefix, atMs: clock.now() };
    await gateway.purge(purge);
    return succeed(context, { ...purge });
  });
}

function addTargetRoutes(app: Hono<AdminEnv>, servers: () => UpstreamServers): void {
  const read = (context: AdminContext): Promise<unknown> =>
    readJson(context.req.raw, BODY_BYTES_MAX);
  app.get(TARGETS, (context) => succeed(context, servers().list(context.req.param("name"))));
  app.put(TARGETS, async (context) => {
    return succeed(context, await servers().put(context.req.param("name"), await read(context)));
  });
  app.patch(TARGETS, async (context) => {
    return succeed(context, await servers().change(context.req.param("name"), await read(context)));
  });
  app.delete(TARGETS, async (context) => {
    await servers().remove(context.req.param("name"), context.req.query("url"));
    return succeed(context, null);
  });
}

function upstreamView(
  { name, balance }: UpstreamConfig,
  servers: readonly ServerView[],
  workers: readonly WorkerStats[],
): Json {
  const here = workers.flatMap(({ upstreams }) =>
    upstreams.filter(({ upstream }) => upstream === name),
  );
  return {
    name,
    balance,
    retries: here.reduce((sum, { retries }) => sum + retries, 0),
    servers: servers.map((server) => {
      const seen = here.flatMap((one) => one.servers.filter(({ url }) => url === server.url));
      return { ...server, ...serverView(seen) };
    }),
  };
}

/** Counts are sums over workers; what all workers know together is the same in each. */
function serverView(seen: readonly ServerStats[]): { readonly [name: string]: Json } {
  const sum = (of: (server: ServerStats) => number): number =>
    seen.reduce((total, server) => total + of(server), 0);
  const latencies = seen.map(({ latencyMs }) => latencyMs).filter((ms) => ms > 0);
  return {
    healthy: seen[0]?.healthy ?? true,
    breaker: seen[0]?.breaker ?? "closed",
    active: sum(({ active }) => active),
    requests: sum(({ requests }) => requests),
    failures: sum(({ failures }) => failures),
    latencyMs: latencies.length === 0 ? null : latencies.reduce((a, b) => a + b) / latencies.length,
  };
}

function traceView(trace: RouteTrace, config: GatewayConfig): Json {
  const { outcome, owner, params, allow } = trace;
  const isFile = owner?.startsWith(FILE_ROUTE) === true;
  const name = isFile ? owner.slice(FILE_ROUTE.length) : null;
  const route = config.routes.find((one) => one.name === name);
  const target = route?.target;
  return {
    outcome,
    route: name,
    endpoint: isFile ? (target?.kind === "endpoint" ? target.endpoint : null) : owner,
    upstream: target?.kind === "upstream" ? target.upstream : null,
    target: target?.kind ?? (owner === null ? null : "endpoint"),
    policies: route?.policies.map(({ kind }) => kind) ?? [],
    params,
    allow: [...allow],
    candidates: trace.candidates.map((one) => ({ ...one })),
  };
}
