// JSON Schemas that requests have to fit, each tried before a node gets it. Of an OpenAPI document only the name: it is
// read with the other files (openapi/document.ts).

import { createRequire } from "node:module";
import type { Ajv } from "ajv";
import { z } from "zod";
import { SCHEMA_ID, type OpenApiRules } from "../../../sdk/gateway/openapi.ts";
import type { PolicyConfig } from "../../../sdk/gateway/policies.ts";
import { oneOf, size, text } from "../fields.ts";

const require: NodeJS.Require = createRequire(import.meta.url);
const SCHEMA = "a JSON Schema (2020-12)";
const SCHEMA_CHARS_MAX: number = 256 * 1024;
const BODY_BYTES_MAX: number = 16 * 1024 * 1024;

const validators = new WeakMap<object, Ajv>();

const openapi = z
  .strictObject({
    file: text("a file with an OpenAPI document"),
    basePath: text("a path that begins with /", /^\/[!-~]*$/).optional(),
    unknown: oneOf(["refuse", "pass"]).default("refuse"),
  })
  .transform(({ basePath = "", ...fields }): OpenApiRules => ({
    basePath,
    ...fields,
    operations: [],
    shared: {},
  }));

const schema = z
  .record(z.string(), z.unknown(), { error: SCHEMA })
  .transform((value, context): object => {
    const problem = schemaProblem(value);
    if (problem !== null) context.addIssue({ code: "custom", message: `${SCHEMA}: ${problem}` });
    return value;
  });

/** null: it can be used. `shared`: what it may refer to. */
export function schemaProblem(value: object, shared: object | null = null): string | null {
  if (JSON.stringify(value).length > SCHEMA_CHARS_MAX) {
    return `of at most ${SCHEMA_CHARS_MAX} characters`;
  }
  try {
    const { Ajv2020 } = require("ajv/dist/2020.js") as typeof import("ajv/dist/2020.js");
    const addFormats = require("ajv-formats") as typeof import("ajv-formats");
    // One with what is shared serves all schemas of a document.
    let ajv = shared === null ? undefined : validators.get(shared);
    if (ajv === undefined) {
      ajv = new Ajv2020({ strict: false });
      addFormats.default(ajv);
      if (shared !== null) validators.set(shared, ajv.addSchema(shared, SCHEMA_ID));
    }
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
    openapi: openapi.optional(),
    maxBody: size()
      .refine((bytes) => bytes <= BODY_BYTES_MAX, { error: "a size of at most 16MiB" })
      .default(1024 * 1024),
  })
  .transform(({ body, query, headers, openapi: document, maxBody }): PolicyConfig => ({
    kind: "validation",
    body: body ?? null,
    query: query ?? null,
    headers: headers ?? null,
    openapi: document ?? null,
    bodyBytesMax: maxBody,
  }));
