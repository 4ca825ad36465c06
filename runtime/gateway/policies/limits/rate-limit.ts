// Refuses with 429 what is beyond the limit of its key, counted over all workers of the node. A key that is not there
// (no such header, no such claim) is the client's address: leaving it out must not be a way around.

import { addressBits } from "../../../../sdk/gateway/cidr.ts";
import type { KeySource, RateLimitPolicy } from "../../../../sdk/gateway/policies.ts";
import type { Policy } from "../../chain.ts";
import type { ReplyHead } from "../../filtered-exchange.ts";
import type { Pass } from "../../pass.ts";
import type { PolicyHost } from "../contract.ts";
import { createLimiter } from "./limiters.ts";

const API_KEY = "x-api-key";
/** Whole networks of this size belong to one customer, who may use any address of it. */
const IPV6_HOST_BITS = 64n;

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
  const sources = policy.key.map((source) => keyOf(source, host.route));
  const [only] = sources;
  const key =
    sources.length === 1 && only !== undefined
      ? only
      : (pass: Pass) => sources.map((source) => source(pass)).join("\n");
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

/** Each kind says what it is, so that a header cannot pass for an address. */
function keyOf({ kind, name }: KeySource, route: string): (pass: Pass) => string {
  const otherwise = (pass: Pass): string => `ip ${networkOf(pass.address)}`;
  switch (kind) {
    case "ip":
      return otherwise;
    case "route":
      return () => `route ${route}`;
    case "consumer":
      return (pass) => consumerOf(pass) ?? otherwise(pass);
    case "apiKey":
      return (pass) => consumerOf(pass) ?? headerOf(pass, API_KEY) ?? otherwise(pass);
    case "header":
      return (pass) => headerOf(pass, name) ?? otherwise(pass);
    case "jwt":
      return (pass) => {
        const claims = pass.claims ?? {};
        const value: unknown = Object.hasOwn(claims, name) ? claims[name] : undefined;
        return typeof value === "string" || typeof value === "number"
          ? `jwt ${value}`
          : otherwise(pass);
      };
  }
}

function consumerOf({ consumer }: Pass): string | undefined {
  return consumer === null ? undefined : `consumer ${consumer.name}`;
}

function headerOf({ exchange }: Pass, name: string): string | undefined {
  const value = exchange.header(name);
  return value === undefined || value === "" ? undefined : `${name} ${value}`;
}

function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  const bits = addressBits(address);
  return bits === null ? address : (bits >> IPV6_HOST_BITS).toString(16);
}
