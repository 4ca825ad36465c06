// The admin API: what people and tools change a node through. Every answer is one envelope with a real status;
// every failure is a row of the error table; what is a bug of ours is reported with the request's id and shown
// as INTERNAL. It never sits on a request's path and may be slow; it may not be unbounded, so bodies, uploads
// and connections are.

import { randomUUID } from "node:crypto";
import { Hono } from "hono";
import { EdgeError } from "../sdk/errors.ts";
import type { AdminDeps } from "./deps.ts";
import { failureOf, respond, statusOf, type AdminEnv } from "./envelope.ts";
import { hostGuard, tokenGuard } from "./guard.ts";
import { addCronRoutes } from "./routes/crons.ts";
import { addEndpointRoutes } from "./routes/endpoints.ts";
import { addGatewayRoutes } from "./routes/gateway.ts";
import { addMailRoutes } from "./routes/mail.ts";
import { addNodeRoutes, healthHandler } from "./routes/node.ts";
import { addPublishRoute, reportIfOurs } from "./routes/publish.ts";
import { addQueueRoutes } from "./routes/queues.ts";
import { addSecretRoutes } from "./routes/secrets.ts";
import { addDatabaseRoutes } from "./routes/databases.ts";
import { addKvRoutes } from "./routes/kv.ts";
import { addObjectRoutes } from "./routes/objects.ts";
import { addServiceRoutes } from "./routes/services.ts";

export type AdminApp = Hono<AdminEnv>;

export function createAdminApi(deps: AdminDeps): AdminApp {
  const app = new Hono<AdminEnv>();
  app.onError((error, context) => {
    const requestId = context.get("requestId");
    reportIfOurs(deps, error, requestId);
    const status = statusOf(error);
    if (status === 401) context.header("www-authenticate", "Bearer");
    return respond(context, failureOf(error, requestId), status);
  });
  app.notFound(() => {
    throw new EdgeError("NOT_FOUND");
  });
  app.use(async (context, next) => {
    const requestId = randomUUID();
    context.set("requestId", requestId);
    context.header("x-request-id", requestId);
    context.header("cache-control", "no-store");
    context.header("x-content-type-options", "nosniff");
    await next();
  });
  app.use(hostGuard(deps.host));
  app.get("/api/health", healthHandler(deps));
  // Everything below needs the token, metrics too: they name every endpoint.
  app.use(tokenGuard(deps.token));
  addNodeRoutes(app, deps);
  addGatewayRoutes(app, deps);
  addPublishRoute(app, deps);
  addEndpointRoutes(app, deps);
  addServiceRoutes(app, deps);
  addObjectRoutes(app, deps);
  addDatabaseRoutes(app, deps);
  addKvRoutes(app, deps);
  addQueueRoutes(app, deps);
  addMailRoutes(app, deps);
  addSecretRoutes(app, deps);
  addCronRoutes(app, deps);
  return app;
}
