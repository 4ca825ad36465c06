// What the admin API takes, as zod schemas (a document of the API can be printed from them). Unknown fields
// are refused by name: a misspelt field that is ignored is found out in production.

import { z } from "zod";
import {
  cronSchema,
  MESSAGE_CHARS_MAX,
  nameSchema,
  normalRoute,
  routesSchema,
} from "../control/parse.ts";
import { scopeSchema as partSchema } from "../control/services/bindings.ts";
import type { Json, JsonObject } from "../sdk/errors.ts";
import type { RouteSpec } from "../sdk/records.ts";
import { QUEUE_REDRIVE_MAX } from "../sdk/services/queue.ts";
import type { ServiceKind } from "../sdk/services/service.ts";
import { DRAFT_BYTES_MAX } from "./body.ts";

const DESCRIPTION_CHARS_MAX = 2_000;
/** As many as the seeds' API lists at once. */
export const PAGE_MAX = 1_000;

const descriptionSchema = z.string().max(DESCRIPTION_CHARS_MAX);
const draftSchema = z
  .string()
  .refine((code) => Buffer.byteLength(code) <= DRAFT_BYTES_MAX, `at most ${DRAFT_BYTES_MAX} bytes`);

export interface CreateBody {
  readonly name: string;
  readonly domain?: string | null;
  readonly path?: string;
  readonly method?: string;
  readonly routes?: readonly RouteSpec[];
  readonly description?: string | null;
  readonly code?: string | null;
  readonly enabled?: boolean;
}

const addressFields = {
  domain: z.string().min(1).max(255).nullable().exactOptional(),
  path: z.string().min(1).max(2_048).exactOptional(),
  method: z
    .string()
    .regex(/^(?:\*|[A-Za-z][A-Za-z0-9_-]{0,31})$/, "no HTTP method")
    .exactOptional(),
  /** In place of domain, path and method, where one route is not enough. */
  routes: routesSchema.exactOptional(),
  description: descriptionSchema.nullable().exactOptional(),
  code: draftSchema.nullable().exactOptional(),
  enabled: z.boolean().exactOptional(),
};

const NOT_BOTH = "give either routes, or domain, path and method";

function isOneAddress(body: Partial<CreateBody>): boolean {
  const single = body.domain !== undefined || body.path !== undefined || body.method !== undefined;
  return body.routes === undefined || !single;
}

export const createSchema: z.ZodType<CreateBody, unknown> = z
  .strictObject({ name: nameSchema, ...addressFields })
  .refine(isOneAddress, { message: NOT_BOTH, path: ["routes"] })
  .refine(
    (body) => body.path !== undefined || (body.domain === undefined && body.method === undefined),
    {
      message: "needed beside domain and method",
      path: ["path"],
    },
  );

export type UpdateBody = { readonly [field in keyof CreateBody]?: CreateBody[field] };

export const updateSchema: z.ZodType<UpdateBody, unknown> = z
  .strictObject({ name: nameSchema.exactOptional(), ...addressFields })
  .refine(isOneAddress, { message: NOT_BOTH, path: ["routes"] });

export const codeSchema: z.ZodType<{ readonly code: string }, unknown> = z.strictObject({
  code: draftSchema,
});

export interface RollbackBody {
  readonly version?: string;
  readonly message?: string;
}

export const rollbackSchema: z.ZodType<RollbackBody, unknown> = z.strictObject({
  version: z.string().min(1).max(64).exactOptional(),
  message: z.string().max(MESSAGE_CHARS_MAX).exactOptional(),
});

/** Calls without fields take no body, or an empty object. */
export const emptySchema: z.ZodType<object, unknown> = z.strictObject({});

export interface ListQuery {
  readonly domain?: string;
  readonly enabled?: boolean;
  readonly status?: string;
  readonly page: number;
  readonly limit: number;
}

export const listSchema: z.ZodType<ListQuery, unknown> = z.strictObject({
  domain: z.string().exactOptional(),
  enabled: z.stringbool().exactOptional(),
  status: z
    .enum(["created", "compiled", "loaded", "running", "quarantined", "stopped", "error"])
    .exactOptional(),
  page: z.coerce.number().int().min(1).default(1),
  limit: z.coerce.number().int().min(1).max(PAGE_MAX).default(PAGE_MAX),
});

export interface ServiceBody {
  readonly name?: string;
  readonly config?: JsonObject;
  readonly enabled?: boolean;
}

const configSchema = z.record(z.string(), z.json()) as z.ZodType<JsonObject, unknown>;

export const createServiceSchema: z.ZodType<
  ServiceBody & { readonly name: string; readonly service_type: string },
  unknown
> = z.strictObject({
  name: z.string(),
  service_type: z.string(),
  config: configSchema.default({}),
  enabled: z.boolean().exactOptional(),
});

export const updateServiceSchema: z.ZodType<ServiceBody, unknown> = z.strictObject({
  name: z.string().exactOptional(),
  config: configSchema.exactOptional(),
  enabled: z.boolean().exactOptional(),
});

