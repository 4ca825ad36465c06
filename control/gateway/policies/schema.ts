// The policies of a route as the file has them, each made into its normal form.

import { z } from "zod";
import type { PolicyConfig } from "../../../sdk/gateway/policies.ts";
import { AUTH, ipFilter } from "./auth.ts";
import { mtls } from "./mtls.ts";
import { cors, headers, query } from "./content.ts";
import { mirror, requestId } from "./traffic.ts";
import { compression } from "./compression.ts";
import { cache, idempotency } from "./stored.ts";
import { errorPages, fault, maintenance, securityHeaders } from "./replies.ts";
import { validation } from "./validation.ts";
import { custom } from "./custom.ts";
import { bodyLimit, concurrency, loadShed, rateLimit, timeout } from "./limits.ts";

/** In the order in which they are listed to people. */
const POLICIES: Readonly<Record<string, z.ZodType<PolicyConfig, unknown>>> = {
  requestId,
  ipFilter,
  rateLimit,
  concurrency,
  loadShed,
  mtls,
  ...AUTH,
  cors,
  headers,
  query,
  bodyLimit,
  timeout,
  compression,
  cache,
  idempotency,
  securityHeaders,
  errorPages,
  maintenance,
  fault,
  mirror,
  validation,
  custom,
};
const ONE = `one policy, of ${Object.keys(POLICIES).join(", ")}`;

export const policySchema: z.ZodType<PolicyConfig, unknown> = z
  .strictObject(
    Object.fromEntries(Object.entries(POLICIES).map(([kind, one]) => [kind, one.optional()])),
    { error: ONE },
  )
  .meta({ minProperties: 1, maxProperties: 1 })
  .transform((fields, context): PolicyConfig => {
    const [policy, second] = Object.values(fields);
    if (policy !== undefined && second === undefined) return policy;
    context.addIssue({ code: "custom", message: ONE });
    return z.NEVER;
  });
