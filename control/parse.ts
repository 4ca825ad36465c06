// The door for what people send to be published: schemas, and the one function that turns `unknown` into a
// typed value or an EdgeError that names the field. The schemas are zod's so that documents (OpenAPI, JSON
// Schema) can be printed from them.

import { z } from "zod";
import { CRONS_PER_ENDPOINT_MAX, parseCron } from "../sdk/schedule/cron.ts";
import { EdgeError, type Code, type Json } from "../sdk/errors.ts";
import { EGRESS_HOSTS_MAX, parseEgressHost } from "../sdk/egress.ts";
import { ISOLATION_FORMS, NAME, parseIsolation } from "../sdk/isolation.ts";
import {
  DRAIN_TIMEOUT_MS_DEFAULT,
  LIMITS,
  limitRange,
  type LimitInfo,
  type LimitName,
  ROUTES_PER_ENDPOINT_MAX,
  VAR_BYTES_MAX,
  VARS_PER_ENDPOINT_MAX,
} from "../sdk/limits.ts";
import type { PublishRequest } from "../sdk/publish.ts";
import type { RouteSpec } from "../sdk/records.ts";
import { bindingsSchema, consumersSchema } from "./services/bindings.ts";
import { faultsSchema } from "./services/faults.ts";

/** Shown in lists; longer texts belong elsewhere. */
export const MESSAGE_CHARS_MAX = 1_000;
/** Every revision of the registry that touches an endpoint holds its manifest. */
export const VARS_BYTES_MAX: number = 256 * 1024;
/** As a drain keeps a replaced isolate in memory, nobody may ask for more than an hour. */
const DRAIN_TIMEOUT_MS_MAX = 3_600_000;
const ROUTE_CHARS_MAX = 2_048;
const HOST_CHARS_MAX = 255;
const METHODS_MAX = 20;

/** Such a name could be another endpoint's id, and both address endpoints. */
export const UUID: RegExp = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Token characters of RFC 9110, letters first: no method has others. */
const METHOD: RegExp = /^[A-Za-z][A-Za-z0-9_-]{0,31}$/;

export const nameSchema: z.ZodType<string, string> = z
  .string()
  .regex(NAME, "1 to 63 of a-z, 0-9 and -, beginning with a letter and not ending with -")
  .refine((name) => !UUID.test(name), "a name may not look like an id");

const methodSchema = z
  .string()
  .regex(METHOD, "no HTTP method")
  .transform((method) => method.toUpperCase());

export const routeSchema: z.ZodType<RouteSpec, unknown> = z
  .strictObject({
    host: z.string().min(1).max(HOST_CHARS_MAX).default("*"),
    path: z.string().min(1).max(ROUTE_CHARS_MAX),
    methods: z.array(methodSchema).max(METHODS_MAX).default([]),
  })
  .transform(normalRoute);

/** Host in lower case, methods in upper case, each once and in order; ANY and * mean every method. */
export function normalRoute({ host, path, methods }: RouteSpec): RouteSpec {
  const upper = methods.map((method) => method.toUpperCase());
  const isAny = upper.includes("ANY") || upper.includes("*");
  return { host: host.toLowerCase(), path, methods: isAny ? [] : [...new Set(upper)].toSorted() };
}

export const routesSchema: z.ZodType<RouteSpec[], unknown> = z
  .array(routeSchema)
  .max(ROUTES_PER_ENDPOINT_MAX);

const varsSchema = z
  .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "no variable name"), z.json())
  .refine((vars) => Object.keys(vars).length <= VARS_PER_ENDPOINT_MAX, {
    message: `at most ${VARS_PER_ENDPOINT_MAX} variables`,
  })
  .refine((vars) => Object.values(vars).every((value) => bytesOf(value) <= VAR_BYTES_MAX), {
    message: `at most ${VAR_BYTES_MAX} bytes each`,
  })
  .refine((vars) => bytesOf(vars) <= VARS_BYTES_MAX, {
    message: `at most ${VARS_BYTES_MAX} bytes together`,
  });

function bytesOf(value: Json): number {
  return Buffer.byteLength(JSON.stringify(value));
}

function limit(name: LimitName): z.ZodExactOptional<z.ZodNumber> {
  const { min = 1, max }: LimitInfo = LIMITS[name];
  const error = ({ input }: { readonly input?: unknown }): string =>
    `${limitRange(name)}, not ${JSON.stringify(input) ?? "nothing"}`;
  return z.int({ error }).min(min, { error }).max(max, { error }).exactOptional();
}

