// Policies that are handlers of the node.

import { z } from "zod";
import type { Json } from "../../../sdk/errors.ts";
import type { PolicyConfig } from "../../../sdk/gateway/policies.ts";
import { text } from "../fields.ts";

/** They cross with each request. */
const OPTIONS_CHARS_MAX: number = 16 * 1024;
const ENDPOINT = "the name of an endpoint";
const OPTIONS = `values of at most ${OPTIONS_CHARS_MAX} characters as JSON`;

const options: z.ZodType<Json, unknown> = z
  .json({ error: OPTIONS })
  .refine((value) => JSON.stringify(value).length <= OPTIONS_CHARS_MAX, { error: OPTIONS });

export const custom: z.ZodType<PolicyConfig, unknown> = z
  .strictObject({
    endpoint: text(ENDPOINT, /^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/),
    options: options.default({}),
  })
  .transform((fields): PolicyConfig => ({ kind: "custom", ...fields }));
