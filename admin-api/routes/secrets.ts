// Secrets of endpoints and of the node: written and named, never read.

import type { Hono } from "hono";
import { parseInput } from "../../control/parse.ts";
import { findEndpoint } from "../address.ts";
import { BODY_BYTES_MAX, readJson } from "../body.ts";
import type { AdminDeps } from "../deps.ts";
import { succeed, type AdminContext, type AdminEnv } from "../envelope.ts";
import { secretOwnerSchema, secretSchema, secretsSchema } from "../schemas.ts";

const COLLECTION = "/api/secrets";

export function addSecretRoutes(app: Hono<AdminEnv>, { secrets, registry }: AdminDeps): void {
  /** null: the node itself. */
  const ownerOf = (address: string | undefined): string | null =>
    address === undefined ? null : findEndpoint(registry, address).endpoint.name;
  const asked = (context: AdminContext): string | null =>
    ownerOf(parseInput(secretOwnerSchema, context.req.query()).endpoint);

  app.get(COLLECTION, (context) => {
    const endpoint = asked(context);
    const names = secrets.list(endpoint).map(({ name, updatedAt }) => {
      return { name, endpoint, updated_at: updatedAt };
    });
    return succeed(context, names);
  });

  app.put(COLLECTION, async (context) => {
    const body = parseInput(secretSchema, await readJson(context.req.raw, BODY_BYTES_MAX), {});
    const endpoint = ownerOf(body.endpoint);
    await secrets.put(endpoint, { [body.name]: body.value });
    return succeed(context, { name: body.name, endpoint });
  });

  app.post(COLLECTION, async (context) => {
    const body = parseInput(secretsSchema, await readJson(context.req.raw, BODY_BYTES_MAX));
    const endpoint = ownerOf(body.endpoint);
    await secrets.put(endpoint, body.secrets);
    return succeed(context, { endpoint, names: Object.keys(body.secrets) });
  });

  app.delete(`${COLLECTION}/:name`, async (context) => {
    await secrets.put(asked(context), { [context.req.param("name")]: null });
    return succeed(context, null);
  });
}
