// Policies that say how much.

import { z } from "zod";
import {
  ALGORITHMS,
  PRIORITIES,
  type KeySource,
  type PolicyConfig,
  type RateLimitPolicy,
} from "../../../sdk/gateway/policies.ts";
import { count, duration, keyField, nameField, oneOf, size } from "../fields.ts";

/** A bucket of more is no limit. */
const CAPACITY_MAX = 1_000_000_000;
const RATE = "a number above 0";

const limitFields = {
  algorithm: oneOf(ALGORITHMS).default("token-bucket"),
  capacity: count(0, CAPACITY_MAX),
  refillPerSec: z.number({ error: RATE }).positive(RATE).max(CAPACITY_MAX, RATE).optional(),
  window: duration().optional(),
  store: nameField.optional(),
};
const limit = z.strictObject(limitFields);

export const rateLimit: z.ZodType<PolicyConfig, unknown> = z
  .strictObject({ ...limitFields, key: keyField.default([{ kind: "ip", name: "" }]) })
  .transform(({ key, ...fields }, context): PolicyConfig => limitOf(fields, key, context));

/** Of a consumer: who it is counted for is not a question. */
export const consumerLimit: z.ZodType<RateLimitPolicy, unknown> = limit.transform(
  (fields, context) => limitOf(fields, [{ kind: "consumer", name: "" }], context),
);

function limitOf(
  fields: z.output<typeof limit>,
  key: readonly KeySource[],
  context: z.core.$RefinementCtx,
): RateLimitPolicy {
  const { algorithm, capacity, refillPerSec, window, store } = fields;
  const isWindow = algorithm === "fixed-window" || algorithm === "sliding-window";
  const [needed, odd] = isWindow ? ["window", "refillPerSec"] : ["refillPerSec", "window"];
  const given = isWindow ? window : refillPerSec;
  if (given === undefined) {
    const message = isWindow ? "a duration such as 1m (window)" : `${RATE} (refillPerSec)`;
    context.addIssue({ code: "custom", path: [needed ?? ""], message });
  }
  if ((isWindow ? refillPerSec : window) !== undefined) {
    const message = `nothing here: ${algorithm} has no ${odd}`;
    context.addIssue({ code: "custom", path: [odd ?? ""], message });
  }
  return {
    kind: "rateLimit",
    id: "",
    algorithm,
    capacity,
    refillPerSec: refillPerSec ?? 0,
    windowMs: window ?? 0,
    key,
    store: store ?? "",
  };
}

/** More connections than a node has. */
const OPEN_MAX = 1_000_000;
/** Of requests that wait; more of them would have to wait too long. */
const QUEUE_MAX = 10_000;

export const concurrency: z.ZodType<PolicyConfig, unknown> = z
  .strictObject({
    max: count(1, OPEN_MAX),
    key: keyField.default([{ kind: "route", name: "" }]),
    queue: z
      .strictObject({ max: count(1, QUEUE_MAX), timeout: duration().default(1_000) })
      .optional(),
    store: nameField.optional(),
  })
  .refine(({ queue, store }) => queue === undefined || store === undefined, {
    error: "a queue or a store, since nobody is told when another node has a place",
  })
  .transform(({ max, key, queue, store }): PolicyConfig => ({
    kind: "concurrency",
    store: store ?? "",
    id: "",
    max,
    key,
    queueMax: queue?.max ?? 0,
    timeoutMs: queue?.timeout ?? 0,
  }));

export const loadShed: z.ZodType<PolicyConfig, unknown> = z
  .strictObject({
    maxLag: duration(10).default(100),
    priority: oneOf(PRIORITIES).default("normal"),
  })
  .transform(({ maxLag, priority }): PolicyConfig => ({
    kind: "loadShed",
    maxLagMs: maxLag,
    priority,
  }));

export const bodyLimit: z.ZodType<PolicyConfig, unknown> = z
  .strictObject({ max: size() })
  .transform(({ max }): PolicyConfig => ({ kind: "bodyLimit", bytesMax: max }));

export const timeout: z.ZodType<PolicyConfig, unknown> = z
  .strictObject({ total: duration() })
  .transform(({ total }): PolicyConfig => ({ kind: "timeout", totalMs: total }));