/** An object's content in base64. */
export const putObjectSchema: z.ZodType<
  { readonly content: string; readonly type?: string },
  unknown
> = z.strictObject({ content: z.base64(), type: z.string().exactOptional() });

const scopeSchema = z.string().exactOptional();

export interface SqlBody {
  readonly sql: string;
  readonly params?: readonly Json[];
  /** Which part of the service, as bindings say it. */
  readonly scope?: string;
}

export const querySchema: z.ZodType<SqlBody, unknown> = z.strictObject({
  sql: z.string(),
  params: z.array(z.json()).exactOptional() as z.ZodType<readonly Json[], unknown>,
  scope: scopeSchema,
});

export const scriptSchema: z.ZodType<Omit<SqlBody, "params">, unknown> = z.strictObject({
  sql: z.string(),
  scope: scopeSchema,
});

export const migrationSchema: z.ZodType<
  Omit<SqlBody, "params"> & { readonly name: string; readonly table?: string },
  unknown
> = z.strictObject({
  sql: z.string(),
  name: z.string(),
  table: z.string().exactOptional(),
  scope: scopeSchema,
});

export interface KvPutBody {
  readonly value?: string;
  /** Instead of `value`: bytes. */
  readonly base64?: string;
  readonly metadata?: Json;
  /** Seconds since 1970. */
  readonly expiration?: number;
  readonly expiration_ttl?: number;
}

export interface RedriveBody {
  /** A queue of the same service. */
  readonly to?: string;
  readonly max?: number;
  readonly scope?: string;
}

export const redriveSchema: z.ZodType<RedriveBody, unknown> = z.strictObject({
  to: partSchema.exactOptional(),
  max: z.int().min(1).max(QUEUE_REDRIVE_MAX).exactOptional(),
  scope: scopeSchema,
});

export const kvPutSchema: z.ZodType<KvPutBody, unknown> = z
  .strictObject({
    value: z.string().exactOptional(),
    base64: z.base64().exactOptional(),
    metadata: z.json().exactOptional() as z.ZodType<Json, unknown>,
    expiration: z.int().exactOptional(),
    expiration_ttl: z.int().exactOptional(),
  })
  .refine((body) => (body.value === undefined) !== (body.base64 === undefined), {
    message: "give either value or base64",
    path: ["value"],
  });

export interface BindBody {
  readonly service_id: string;
  readonly pool_id: string;
  readonly kind?: ServiceKind;
  readonly scope?: string;
  readonly options?: JsonObject;
}

export const bindSchema: z.ZodType<BindBody, unknown> = z.strictObject({
  /** Its id or its name. */
  service_id: z.string(),
  /** The binding's name. */
  pool_id: z.string(),
  kind: z.enum(["database", "cache", "kv", "storage", "email", "queue"]).exactOptional(),
  scope: z.string().exactOptional(),
  options: configSchema.exactOptional(),
});

interface SecretOwner {
  /** Its id or its name; without it, the node. */
  readonly endpoint?: string;
}

const owner = { endpoint: z.string().exactOptional() };

export const secretOwnerSchema: z.ZodType<SecretOwner, unknown> = z.strictObject(owner);

export const secretSchema: z.ZodType<
  SecretOwner & { readonly name: string; readonly value: string },
  unknown
> = z.strictObject({ ...owner, name: z.string(), value: z.string() });

export const secretsSchema: z.ZodType<
  SecretOwner & { readonly secrets: { readonly [name: string]: string | null } },
  unknown
> = z.strictObject({ ...owner, secrets: z.record(z.string(), z.string().nullable()) });

export const cronRunSchema: z.ZodType<{ readonly cron?: string }, unknown> = z.strictObject({
  /** What the handler is told; without it, its only one. */
  cron: cronSchema.exactOptional(),
});

/** The routes that a new endpoint's address asks for; [] for the default ones. */
export function routesOfCreate(body: CreateBody): readonly RouteSpec[] {
  if (body.routes !== undefined) return body.routes;
  if (body.path === undefined) return [];
  const { domain, path, method = "GET" } = body;
  return [normalRoute({ host: domain ?? "*", path, methods: [method] })];
}

/** undefined when the update leaves them alone. A path makes one route of many; the rest applies to each. */
export function routesOfUpdate(
  body: UpdateBody,
  present: readonly RouteSpec[],
): readonly RouteSpec[] | undefined {
  if (body.routes !== undefined) return body.routes;
  const { domain, path, method } = body;
  if (domain === undefined && path === undefined && method === undefined) return undefined;
  const [first = { host: "*", path: "/", methods: [] }] = present;
  const base = path === undefined ? present : [{ ...first, path }];
  return base.map((route) =>
    normalRoute({
      host: domain === undefined ? route.host : (domain ?? "*"),
      path: route.path,
      methods: method === undefined ? route.methods : [method],
    }),
  );
}
