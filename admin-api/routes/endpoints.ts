// Endpoints: the seeds' create, read, update, delete, code, compile, start and stop, and our versions,
// deployments and rollback. Each is addressed by its id or by its name.

import type { Hono } from "hono";
import { routesOf } from "../../control/manifest.ts";
import { parseInput } from "../../control/parse.ts";
import type { EndpointPatch } from "../../control/control.ts";
import { EdgeError } from "../../sdk/errors.ts";
import type { Deployed } from "../../sdk/records.ts";
import { BODY_BYTES_MAX, readJson } from "../body.ts";
import { findEndpoint } from "../address.ts";
import type { AdminDeps } from "../deps.ts";
import {
  deploymentViews,
  endpointView,
  stateOf,
  statusWord,
  versionViews,
  type EndpointView,
} from "../endpoint-view.ts";
import { succeed, type AdminContext, type AdminEnv } from "../envelope.ts";
import {
  codeSchema,
  createSchema,
  emptySchema,
  listSchema,
  rollbackSchema,
  routesOfCreate,
  routesOfUpdate,
  updateSchema,
  type ListQuery,
  type UpdateBody,
} from "../schemas.ts";

const COLLECTION = "/api/endpoints";
const ONE = "/api/endpoints/:id";

export function addEndpointRoutes(app: Hono<AdminEnv>, deps: AdminDeps): void {
  const { control, registry } = deps;
  const viewOf = (name: string): EndpointView => endpointView(named(deps, name), seenFrom(deps));

  app.get(COLLECTION, (context) => list(context, deps));

  app.post(COLLECTION, async (context) => {
    const body = parseInput(createSchema, await read(context));
    const created = await control.create({
      name: body.name,
      description: body.description ?? "",
      enabled: body.enabled ?? true,
      routes: routesOfCreate(body),
      draft: body.code ?? null,
    });
    return succeed(context, viewOf(created.name), 201);
  });

  app.get(ONE, (context) => {
    const found = addressed(context, deps);
    return succeed(context, endpointView(found, seenFrom(deps)));
  });

  app.put(ONE, async (context) => {
    const found = addressed(context, deps);
    const body = parseInput(updateSchema, await read(context));
    const updated = await control.update(found.endpoint.name, patchOf(body, found));
    return succeed(context, viewOf(updated.name));
  });

  app.delete(ONE, async (context) => {
    await control.remove(addressed(context, deps).endpoint.name);
    return succeed(context, null);
  });

  app.get(`${ONE}/versions`, (context) =>
    succeed(context, versionViews(registry, addressed(context, deps).endpoint.name)),
  );

  app.get(`${ONE}/deployments`, (context) =>
    succeed(context, deploymentViews(registry, addressed(context, deps).endpoint.name)),
  );

  app.post(`${ONE}/rollback`, async (context) => {
    const { endpoint } = addressed(context, deps);
    const body = parseInput(rollbackSchema, (await read(context)) ?? {});
    return succeed(context, await control.rollback(endpoint.name, body));
  });

  addCodeRoutes(app, deps);
}

function addCodeRoutes(app: Hono<AdminEnv>, deps: AdminDeps): void {
  const { control } = deps;

  app.get(`${ONE}/code`, (context) => {
    const { endpoint, versions } = addressed(context, deps);
    const [deployed] = versions;
    if (endpoint.draft !== null) return succeed(context, endpoint.draft);
    // Published from outside: the bundle is all the code there is here.
    const bundle = deployed === undefined ? null : deps.blobs.read(deployed.bundle);
    return succeed(context, bundle === null ? "" : Buffer.from(bundle).toString("utf8"));
  });

  app.put(`${ONE}/code`, async (context) => {
    const { endpoint } = addressed(context, deps);
    const { code } = parseInput(codeSchema, await read(context));
    await control.update(endpoint.name, { draft: code });
    return succeed(context, null);
  });

  app.post(`${ONE}/compile`, async (context) => {
    const { endpoint } = addressed(context, deps);
    await readNothing(context);
    const { id } = await control.compile(endpoint.name);
    return succeed(context, { status: "compiled", message: `Compiled to ${id}`, version: id });
  });

  app.post(`${ONE}/start`, async (context) => {
    const { endpoint } = addressed(context, deps);
    await readNothing(context);
    await control.start(endpoint.name);
    const { deployment, versions } = named(deps, endpoint.name);
    const live = { version: versions[0]?.id ?? null, generation: deployment?.generation ?? null };
    return succeed(context, { status: "running", ...live });
  });

  app.post(`${ONE}/stop`, async (context) => {
    const { endpoint } = addressed(context, deps);
    await readNothing(context);
    await control.stop(endpoint.name);
    return succeed(context, { status: "stopped" });
  });
}

function list(context: AdminContext, deps: AdminDeps): Response {
  const query = parseInput(listSchema, context.req.query());
  const found = deps.registry.all().filter((each) => isWanted(each, query));
  const from = (query.page - 1) * query.limit;
  const page = found.slice(from, from + query.limit);
  context.header("x-total-count", String(found.length));
  const seen = seenFrom(deps);
  return succeed(
    context,
    page.map((each) => endpointView(each, seen)),
  );
}

function seenFrom(deps: AdminDeps): { readonly gatewayUrl: string; readonly nowMs: number } {
  return { gatewayUrl: deps.gatewayUrl(), nowMs: deps.clock.now() };
}

function isWanted(each: Deployed, { domain, enabled, status }: ListQuery): boolean {
  const state = stateOf(each);
  const hosts = routesOf(each).map(({ host }) => host);
  if (domain !== undefined && !hosts.includes(domain.toLowerCase())) return false;
  if (enabled !== undefined && each.endpoint.enabled !== enabled) return false;
  return status === undefined || status === state || status === statusWord(state);
}

function patchOf(body: UpdateBody, found: Deployed): EndpointPatch {
  const routes = routesOfUpdate(body, routesOf(found));
  return {
    ...(body.name === undefined ? {} : { name: body.name }),
    ...(body.description === undefined ? {} : { description: body.description ?? "" }),
    ...(body.enabled === undefined ? {} : { enabled: body.enabled }),
    ...(body.code === undefined ? {} : { draft: body.code }),
    ...(routes === undefined ? {} : { routes }),
  };
}

function read(context: AdminContext): Promise<unknown> {
  return readJson(context.req.raw, BODY_BYTES_MAX);
}

async function readNothing(context: AdminContext): Promise<void> {
  parseInput(emptySchema, (await read(context)) ?? {});
}

function addressed(context: AdminContext, { registry }: AdminDeps): Deployed {
  return findEndpoint(registry, context.req.param("id") ?? "");
}

function named({ registry }: AdminDeps, name: string): Deployed {
  const found = registry.get(name);
  if (found === null) throw new EdgeError("ENDPOINT_NOT_FOUND");
  return found;
}
