// Queues by an operator: which there are and how full, what lies in one, back to where dead letters came from, away.
// `{name}` is a queue as bindings and consumers name it, or a service with `scope`.

import { isUtf8 } from "node:buffer";
import type { Hono } from "hono";
import { parseInput } from "../../control/parse.ts";
import { EdgeError, type Json, type JsonObject } from "../../sdk/errors.ts";
import { QUEUE_PEEK_MAX, QUEUE_REDRIVE_MAX } from "../../sdk/services/queue.ts";
import type { Value } from "../../sdk/services/values.ts";
import { BODY_BYTES_MAX, readJson } from "../body.ts";
import type { AdminDeps } from "../deps.ts";
import { succeed, type AdminContext, type AdminEnv } from "../envelope.ts";
import { findPart, type Part } from "../part.ts";
import { ageSeconds, queuesOf, standingOf, standings, type KnownQueue } from "../queues.ts";
import { redriveSchema } from "../schemas.ts";

const ALL = "/api/queues";
const ONE = "/api/queues/:name";
const PEEKED = 20;

/** As services/queue/operator.ts gives it. */
type Peeked = readonly [
  id: string,
  timestampMs: number,
  attempts: number,
  contentType: string,
  state: string,
  body: Uint8Array,
];

export function addQueueRoutes(app: Hono<AdminEnv>, deps: AdminDeps): void {
  const partOf = (context: AdminContext, scope = context.req.query("scope")): Part =>
    findPart(deps, "queue", { name: context.req.param("name") ?? "", scope });
  const ask = (part: Part, method: string, args: readonly Value[]): Promise<Value> =>
    deps.callService({ kind: "queue", ...part, method }, args);

  app.get(ALL, async (context) => {
    const all = await standings(deps, queuesOf(deps.registry));
    const views = all.map(([known, standing]) =>
      "messages" in standing
        ? { ...knownView(known), ...standingView(deps, standing), error: null }
        : { ...knownView(known), error: { code: standing.code, message: standing.message } },
    );
    return succeed(context, views);
  });

  app.get(ONE, async (context) => {
    const known = knownOf(deps, partOf(context));
    const standing = await standingOf(deps, known);
    return succeed(context, { ...knownView(known), ...standingView(deps, standing) });
  });

  app.get(`${ONE}/messages`, async (context) => {
    const part = partOf(context);
    const limit = Number(context.req.query("limit") ?? PEEKED);
    if (!Number.isInteger(limit) || limit < 1 || limit > QUEUE_PEEK_MAX) {
      const text = `a whole number from 1 to ${QUEUE_PEEK_MAX}`;
      const detail = { fields: [{ field: "limit", text }] };
      throw new EdgeError("INPUT_INVALID", `limit: ${text}`, { detail });
    }
    const found = (await ask(part, "peek", [limit])) as unknown as readonly Peeked[];
    return succeed(context, { ...queueView(part), messages: found.map(messageView) });
  });

  app.post(`${ONE}/redrive`, async (context) => {
    const body = await readJson(context.req.raw, BODY_BYTES_MAX);
    const { to: given, max = QUEUE_REDRIVE_MAX, scope } = parseInput(redriveSchema, body ?? {}, {});
    const part = partOf(context, scope);
    const to = given ?? originOf(knownOf(deps, part));
    const moved = Number(await ask(part, "redrive", [to, max]));
    return succeed(context, { ...queueView(part), to, moved });
  });

  app.delete(`${ONE}/messages`, async (context) => {
    const part = partOf(context);
    return succeed(context, { ...queueView(part), purged: Number(await ask(part, "purge", [])) });
  });
}

/** One that no endpoint names has nobody, and may have messages all the same. */
function knownOf({ registry }: AdminDeps, { service, scope }: Part): KnownQueue {
  const known = queuesOf(registry).find((each) => each.service === service && each.queue === scope);
  return known ?? { service, queue: scope, producers: [], consumer: null, deadLettersOf: [] };
}

function originOf({ queue, deadLettersOf }: KnownQueue): string {
  const [only, second] = deadLettersOf;
  if (only !== undefined && second === undefined) return only;
  const text =
    only === undefined
      ? `no consumer leaves its dead letters in ${queue}: name a queue`
      : `${deadLettersOf.join(" and ")} have their dead letters in ${queue}: name one`;
  const detail = { fields: [{ field: "to", text }] };
  throw new EdgeError("INPUT_INVALID", `to: ${text}`, { detail });
}

function queueView({ service, scope }: Part): JsonObject {
  return { service, queue: scope };
}

function knownView({ service, queue, producers, consumer, deadLettersOf }: KnownQueue): JsonObject {
  return {
    service,
    queue,
    producers: [...producers],
    consumer,
    dead_letters_of: [...deadLettersOf],
  };
}

function standingView(
  { clock }: AdminDeps,
  standing: Awaited<ReturnType<typeof standingOf>>,
): JsonObject {
  const { messages, ready, delayed, taken, bytes } = standing;
  const oldest_seconds = ageSeconds(standing, clock.now());
  return { messages, ready, delayed, in_flight: taken, bytes, oldest_seconds };
}

function messageView([id, timestampMs, attempts, type, state, bytes]: Peeked): Json {
  const body = Buffer.from(bytes);
  return {
    id,
    state,
    attempts,
    sent_at: new Date(timestampMs).toISOString(),
    content_type: type,
    bytes: body.byteLength,
    ...(isUtf8(body) ? { body: body.toString("utf8") } : { base64: body.toString("base64") }),
  };
}
