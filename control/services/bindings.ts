// Bindings: what authors may write, what follows from it, and whether an endpoint can have it now.

import { z } from "zod";
import { EdgeError, type JsonObject } from "../../sdk/errors.ts";
import { NAME } from "../../sdk/isolation.ts";
import type { RegistryReader } from "../../sdk/node.ts";
import type { BindingRequest, ConsumerRequest } from "../../sdk/publish.ts";
import type { Deployed, EndpointRecord, Manifest } from "../../sdk/records.ts";
import { BUILT_IN, builtIn, EMBEDDED, isEmbeddedPostgres } from "../../sdk/services/built-in.ts";
import type { BindingFaults } from "../../sdk/services/faults.ts";
import {
  BINDING_NAME,
  BINDINGS_PER_ENDPOINT_MAX,
  CONSUMERS_PER_ENDPOINT_MAX,
  SERVICE_NAME,
  SERVICE_TYPES,
  type Binding,
  type QueueConsumer,
  type ServiceKind,
  type ServiceRecord,
} from "../../sdk/services/service.ts";
import { faultFindings } from "./faults.ts";

/** An endpoint's name, a slash and a binding's. */
const SCOPE_CHARS_MAX = 128;
/** It becomes part of keys and paths: segments that are no "." or "..". */
const SCOPE: RegExp = /^[A-Za-z0-9_][\w.-]*(?:\/[A-Za-z0-9_][\w.-]*)*$/;
const ADDRESS_CHARS_MAX = 254;
const ADDRESSES_MAX = 100;
/** Of a rate limit: longer windows are quotas, which have to outlive a restart. */
const PERIOD_SECONDS_MAX = 3_600;
const RATE_MAX = 1_000_000;
/** As Workers' queues take, as the maxima of consumers below: half a day. */
const DELAY_SECONDS_MAX = 43_200;

export const scopeSchema: z.ZodType<string, unknown> = z
  .string()
  .max(SCOPE_CHARS_MAX)
  .regex(SCOPE, "letters, digits, _, . and -, in segments between slashes");
const serviceSchema = z.string().regex(SERVICE_NAME, "no service's name");
const addressSchema = z.string().min(1).max(ADDRESS_CHARS_MAX);

/** Names of options are wrangler's. */
const mailOptions = z.strictObject({
  destination_address: addressSchema.exactOptional(),
  allowed_destination_addresses: z.array(addressSchema).max(ADDRESSES_MAX).exactOptional(),
  allowed_sender_addresses: z.array(addressSchema).max(ADDRESSES_MAX).exactOptional(),
});
const queueOptions = z.strictObject({
  delivery_delay: z.int().min(0).max(DELAY_SECONDS_MAX).exactOptional(),
});

const nameSchema = z
  .string()
  .regex(BINDING_NAME, "1 to 64 letters, digits and _, not beginning with a digit");

const service = {
  name: nameSchema,
  service: serviceSchema.exactOptional(),
  scope: scopeSchema.exactOptional(),
};
const noOptions = z.strictObject({}).exactOptional();

const KINDS = "one of database, cache, kv, storage, email, queue, ratelimit, endpoint";

export const bindingSchema: z.ZodType<BindingRequest, unknown> = z.discriminatedUnion(
  "kind",
  [
    z.strictObject({
      kind: z.enum(["database", "cache", "kv", "storage"]),
      ...service,
      options: noOptions,
    }),
    z.strictObject({ kind: z.literal("email"), ...service, options: mailOptions.exactOptional() }),
    z.strictObject({ kind: z.literal("queue"), ...service, options: queueOptions.exactOptional() }),
    z.strictObject({
      kind: z.literal("ratelimit"),
      name: nameSchema,
      limit: z.int().min(1).max(RATE_MAX),
      periodSeconds: z.int().min(1).max(PERIOD_SECONDS_MAX),
    }),
    z.strictObject({
      kind: z.literal("endpoint"),
      name: nameSchema,
      endpoint: z.string().regex(NAME, "no endpoint's name"),
      entrypoint: z.string().regex(BINDING_NAME, "no name of an export").exactOptional(),
    }),
  ],
  { error: (issue) => (issue.code === "invalid_union" ? KINDS : undefined) },
);

export const bindingsSchema: z.ZodType<BindingRequest[], unknown> = z
  .array(bindingSchema)
  .max(BINDINGS_PER_ENDPOINT_MAX);