const limitsSchema = z.strictObject({
  cpuMs: limit("cpuMs"),
  cpuSoftMs: limit("cpuSoftMs"),
  wallMs: limit("wallMs"),
  memoryMb: limit("memoryMb"),
  subrequests: limit("subrequests"),
  serviceCalls: limit("serviceCalls"),
  concurrency: limit("concurrency"),
  queue: limit("queue"),
  streamMs: limit("streamMs"),
  subrequestsAtOnce: limit("subrequestsAtOnce"),
  responseBytes: limit("responseBytes"),
  socketBytes: limit("socketBytes"),
  timers: limit("timers"),
  logBytes: limit("logBytes"),
  bodyBytes: limit("bodyBytes"),
} satisfies Record<LimitName, z.ZodType>);

const egressHostSchema = z.string().transform((text, context) => {
  const host = parseEgressHost(text);
  if (host !== null) return host;
  context.addIssue({ code: "custom", message: "neither HOST nor HOST:PORT" });
  return z.NEVER;
});

export const cronSchema: z.ZodType<string, unknown> = z.string().superRefine((text, context) => {
  const cron = parseCron(text);
  if (typeof cron === "string") context.addIssue({ code: "custom", message: cron });
});

const isolationSchema = z.string().transform((text, context) => {
  const isolation = parseIsolation(text);
  if (isolation !== null) return isolation;
  context.addIssue({
    code: "custom",
    message: `${JSON.stringify(text)} is none of ${ISOLATION_FORMS}`,
  });
  return z.NEVER;
});

// Optional fields are exact: the contract knows absent fields and no undefined.
export const publishSchema: z.ZodType<PublishRequest, unknown> = z.strictObject({
  name: nameSchema,
  routes: routesSchema.default([]),
  vars: varsSchema.default({}),
  limits: limitsSchema.default({}),
  trust: z.enum(["own", "untrusted"]).exactOptional(),
  isolation: isolationSchema.exactOptional(),
  egress: z.array(egressHostSchema).max(EGRESS_HOSTS_MAX).exactOptional(),
  bindings: bindingsSchema.exactOptional(),
  consumers: consumersSchema.exactOptional(),
  crons: z
    .array(cronSchema)
    .max(CRONS_PER_ENDPOINT_MAX)
    .refine((crons) => new Set(crons).size === crons.length, {
      message: "one of them is there twice",
    })
    .exactOptional(),
  faults: faultsSchema.exactOptional(),
  drainTimeoutMs: z.int().min(0).max(DRAIN_TIMEOUT_MS_MAX).default(DRAIN_TIMEOUT_MS_DEFAULT),
  message: z.string().max(MESSAGE_CHARS_MAX).default(""),
  format: z.enum(["script", "module"]),
  code: z.string(),
  codeSha256: z.string().regex(/^[0-9a-f]{64}$/, "64 hex digits in lower case"),
  map: z.string().nullable().default(null),
  bundleMs: z.number().min(0).exactOptional(),
  dryRun: z.boolean().exactOptional(),
});

export function parsePublish(input: unknown): PublishRequest {
  return parseInput(publishSchema, input);
}

type FieldCodes = Readonly<Record<string, Code>>;

/** Of an endpoint: fields whose own codes say more than INPUT_INVALID does. */
const ENDPOINT_CODES: FieldCodes = {
  name: "NAME_INVALID",
  routes: "ROUTE_INVALID",
};

/** The value, or an EdgeError whose detail lists every field that is wrong. */
export function parseInput<T>(
  schema: z.ZodType<T, unknown>,
  input: unknown,
  codes: FieldCodes = ENDPOINT_CODES,
): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const fields = result.error.issues.flatMap((issue) => {
    const at = issue.path.map(String);
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({ field: [...at, key].join("."), text: "unknown field" }));
    }
    return [{ field: at.join("."), text: issue.message }];
  });
  const [first] = fields;
  const top = first?.text === "unknown field" ? undefined : first?.field.split(".")[0];
  const code = (top === undefined ? undefined : codes[top]) ?? "INPUT_INVALID";
  const message = fields.map(({ field, text }) => (field === "" ? text : `${field}: ${text}`));
  throw new EdgeError(code, message.join("; "), { detail: { fields } });
}
