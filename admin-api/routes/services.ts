// Services of the node and which endpoints see them: the seeds' shapes. Secrets of configurations are in no answer.

import type { Hono } from "hono";
import { bindingsOf } from "../../control/services/bindings.ts";
import { showConfig } from "../../control/services/sealing.ts";
import { typeTitle, type ServiceTest } from "../../control/services/services.ts";
import { parseInput } from "../../control/parse.ts";
import type { JsonObject } from "../../sdk/errors.ts";
import type { Binding, ServiceRecord, ServiceState } from "../../sdk/services/service.ts";
import { findEndpoint } from "../address.ts";
import { BODY_BYTES_MAX, readJson } from "../body.ts";
import type { AdminDeps } from "../deps.ts";
import { succeed, type AdminContext, type AdminEnv } from "../envelope.ts";
import { bindSchema, createServiceSchema, emptySchema, updateServiceSchema } from "../schemas.ts";

const COLLECTION = "/api/services";
const ONE = "/api/services/:id";
const BOUND = "/api/endpoints/:id/services";

export function addServiceRoutes(app: Hono<AdminEnv>, deps: AdminDeps): void {
  const { services, registry } = deps;
  const found = (context: AdminContext): ServiceRecord =>
    services.find(context.req.param("id") ?? "");
  const viewOf = (service: ServiceRecord): ServiceView =>
    serviceView(service, services.users(service));

  app.get(COLLECTION, (context) => succeed(context, registry.services().map(viewOf)));

  app.post(COLLECTION, async (context) => {
    const body = parseInput(createServiceSchema, await read(context), {});
    const { name, service_type: type, config = {}, enabled = true } = body;
    const state: ServiceState = enabled ? "created" : "deactivated";
    return succeed(context, viewOf(await services.create({ name, type, config, state })), 201);
  });

  app.get(ONE, (context) => succeed(context, viewOf(found(context))));

  app.put(ONE, async (context) => {
    const service = found(context);
    const { enabled, ...patch } = parseInput(updateServiceSchema, await read(context), {});
    const state = enabled === undefined ? service.state : stateOf(enabled, service.state);
    return succeed(context, viewOf(await services.update(service.id, { ...patch, state })));
  });

  app.delete(ONE, async (context) => {
    await services.remove(found(context).id);
    return succeed(context, null);
  });

  app.post(`${ONE}/test`, async (context) => {
    await readNothing(context);
    const service = found(context);
    return succeed(context, testView(service, await services.test(service.id)));
  });

  for (const [verb, active] of [["activate", true] as const, ["deactivate", false] as const]) {
    app.post(`${ONE}/${verb}`, async (context) => {
      await readNothing(context);
      const state = active ? "available" : "deactivated";
      const { id, name, type } = await services.update(found(context).id, { state });
      const did = active ? "started successfully" : "stopped";
      const message = `${typeTitle(type)} service actor ${did}`;
      return succeed(context, { id, name, service_type: type, active, message });
    });
  }

  addBoundRoutes(app, deps);
}

function addBoundRoutes(app: Hono<AdminEnv>, { services, bindings, registry }: AdminDeps): void {
  app.get(BOUND, (context) => {
    const { endpoint, versions } = findEndpoint(registry, context.req.param("id") ?? "");
    const all = bindingsOf(endpoint, versions[0]?.manifest);
    const ids = new Map(registry.services().map(({ name, id }) => [name, id]));
    return succeed(
      context,
      all.map((binding) => ({
        ...boundView(binding, ids),
        source: endpoint.bindings?.includes(binding) === true ? "api" : "version",
      })),
    );
  });

  app.post(BOUND, async (context) => {
    const { endpoint } = findEndpoint(registry, context.req.param("id") ?? "");
    const {
      service_id: address,
      pool_id: alias,
      ...more
    } = parseInput(bindSchema, await read(context));
    const service = services.find(address);
    const binding = await bindings.bind(endpoint.name, service, { alias, ...more });
    const ids = new Map([[service.name, service.id]]);
    return succeed(context, { ...boundView(binding, ids), source: "api" }, 201);
  });

  app.delete(`${BOUND}/:service`, async (context) => {
    const { endpoint } = findEndpoint(registry, context.req.param("id") ?? "");
    await bindings.unbind(endpoint.name, services.find(context.req.param("service")));
    return succeed(context, null);
  });
}

/** Disabling deactivates; what was disabled has to be activated again. */
function stateOf(enabled: boolean, present: ServiceState): ServiceState {
  if (!enabled) return "deactivated";
  return present === "deactivated" ? "created" : present;
}

interface ServiceView {
  readonly id: string;
  readonly name: string;
  readonly service_type: string;
  readonly config: JsonObject;
  readonly enabled: boolean;
  readonly state: ServiceState;
  readonly origin: "api" | "file";
  /** Names of those that use it. */
  readonly endpoints: readonly string[];
  readonly created_at: string;
  readonly updated_at: string;
}

function serviceView(service: ServiceRecord, endpoints: readonly string[]): ServiceView {
  const { id, name, type, state } = service;
  return {
    id,
    name,
    service_type: type,
    config: showConfig(service.config),
    enabled: state !== "deactivated",
    state,
    origin: service.origin ?? "api",
    endpoints,
    created_at: service.createdAt,
    updated_at: service.updatedAt,
  };
}

function testView({ id, name, type }: ServiceRecord, result: ServiceTest): JsonObject {
  const service = { id, name, service_type: type };
  if (!result.connected) {
    const { code, message } = result;
    const nothing = { info: null, latency_ms: null };
    return { ...service, connected: false, error: message, code, ...nothing, message };
  }
  const { version, latencyMs } = result;
  const message = `Connected to ${version}`;
  return {
    ...service,
    connected: true,
    error: null,
    info: version,
    latency_ms: Math.round(1_000 * latencyMs) / 1_000,
    message,
  };
}

function boundView(binding: Binding, ids: ReadonlyMap<string, string>): object {
  const { name, kind } = binding;
  if (!("service" in binding)) return { pool_id: name, ...binding };
  const { service, scope, options } = binding;
  return {
    pool_id: name,
    kind,
    service,
    service_id: ids.get(service) ?? null,
    scope,
    ...(options === undefined ? {} : { options }),
  };
}

function read(context: AdminContext): Promise<unknown> {
  return readJson(context.req.raw, BODY_BYTES_MAX);
}

async function readNothing(context: AdminContext): Promise<void> {
  parseInput(emptySchema, (await read(context)) ?? {});
}
