// Services: databases, caches and the like that live outside of the isolate and are reached through calls. A service
// is a configured backend of the node; a binding is the name under which one endpoint's handler sees it. In each
// worker one actor owns a service's connections (services/actor.ts); handlers of endpoints that do not bind a service
// cannot reach it.

import type { JsonObject } from "../errors.ts";
import type { Value } from "./values.ts";

/** What a service is for: which calls it takes. Each has a contract (kv.ts, cache.ts …) and one suite of tests. */
export type ServiceKind = "database" | "cache" | "kv" | "storage" | "email" | "queue";

export type ServiceType =
  /** Needs nothing beside the node: SQLite, LMDB, files, an outbox. */
  "embedded" | "sqlite" | "postgres" | "redis" | "memcached" | "minio" | "email";

/** What serves what. The names, and those of the fields of their configuration, are the seeds'. */
export const SERVICE_TYPES: Readonly<Record<ServiceType, readonly ServiceKind[]>> = {
  embedded: ["database", "cache", "kv", "storage", "email", "queue"],
  sqlite: ["database"],
  postgres: ["database"],
  redis: ["cache", "kv", "queue"],
  memcached: ["cache"],
  minio: ["storage"],
  email: ["email"],
};

/** Other names for the same types. */
export const TYPE_ALIASES: Readonly<Record<string, ServiceType>> = {
  postgresql: "postgres",
  s3: "minio",
  smtp: "email",
};

/** 1 to 63 letters, digits, blanks, ".", "_" and "-", letters or digits at both ends. */
export const SERVICE_NAME: RegExp = /^[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,61}[A-Za-z0-9])?$/;

/** created: never activated. available: takes calls. deactivated: what was under way has ended or will soon. */
export type ServiceState = "created" | "available" | "deactivated";

/** As the registry holds it; `config` with its secret fields sealed (control/secrets). */
export interface ServiceRecord {
  readonly id: string;
  readonly name: string;
  readonly type: ServiceType;
  readonly config: JsonObject;
  readonly state: ServiceState;
  /** The configuration file names it, and only that changes it; absent: made through the API. */
  readonly origin?: "file";
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** One name in a handler's `env`, of a version's manifest. */
export type Binding =
  | {
      readonly kind: ServiceKind;
      readonly name: string;
      /** The service's name; EMBEDDED when the manifest names none. */
      readonly service: string;
      /**
       * Which part of the service: a KV namespace, a bucket, a queue, a database's name. Endpoints that bind the same
       * part share its content. "" where the service has one only (a Postgres database, mail).
       */
      readonly scope: string;
      /** What the kind knows beside that, as allowed senders of mail; checked when published. */
      readonly options?: JsonObject;
    }
  /** `await env.NAME.limit({ key })`: at most `limit` in `periodSeconds`, counted per node. */
  | {
      readonly kind: "ratelimit";
      readonly name: string;
      readonly limit: number;
      readonly periodSeconds: number;
    }
  /** `await env.NAME.fetch(request)`: another endpoint of this node, in process. */
  | {
      readonly kind: "endpoint";
      readonly name: string;
      readonly endpoint: string;
      /** The export of its module that answers; absent: the default one. */
      readonly entrypoint?: string;
    };

/** A queue whose messages one endpoint's `queue(batch, env, ctx)` gets. Every field is filled in when published. */
export interface QueueConsumer {
  readonly service: string;
  /** As the scope of a producer's binding. */
  readonly queue: string;
  /** Messages of one batch. */
  readonly maxBatchSize: number;
  /** How long a batch that is not full waits for more. */
  readonly maxBatchTimeoutMs: number;
  /** How often a message comes again before it goes to the dead letters, or is dropped where there are none. */
  readonly maxRetries: number;
  readonly deadLetterQueue: string | null;
  /** Before a message comes again, where the handler says nothing else. */
  readonly retryDelaySeconds: number;
  /** Batches that the node has running at once. */
  readonly maxConcurrency: number;
  /** A batch without an answer for so long counts as lost: its messages come again. */
  readonly visibilityTimeoutMs: number;
}

/** An open backend: connections, files. One per service and worker, owned by its actor. */
export interface Backend {
  /** Asks it something small. Rejects with an EdgeError of the SERVICE codes when it does not answer. */
  probe(signal: AbortSignal): Promise<Probe>;
  /** Ends what is under way and gives back every connection. Idempotent. */
  close(): Promise<void>;
}

export interface Probe {
  /** As the server says it: "PostgreSQL 15.18", "embedded". */
  readonly version: string;
}

/** As `test` of the admin API shows it. */
export interface ServiceProbe extends Probe {
  readonly latencyMs: number;
}

/** A call that the operator makes of a service, by way of a worker. */
export interface OperatorCall {
  readonly kind: ServiceKind;
  /** Its name. */
  readonly service: string;
  /** As in a binding. */
  readonly scope: string;
  readonly method: string;
}

/** Arguments or an answer of one as text: packed (values.ts), bytes in base64. */
export interface PackedText {
  readonly text: string;
  readonly bytes: string | null;
}

/** Of arguments, and of an answer with all that follows it: they go between processes in one line. */
export const OPERATOR_BYTES_MAX: number = 4 * 1_024 * 1_024;

/** One binding as one isolate's calls reach it. Made by services/<kind>/, called by runtime/isolate. */
export interface ServicePort {
  /**
   * `method` and `args` come from hostile code and are checked here. Rejects with EdgeError: its code and message are
   * what the handler gets.
   */
  call(method: string, args: readonly Value[], context: CallContext): Promise<Value | Streamed>;
  /**
   * The same answer without waiting, where the backend is in this process and has it at hand; null: `call` it. Throws
   * what `call` would reject with.
   */
  callNow?(
    method: string,
    args: readonly Value[],
    context: Pick<CallContext, "hold">,
  ): { readonly value: Value } | null;
  /** The request is over: what it still has open here (a transaction, a cursor) ends, undone where it can be. */
  requestDone(request: number): void;
  /** The isolate is gone. */
  close(): void;
}

export interface CallContext {
  /** The request that makes the call; 0 when none was running. */
  readonly request: number;
  /** Aborts when the request has died, or the handler wants the answer no more. */
  readonly signal: AbortSignal;
  /** A stream among the arguments, in the place of `STREAM` (values.ts). Read once. */
  readonly body: AsyncIterable<Uint8Array> | null;
  /** False when the node holds too much for this isolate already: for what is gathered for the answer. */
  hold(bytes: number): boolean;
  /** Into the request's log. */
  readonly note?: (text: string) => void;
}

/** An answer of which more follows: chunks of an object, rows of a cursor. */
export class Streamed {
  readonly head: Value;
  /** Pulled one by one; ended (`return`) when the handler wants no more. */
  readonly rest: AsyncIterable<Value>;

  constructor(head: Value, rest: AsyncIterable<Value>) {
    this.head = head;
    this.rest = rest;
  }
}

/** Of what stands in `env`. */
export const BINDING_NAME: RegExp = /^[A-Za-z_]\w{0,63}$/;
/** Bindings of one endpoint; what Workers code has at most. */
export const BINDINGS_PER_ENDPOINT_MAX = 64;
/** Each keeps a lease on its queue. */
export const CONSUMERS_PER_ENDPOINT_MAX = 16;
/** Services of one node: each may hold a pool of connections in every worker. */
export const SERVICES_MAX = 100;
