// Crons of deployed endpoints: what runs next, what came of the last run, and a run by hand.

import type { Hono } from "hono";
import { parseInput } from "../../control/parse.ts";
import type { Json } from "../../sdk/errors.ts";
import type { CronRun, CronView } from "../../sdk/schedule/schedule.ts";
import { findEndpoint } from "../address.ts";
import { BODY_BYTES_MAX, readJson } from "../body.ts";
import type { AdminDeps } from "../deps.ts";
import { succeed, type AdminEnv } from "../envelope.ts";
import { cronRunSchema } from "../schemas.ts";

export function addCronRoutes(app: Hono<AdminEnv>, { crons, registry }: AdminDeps): void {
  app.get("/api/crons", (context) => succeed(context, crons.list().map(cronView)));

  app.post("/api/crons/:endpoint/run", async (context) => {
    const { name } = findEndpoint(registry, context.req.param("endpoint")).endpoint;
    const body = parseInput(cronRunSchema, await readJson(context.req.raw, BODY_BYTES_MAX), {});
    return succeed(context, runView(await crons.run(name, body.cron)));
  });
}

function cronView({ endpoint, cron, nextMs, last }: CronView): Json {
  return { endpoint, cron, next_at: timeOf(nextMs), last: last === null ? null : runView(last) };
}

function runView({ endpoint, cron, scheduledTime, end }: CronRun): Json {
  const outcome = end === null ? "lost" : end.outcome;
  const at = timeOf(scheduledTime);
  return { endpoint, cron, scheduled_at: at, outcome, duration_ms: end?.durationMs ?? null };
}

function timeOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
