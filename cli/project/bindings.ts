// Bindings in configuration files: wrangler's fields, which edge.jsonc takes too, and `bindings`, which says any
// kind in one way. Whether the services are there and serve the kind is the node's to say; its complaint gets the
// place here.

import { EdgeError } from "../../sdk/errors.ts";
import type { Json, JsonObject } from "../../sdk/errors.ts";
import type { BindingRequest, ConsumerRequest } from "../../sdk/publish.ts";
import type { ServiceKind } from "../../sdk/services/service.ts";
import { field, isList, isObject, textOf } from "../json.ts";
import { fieldError } from "./document.ts";
import type { ConfigDocument, FieldPath } from "./document.ts";

export interface Placed<T> {
  readonly request: T;
  /** Where it stands: "edge.jsonc:3:5". */
  readonly place: () => string;
  /** A field beside what the node is asked for. */
  readonly text: (field: string) => string | undefined;
}

/** By the field they stand in, so that an environment replaces those of one field. */
export interface ProjectBindings {
  readonly bindings?: { readonly [field: string]: readonly Placed<BindingRequest>[] };
  readonly consumers?: readonly Placed<ConsumerRequest>[];
  readonly faults?: PlacedFaults;
}

/** Faults on purpose, by binding: for the node to judge. */
export interface PlacedFaults {
  readonly request: JsonObject;
  /** Where a field below stands: "edge.jsonc:3:5". */
  readonly placeOf: (path: FieldPath) => string;
}

export function readFaults(
  document: ConfigDocument,
  path: FieldPath,
  value: Json,
): ProjectBindings {
  if (!isObject(value)) throw fieldError(document, path, "an object of bindings is expected");
  const placeOf = (below: FieldPath): string => {
    const { line, column } = document.locate([...path, ...below]);
    return `${document.file}:${line}:${column}`;
  };
  return { faults: { request: value, placeOf } };
}

type FieldReader = (document: ConfigDocument, path: FieldPath, value: Json) => ProjectBindings;

export const BINDING_READERS: Readonly<Record<string, FieldReader>> = {
  bindings: listOf(readBinding),
  kv_namespaces: listOf((item) => serviceBinding(item, "kv", item.text("id"))),
  d1_databases: listOf((item) =>
    serviceBinding(item, "database", item.text("database_name") ?? item.text("database_id")),
  ),
  r2_buckets: listOf((item) => serviceBinding(item, "storage", item.text("bucket_name"))),
  send_email: listOf(readMail),
  ratelimits: listOf(readRateLimit),
  services: listOf((item) => {
    const entrypoint = item.text("entrypoint");
    return {
      kind: "endpoint",
      name: item.needed("binding"),
      endpoint: item.needed("service"),
      ...(entrypoint === undefined ? {} : { entrypoint }),
    };
  }),
  queues: readQueues,
};

/** What is taken where Workers run or while developing, and means nothing here. */
const IGNORED: ReadonlySet<string> = new Set([
  "environment", "jurisdiction", "namespace_id", "preview_bucket_name", "preview_database_id",
  "preview_id", "remote",
]); // prettier-ignore

const KINDS: readonly string[] = ["database", "cache", "kv", "storage", "email", "queue"];

function isKind(text: string): text is ServiceKind {
  return KINDS.includes(text);
}

/** One object of a list. Fields that nobody asked for are refused at the end. */
class Item {
  readonly #document: ConfigDocument;
  readonly #path: FieldPath;
  readonly #fields: JsonObject;
  readonly #asked = new Set<string>();

  constructor(document: ConfigDocument, path: FieldPath, value: Json) {
    if (!isObject(value)) throw fieldError(document, path, "an object is expected");
    this.#document = document;
    this.#path = path;
    this.#fields = value;
  }

  place(): string {
    const { line, column } = this.#document.locate(this.#path);
    return `${this.#document.file}:${line}:${column}`;
  }

  value(name: string): Json | undefined {
    this.#asked.add(name);
    return this.#fields[name];
  }

