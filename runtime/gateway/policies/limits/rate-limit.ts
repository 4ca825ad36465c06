// Refuses with 429 what is beyond the limit of its key, counted over all workers of the node, or in a store that
// several nodes share.

import type { Decision } from "../../../../sdk/gateway/limits.ts";
import type { RateLimitPolicy } from "../../../../sdk/gateway/policies.ts";
import type { Policy, Step } from "../../chain.ts";
import type { ReplyHead } from "../../filtered-exchange.ts";
import type { Pass } from "../../pass.ts";
import type { LimitStore } from "../../shared/limit-stores.ts";
import type { PolicyHost } from "../contract.ts";
import { createKey } from "./key.ts";
import { createLimiter } from "./limiters.ts";

export type LimitHost = Pick<PolicyHost, "limits" | "stores" | "route" | "counted">;

export function createRateLimit(policy: RateLimitPolicy, host: LimitHost): Policy {
  return {
    onRequest: createTake(policy, host),
    onReply: (pass, head) => showLimit(pass, head, policy.id),
  };
}

/** Counts a request; false: it is refused, and answered. */
export function createTake(policy: RateLimitPolicy, host: LimitHost): Step {
  const { id } = policy;
  const decide = createLimiter(policy);
  const keyOf = createKey(policy.key, host.route);
  const judged = (pass: Pass, decision: Decision): boolean => judge(pass, decision, policy, host);
  const store = host.stores.named(policy.store);
  const local = (pass: Pass, key: string): boolean => judged(pass, host.limits.take(key, decide));
  if (store === undefined) return (pass) => local(pass, `${id}\n${keyOf(pass)}`);
  return async (pass) => {
    const key = `${id}\n${keyOf(pass)}`;
    const decision = await store.take(key, policy);
    if (decision !== "away") return judged(pass, decision);
    host.counted("edge_ratelimit_decisions_total", "unavailable");
    return withoutStore(pass, store, () => local(pass, key));
  };
}

/** What its configuration says of requests while it is away. */
export function withoutStore<T>(pass: Pass, { config }: LimitStore, local: () => T): T | boolean {
  switch (config.onFailure) {
    case "open":
      return true;
    case "local":
      return local();
    case "closed":
      pass.ticket.fail("LIMIT_UNAVAILABLE", `store ${config.name}`, "retry-after\n1\n");
      return false;
  }
}

function judge(
  pass: Pass,
  { allowed, remaining, resetMs, retryMs }: Decision,
  { id, capacity }: RateLimitPolicy,
  host: LimitHost,
): boolean {
  if (!allowed || remaining <= (pass.limit?.remaining ?? Number.POSITIVE_INFINITY)) {
    pass.limit = { id, limit: capacity, remaining, resetSec: seconds(resetMs) };
  }
  host.counted("edge_ratelimit_decisions_total", allowed ? "allowed" : "refused");
  if (allowed) return true;
  pass.ticket.fail("RATE_LIMITED", undefined, `retry-after\n${Math.max(1, seconds(retryMs))}\n`);
  return false;
}

/** On the reply of a request whose tightest limit is the one of this id. */
export function showLimit({ limit }: Pass, head: ReplyHead, id: string): void {
  if (limit === null || limit.id !== id) return;
  head.headers +=
    `ratelimit-limit\n${limit.limit}\nratelimit-remaining\n${limit.remaining}\n` +
    `ratelimit-reset\n${limit.resetSec}\n`;
}

/** A day stands for what never comes. */
function seconds(ms: number): number {
  return Math.min(86_400, Math.ceil(ms / 1_000));
}
