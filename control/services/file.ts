// Services as the configuration file lists them: by name, the type beside the fields of its configuration, which are
// those of the admin API.

import { z } from "zod";
import type { EdgeError, JsonObject } from "../../sdk/errors.ts";
import { BUILT_IN, builtIn } from "../../sdk/services/built-in.ts";
import type { BindingFaults } from "../../sdk/services/faults.ts";
import { SERVICE_NAME, SERVICES_MAX, type ServiceType } from "../../sdk/services/service.ts";
import type { Finding } from "../gateway/faults.ts";
import { UUID } from "../parse.ts";
import { CONFIG_SCHEMAS, TYPE_NAMES, typeNamed } from "./config.ts";
import { MASK, referenceOf, SECRET_FIELDS } from "./sealing.ts";

/** Of one service, as read. */
export interface ServiceFields {
  readonly type: ServiceType;
  readonly enabled: boolean;
  /** Whole, with defaults, its secrets in clear: for the vault, and for nobody else. */
  readonly config: JsonObject;
}

const A_TYPE = `one of ${TYPE_NAMES.join(", ")}`;
const A_SERVICE = "a service: its type, and fields of its configuration";
const A_REFERENCE = "a text that is ${secret:NAME} as a whole, or not at all";

const typeSchema = z.string({ error: A_TYPE }).transform((name, context) => {
  const type = typeNamed(name);
  if (type !== null) return type;
  context.addIssue({ code: "custom", message: A_TYPE });
  return z.NEVER;
});

export interface FileServices {
  readonly byName: Readonly<Record<string, ServiceFields>>;
  /** By endpoint. */
  readonly faults: Readonly<Record<string, BindingFaults>>;
  /** The error that names what is wrong with them at its place in the file. */
  readonly refuse: (found: readonly Finding[]) => EdgeError;
}

/** Its fields depend on its type, so that what is wrong with them is found by the schema of that. */
const serviceSchema: z.ZodType<ServiceFields, unknown> = z
  .looseObject(
    { type: typeSchema, enabled: z.boolean({ error: "true or false" }).default(true) },
    { error: A_SERVICE },
  )
  .transform(({ type, enabled, ...fields }, context) => {
    for (const [field, value] of Object.entries(fields)) {
      const problem = textProblem(field, value);
      if (problem !== null) context.addIssue({ code: "custom", path: [field], message: problem });
    }
    const parsed = CONFIG_SCHEMAS[type].safeParse(fields);
    if (parsed.success) return { type, enabled, config: { ...parsed.data } as JsonObject };
    for (const issue of parsed.error.issues) {
      const forwarded = { ...issue, message: phraseOf(issue), input: fields };
      context.issues.push(forwarded as z.core.$ZodRawIssue);
    }
    return z.NEVER;
  });

/** null: none. */
function textProblem(field: string, value: unknown): string | null {
  if (typeof value !== "string") return null;
  if (SECRET_FIELDS.has(field) && value === MASK) return `the secret itself, not ${MASK}`;
  return value.includes("${secret:") && referenceOf(value) === null ? A_REFERENCE : null;
}

const PHRASES: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
};

/** What is expected, of what zod says. */
function phraseOf(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_value") return `one of ${issue.values.join(", ")}`;
  const text = issue.message.replace(/^(?:[\w ]+: )?expected /, "").replace(/, received .*$/, "");
  return text.replace(/^\w+/, (word) => PHRASES[word] ?? word);
}

const nameSchema = z
  .string()
  .regex(SERVICE_NAME, "a name of 1 to 63 letters, digits, blanks, -, _ and .")
  .refine((name) => !UUID.test(name), "a name that is no id")
  .refine((name) => builtIn(name) === null, {
    error: `another name: ${BUILT_IN.map(({ name }) => name).join(" and ")} are always there`,
  });

export const servicesSchema: z.ZodType<Readonly<Record<string, ServiceFields>>, unknown> = z
  .record(nameSchema, serviceSchema, { error: "services by name" })
  .refine((all) => Object.keys(all).length <= SERVICES_MAX, {
    error: `at most ${SERVICES_MAX} services`,
  });

/** For editors, and for what a misspelt field was meant to be: one of these per type. */
export function serviceJsonSchema(schema: z.core.$ZodType): object | null {
  if (schema !== serviceSchema) return null;
  const anyOf = Object.entries(CONFIG_SCHEMAS).map(([type, fields]) => {
    const { $schema: _, properties, required = [], ...rest } = jsonSchemaOf(fields);
    const names = TYPE_NAMES.filter((name) => typeNamed(name) === type);
    const own = { type: { enum: names }, enabled: { type: "boolean", default: true } };
    return { ...rest, properties: { ...own, ...properties }, required: ["type", ...required] };
  });
  return { anyOf };
}

/** The fields that a service of this type may have, type and all; of no type, those of every one. */
export function fieldsOf(name: unknown): readonly string[] {
  const type = typeof name === "string" ? typeNamed(name) : null;
  const types = type === null ? [] : [type];
  const fields = types.flatMap((each) =>
    Object.keys(jsonSchemaOf(CONFIG_SCHEMAS[each]).properties ?? {}),
  );
  return ["type", "enabled", ...fields];
}

function jsonSchemaOf(schema: z.ZodType): z.core.JSONSchema.BaseSchema {
  return z.toJSONSchema(schema, { io: "input" });
}
