// The policies of a route as the file has them, each made into its normal form.

import { z } from "zod";
import type { PolicyConfig } from "../../../sdk/gateway/policies.ts";
import { AUTH, ipFilter } from "./auth.ts";
import { cors, headers } from "./content.ts";
import { custom } from "./custom.ts";
import { bodyLimit, rateLimit, timeout } from "./limits.ts";

const POLICIES = { ipFilter, rateLimit, ...AUTH, cors, headers, bodyLimit, timeout, custom };
const ONE = `one policy, of ${Object.keys(POLICIES).join(", ")}`;

export const policySchema: z.ZodType<PolicyConfig, unknown> = z
  .strictObject(
    {
      ipFilter: ipFilter.optional(),
      rateLimit: rateLimit.optional(),
      jwt: AUTH.jwt.optional(),
      apiKey: AUTH.apiKey.optional(),
      basic: AUTH.basic.optional(),
      forwardAuth: AUTH.forwardAuth.optional(),
      anyOf: AUTH.anyOf.optional(),
      cors: cors.optional(),
      headers: headers.optional(),
      bodyLimit: bodyLimit.optional(),
      timeout: timeout.optional(),
      custom: custom.optional(),
    },
    { error: ONE },
  )
  .meta({ minProperties: 1, maxProperties: 1 })
  .transform((fields, context): PolicyConfig => {
    const [policy, second] = Object.values(fields);
    if (policy !== undefined && second === undefined) return policy;
    context.addIssue({ code: "custom", message: ONE });
    return z.NEVER;
  });