const consumerSchema: z.ZodType<ConsumerRequest, unknown> = z.strictObject({
  queue: scopeSchema,
  service: serviceSchema.exactOptional(),
  maxBatchSize: z.int().min(1).max(100).exactOptional(),
  maxBatchTimeoutMs: z.int().min(0).max(60_000).exactOptional(),
  maxRetries: z.int().min(0).max(100).exactOptional(),
  deadLetterQueue: scopeSchema.nullable().exactOptional(),
  retryDelaySeconds: z.int().min(0).max(DELAY_SECONDS_MAX).exactOptional(),
  maxConcurrency: z.int().min(1).max(250).exactOptional(),
  visibilityTimeoutMs: z
    .int()
    .min(1_000)
    .max(1_000 * DELAY_SECONDS_MAX)
    .exactOptional(),
});

export const consumersSchema: z.ZodType<ConsumerRequest[], unknown> = z
  .array(consumerSchema)
  .max(CONSUMERS_PER_ENDPOINT_MAX);

/** Those of Workers' queues; the time-out is twice what a handler may take by default. */
const CONSUMER_DEFAULTS: Omit<QueueConsumer, "queue"> = {
  service: EMBEDDED,
  maxBatchSize: 10,
  maxBatchTimeoutMs: 5_000,
  maxRetries: 3,
  deadLetterQueue: null,
  retryDelaySeconds: 0,
  maxConcurrency: 10,
  visibilityTimeoutMs: 60_000,
};

export function completeConsumer(request: ConsumerRequest): QueueConsumer {
  return { ...CONSUMER_DEFAULTS, ...request };
}

/** What of a service is one whole, so that bindings cannot name a part; and where a part has a name of its own. */
const WHOLE: ReadonlySet<string> = new Set(["postgres/database", "sqlite/database"]);
const NAMED: ReadonlySet<string> = new Set(["minio/storage"]);

export function isWhole(service: Served, kind: ServiceKind): boolean {
  return WHOLE.has(`${service.type}/${kind}`) && !isEmbeddedPostgres(service);
}

type Served = Pick<ServiceRecord, "type" | "config">;

/** Throws BINDING_INVALID when the service is unknown or serves no such kind. */
export function completeBinding(
  registry: RegistryReader,
  endpoint: string,
  request: BindingRequest,
): Binding {
  if (request.kind === "ratelimit" || request.kind === "endpoint") return request;
  const { kind, name, service = EMBEDDED, options } = request;
  const served = findService(registry, service);
  if (served === null) {
    const problem = `there is no service "${service}"; there are ${known(registry).join(", ")}`;
    throw bindingError(name, problem, { field: "service", known: known(registry) });
  }
  const { type } = served;
  if (!SERVICE_TYPES[type].includes(kind)) {
    const kinds = SERVICE_TYPES[type].join(", ");
    const problem = `service "${service}" is of type ${type}, which serves ${kinds} and no ${kind}`;
    throw bindingError(name, problem, { field: "service", known: [...SERVICE_TYPES[type]] });
  }
  const what = `${type}/${kind}`;
  const own = NAMED.has(what) ? "" : `${endpoint}/${name.toLowerCase()}`;
  const scope = kind === "email" || isWhole(served, kind) ? "" : (request.scope ?? own);
  return { kind, name, service, scope, ...(isEmpty(options) ? {} : { options }) };
}

function isEmpty(options: JsonObject | undefined): options is undefined {
  return options === undefined || Object.keys(options).length === 0;
}

function findService(registry: RegistryReader, service: string): Served | null {
  return registry.services().find(({ name }) => name === service) ?? builtIn(service);
}

function known(registry: RegistryReader): readonly string[] {
  return [...BUILT_IN, ...registry.services()].map(({ name }) => name);
}

/** All that the endpoint's handler sees beside variables and secrets. */
export function bindingsOf(
  endpoint: Pick<EndpointRecord, "bindings"> | undefined,
  manifest: Pick<Manifest, "bindings"> | undefined,
): readonly Binding[] {
  return [...(manifest?.bindings ?? []), ...(endpoint?.bindings ?? [])];
}

type Bound = Pick<Manifest, "name" | "vars" | "bindings" | "consumers" | "faults">;

