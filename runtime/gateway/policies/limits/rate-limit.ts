// Refuses with 429 what is beyond the limit of its key, counted over all workers of the node.

import type { RateLimitPolicy } from "../../../../sdk/gateway/policies.ts";
import type { Policy } from "../../chain.ts";
import type { ReplyHead } from "../../filtered-exchange.ts";
import type { Pass } from "../../pass.ts";
import type { PolicyHost } from "../contract.ts";
import { createKey } from "./key.ts";
import { createLimiter } from "./limiters.ts";

export type LimitHost = Pick<PolicyHost, "limits" | "route" | "counted">;

export function createRateLimit(policy: RateLimitPolicy, host: LimitHost): Policy {
  return {
    onRequest: createTake(policy, host),
    onReply: (pass, head) => showLimit(pass, head, policy.id),
  };
}

/** Counts a request; false: it is refused, and answered. */
export function createTake(policy: RateLimitPolicy, host: LimitHost): (pass: Pass) => boolean {
  const { id, capacity } = policy;
  const decide = createLimiter(policy);
  const key = createKey(policy.key, host.route);
  return (pass) => {
    const { allowed, remaining, resetMs, retryMs } = host.limits.take(
      `${id}\n${key(pass)}`,
      decide,
    );
    if (!allowed || remaining <= (pass.limit?.remaining ?? Number.POSITIVE_INFINITY)) {
      pass.limit = { id, limit: capacity, remaining, resetSec: seconds(resetMs) };
    }
    host.counted("edge_ratelimit_decisions_total", allowed ? "allowed" : "refused");
    if (allowed) return true;
    pass.ticket.fail("RATE_LIMITED", undefined, `retry-after\n${Math.max(1, seconds(retryMs))}\n`);
    return false;
  };
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
