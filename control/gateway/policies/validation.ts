// JSON Schemas that requests have to fit, each tried before a node gets it.

import { createRequire } from "node:module";
import { z } from "zod";
import type { PolicyConfig } from "../../../sdk/gateway/policies.ts";
import { size } from "../fields.ts";

const require: NodeJS.Require = createRequire(import.meta.url);
const SCHEMA = "a JSON Schema (2020-12)";
const SCHEMA_CHARS_MAX: number = 256 * 1024;
const BODY_BYTES_MAX: number = 16 * 1024 * 1024;

const schema = z
  .record(z.string(), z.unknown(), { error: SCHEMA })
  .transform((value, context): object => {
    const problem = problemOf(value);
    if (problem !== null) context.addIssue({ code: "custom", message: `${SCHEMA}: ${problem}` });
    return value;
  });

/** null: it can be used. */
function problemOf(value: object): string | null {
  if (JSON.stringify(value).length > SCHEMA_CHARS_MAX) {
    return `of at most ${SCHEMA_CHARS_MAX} characters`;
  }
  try {
    const { Ajv2020 } = require("ajv/dist/2020.js") as typeof import("ajv/dist/2020.js");
    const addFormats = require("ajv-formats") as typeof import("ajv-formats");
    const ajv = new Ajv2020({ strict: false });
    addFormats.default(ajv);
    ajv.compile(value);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export const validation: z.ZodType<PolicyConfig, unknown> = z
  .strictObject({
    body: schema.optional(),
    query: schema.optional(),
    headers: schema.optional(),
    maxBody: size()
      .refine((bytes) => bytes <= BODY_BYTES_MAX, { error: "a size of at most 16MiB" })
      .default(1024 * 1024),
  })
  .transform(({ body, query, headers, maxBody }): PolicyConfig => ({
    kind: "validation",
    body: body ?? null,
    query: query ?? null,
    headers: headers ?? null,
    bodyBytesMax: maxBody,
  }));