/**
 * Throws BINDING_INVALID when the endpoint could not have these bindings now: a name that `env` has already, a service
 * or an endpoint that is not there (any more), a queue that is another's, faults of a binding that it has not.
 */
export function assertBindings(
  registry: RegistryReader,
  { name, vars, bindings = [], consumers = [], faults = {} }: Bound,
  endpoint: Pick<EndpointRecord, "bindings"> | undefined,
): void {
  const taken = new Map<string, string>();
  for (const variable of Object.keys(vars)) taken.set(variable, "a variable");
  for (const secret of registry.secrets(name)) taken.set(secret.name, "a secret");
  const all = [...(endpoint?.bindings ?? []), ...bindings];
  for (const binding of all) {
    const what = taken.get(binding.name);
    if (what !== undefined) {
      throw bindingError(binding.name, `the name is taken by ${what}`, { field: "name" });
    }
    taken.set(binding.name, endpoint?.bindings?.includes(binding) ? BOUND : "another binding");
    if (binding.kind === "endpoint") assertEndpoint(registry, name, binding);
    else if (binding.kind !== "ratelimit") completeBinding(registry, name, binding);
  }
  if (all.length > BINDINGS_PER_ENDPOINT_MAX) {
    const [last] = all.slice(-1);
    const problem = `an endpoint has ${BINDINGS_PER_ENDPOINT_MAX} bindings at most`;
    throw bindingError(last?.name ?? "", problem, {});
  }
  assertConsumers(registry, name, consumers);
  assertFaults(faults, all);
}

function assertFaults(faults: BindingFaults, bindings: readonly Binding[]): void {
  const [first] = faultFindings(faults, bindings);
  if (first === undefined) return;
  const { path, problem, expected, suggestion = "" } = first;
  const hint = suggestion === "" ? "" : `. Did you mean ${suggestion}?`;
  const at = path.join(".");
  throw bindingError(String(path[0]), `${problem}; expected ${expected}${hint}`, { faults: at });
}

const BOUND = "a binding made through the API";

function assertEndpoint(
  registry: RegistryReader,
  own: string,
  { name, endpoint }: Extract<Binding, { kind: "endpoint" }>,
): void {
  if (endpoint === own || registry.get(endpoint) !== null) return;
  const names = registry.all().map((each) => each.endpoint.name);
  const there = names.length === 0 ? "there are none" : `there are ${names.join(", ")}`;
  const problem = `there is no endpoint "${endpoint}"; ${there}`;
  throw bindingError(name, problem, { field: "service", known: names });
}

function assertConsumers(
  registry: RegistryReader,
  name: string,
  consumers: readonly QueueConsumer[],
): void {
  if (consumers.length === 0) return;
  const others = new Map<string, string>();
  for (const { endpoint, versions } of registry.all()) {
    if (endpoint.name === name) continue;
    for (const { manifest } of versions) {
      for (const each of manifest.consumers ?? []) others.set(queueOf(each), endpoint.name);
    }
  }
  for (const consumer of consumers) {
    const { queue, service } = consumer;
    completeBinding(registry, name, { kind: "queue", name: queue, service, scope: queue });
    const other = others.get(queueOf(consumer));
    if (other !== undefined) {
      const problem = `its messages go to ${other} already`;
      throw bindingError(queue, problem, { field: "queue" });
    }
    others.set(queueOf(consumer), "this endpoint");
  }
}

function queueOf({ service, queue }: QueueConsumer): string {
  return `${service} ${queue}`;
}

export function bindingError(name: string, problem: string, detail: JsonObject): EdgeError {
  return new EdgeError("BINDING_INVALID", `${name}: ${problem}`, {
    detail: { binding: name, ...detail },
  });
}
/** Names of the endpoints whose present version, or whose record, binds the service or takes messages of it. */
export function usersOf(all: readonly Deployed[], service: string): readonly string[] {
  const isIt = (binding: Binding): boolean => "service" in binding && binding.service === service;
  return all
    .filter(({ endpoint, versions }) => {
      const manifests = versions.map(({ manifest }) => manifest);
      const consumers = manifests.flatMap((manifest) => manifest.consumers ?? []);
      return (
        (endpoint.bindings ?? []).some(isIt) ||
        manifests.some((manifest) => (manifest.bindings ?? []).some(isIt)) ||
        consumers.some((consumer) => consumer.service === service)
      );
    })
    .map(({ endpoint }) => endpoint.name);
}