  text(name: string): string | undefined {
    const value = this.value(name);
    if (value === undefined || (typeof value === "string" && value !== "")) return value;
    throw this.error(name, "a text is expected");
  }

  needed(name: string): string {
    const text = this.text(name);
    if (text !== undefined) return text;
    throw fieldError(this.#document, this.#path, `${name} is missing`);
  }

  count(name: string): number | undefined {
    const value = this.value(name);
    if (value === undefined || (typeof value === "number" && Number.isSafeInteger(value))) {
      return value;
    }
    throw this.error(name, "a whole number is expected");
  }

  object(name: string): JsonObject | undefined {
    const value = this.value(name);
    if (value === undefined || isObject(value)) return value;
    throw this.error(name, "an object is expected");
  }

  error(name: string, problem: string): EdgeError {
    return fieldError(this.#document, [...this.#path, name], problem);
  }

  end(): void {
    for (const name of Object.keys(this.#fields)) {
      if (this.#asked.has(name) || IGNORED.has(name)) continue;
      const known = [...this.#asked].join(", ");
      throw this.error(name, `there is no such field here; there are ${known}`);
    }
  }
}

function listOf(read: (item: Item) => BindingRequest): FieldReader {
  return (document, path, value) => {
    const bindings = readItems(document, path, { value, read });
    return { bindings: { [String(path.at(-1))]: bindings } };
  };
}

function readItems<T>(
  document: ConfigDocument,
  path: FieldPath,
  { value, read }: { value: Json; read: (item: Item) => T },
): readonly Placed<T>[] {
  if (!isList(value)) throw fieldError(document, path, "a list is expected");
  return value.map((each: Json, index) => {
    const item = new Item(document, [...path, index], each);
    const request = read(item);
    item.end();
    return { request, place: () => item.place(), text: (name) => item.text(name) };
  });
}

interface Part {
  readonly name: string;
  readonly service?: string;
  readonly scope?: string;
}

function partOf(item: Item, name: string, scope: string | undefined): Part {
  const service = item.text("service");
  return {
    name,
    ...(service === undefined ? {} : { service }),
    ...(scope === undefined ? {} : { scope }),
  };
}

function serviceBinding(item: Item, kind: ServiceKind, scope: string | undefined): BindingRequest {
  const part = partOf(item, item.needed("binding"), scope);
  if (kind === "database") {
    // Those of `edge sql migrate`; no part of the version.
    item.text("migrations_dir");
    item.text("migrations_table");
    // Asked for, so that both may stand there.
    item.text("database_id");
  }
  return { kind, ...part };
}

function readBinding(item: Item): BindingRequest {
  const kind = item.needed("kind");
  if (!isKind(kind)) throw item.error("kind", `"${kind}" is none of ${KINDS.join(", ")}`);
  const options = item.object("options");
  const part = partOf(item, item.needed("binding"), item.text("scope"));
  return { kind, ...part, ...(options === undefined ? {} : { options }) };
}

function readMail(item: Item): BindingRequest {
  const names = [
    "destination_address",
    "allowed_destination_addresses",
    "allowed_sender_addresses",
  ];
  const options: Record<string, Json> = {};
  for (const name of names) {
    const value = item.value(name);
    if (value !== undefined) options[name] = value;
  }
  return { kind: "email", ...partOf(item, item.needed("name"), undefined), options };
}

function readRateLimit(item: Item): BindingRequest {
  const name = item.needed("name");
  const { limit, period, ...rest } = item.object("simple") ?? {};
  const isWhole = typeof limit === "number" && typeof period === "number";
  if (isWhole && Object.keys(rest).length === 0) {
    return { kind: "ratelimit", name, limit, periodSeconds: period };
  }
  throw item.error("simple", "{ limit, period } is expected, the period in seconds");
}

function readQueues(document: ConfigDocument, path: FieldPath, value: Json): ProjectBindings {
  if (!isObject(value)) throw fieldError(document, path, "an object is expected");
  for (const name of Object.keys(value)) {
    if (name === "producers" || name === "consumers") continue;
    const problem = "there is no such field here; there are producers, consumers";
    throw fieldError(document, [...path, name], problem);
  }
  const { producers = [], consumers = [] } = value;
  return {
    bindings: {
      queues: readItems(document, [...path, "producers"], { value: producers, read: readProducer }),
    },
    consumers: readItems(document, [...path, "consumers"], {
      value: consumers,
      read: readConsumer,
    }),
  };
}

function readProducer(item: Item): BindingRequest {
  const part = partOf(item, item.needed("binding"), item.needed("queue"));
  const delay = item.count("delivery_delay");
  const options = delay === undefined ? {} : { options: { delivery_delay: delay } };
  return { kind: "queue", ...part, ...options };
}

function readConsumer(item: Item): ConsumerRequest {
  const type = item.text("type") ?? "worker";
  if (type !== "worker") throw item.error("type", 'only "worker" is supported');
  const seconds = item.count("max_batch_timeout");
  const fields = {
    service: item.text("service"),
    maxBatchSize: item.count("max_batch_size"),
    maxBatchTimeoutMs: seconds === undefined ? undefined : 1_000 * seconds,
    maxRetries: item.count("max_retries"),
    deadLetterQueue: item.text("dead_letter_queue"),
    retryDelaySeconds: item.count("retry_delay"),
    maxConcurrency: item.count("max_concurrency"),
    visibilityTimeoutMs: item.count("visibility_timeout_ms"),
  };
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return {
    queue: item.needed("queue"),
    ...(Object.fromEntries(given) as Partial<ConsumerRequest>),
  };
}

/** `over` wins field by field. */
export function overlayBindings(base: ProjectBindings, over: ProjectBindings): ProjectBindings {
  const bindings = { ...base.bindings, ...over.bindings };
  const consumers = over.consumers ?? base.consumers;
  const faults = over.faults ?? base.faults;
  return {
    ...(Object.keys(bindings).length === 0 ? {} : { bindings }),
    ...(consumers === undefined ? {} : { consumers }),
    ...(faults === undefined ? {} : { faults }),
  };
}

export function listBindings({
  bindings = {},
}: ProjectBindings): readonly Placed<BindingRequest>[] {
  return Object.values(bindings).flat();
}

/** The node's complaint about a binding, with the place where that stands. */
export function placeComplaint(error: unknown, manifest: ProjectBindings): unknown {
  if (!(error instanceof EdgeError)) return error;
  const find =
    placeOfFault(error, manifest.faults) ??
    placeOf(error, listBindings(manifest), manifest.consumers ?? []);
  if (find === undefined) return error;
  const place = find();
  const detail = { ...error.detail, place };
  return new EdgeError(error.code, `${place}: ${error.message}`, { detail, cause: error });
}

function placeOfFault(
  { detail }: EdgeError,
  faults: PlacedFaults | undefined,
): (() => string) | undefined {
  const fields = detail?.["fields"];
  const first = isList(fields) ? textOf(field(fields[0], "field")) : "";
  const path = first.startsWith("faults.") ? first.slice("faults.".length) : detail?.["faults"];
  if (faults === undefined || typeof path !== "string") return undefined;
  return () => faults.placeOf(path.split("."));
}

function placeOf(
  { code, detail }: EdgeError,
  bindings: readonly Placed<BindingRequest>[],
  consumers: readonly Placed<ConsumerRequest>[],
): (() => string) | undefined {
  if (code === "BINDING_INVALID") {
    const name = detail?.["binding"];
    const found = bindings.findLast(({ request }) => request.name === name);
    return (found ?? consumers.findLast(({ request }) => request.queue === name))?.place;
  }
  const fields = detail?.["fields"];
  if (code !== "INPUT_INVALID" || !isList(fields)) return undefined;
  const first = field(fields[0], "field");
  const [, list, index] = /^(bindings|consumers)\.(\d+)/.exec(textOf(first)) ?? [];
  return (list === "bindings" ? bindings : list === "consumers" ? consumers : [])[Number(index)]
    ?.place;
}
