// The port of a binding, by its kind: what an isolate's calls of it reach.

import type { JsonObject } from "../sdk/errors.ts";
import type { ServicePort } from "../sdk/services/service.ts";
import type { ServiceActor } from "./actor.ts";
import { createCachePort } from "./cache/port.ts";
import { createDatabasePort } from "./database/port.ts";
import { createOutboxPort } from "./email/operator.ts";
import { createEmailPort, rulesOf } from "./email/port.ts";
import { createKvPort } from "./kv/port.ts";
import type { BackendKind, Backends } from "./open.ts";
import { createQueueOperatorPort } from "./queue/operator.ts";
import { createQueuePort } from "./queue/port.ts";
import { createRatePort } from "./ratelimit/port.ts";
import { createStoragePort } from "./storage/port.ts";

export interface PortRequest {
  /** Which part of the service (sdk/services/service.ts). */
  readonly scope: string;
  /** Of the binding, as the manifest says them; checked when published. */
  readonly options: JsonObject;
  /** The endpoint: whose turn a call takes. */
  readonly caller: string;
  /** The wall clock. */
  readonly now: () => number;
}

type CreatePort<K extends BackendKind> = (
  actor: ServiceActor<Backends[K]>,
  request: PortRequest,
) => ServicePort;

const PORTS: { readonly [K in BackendKind]: CreatePort<K> } = {
  email: (actor, { options, caller }) =>
    createEmailPort({ actor, rules: rulesOf(options), caller }),
  queue: (actor, { scope, options, caller }) =>
    createQueuePort({
      actor,
      queue: scope,
      delaySeconds: Number(options["delivery_delay"] ?? 0),
      caller,
    }),
  cache: (actor, { scope, caller, now }) => createCachePort({ actor, scope, caller, now }),
  ratelimit: (actor, { scope, options, caller }) =>
    createRatePort({
      actor,
      scope,
      rule: { limit: Number(options["limit"]), periodMs: 1_000 * Number(options["periodSeconds"]) },
      caller,
    }),
  kv: (actor, { scope, caller, now }) => createKvPort({ actor, namespace: scope, caller, now }),
  database: (actor, { scope, caller }) => createDatabasePort({ actor, database: scope, caller }),
  storage: (actor, { scope, caller }) => createStoragePort({ actor, bucket: scope, caller }),
};

export function createServicePort<K extends BackendKind>(
  kind: K,
  actor: ServiceActor<Backends[K]>,
  request: PortRequest,
): ServicePort {
  return PORTS[kind](actor, request);
}

/** What an operator may ask, and no handler; of other kinds it is the same. */
const OPERATOR_PORTS: { readonly [K in BackendKind]?: CreatePort<K> } = {
  email: (actor, { caller }) => createOutboxPort({ actor, caller }),
  queue: (actor, { scope, caller }) => createQueueOperatorPort({ actor, queue: scope, caller }),
};

export function createOperatorPort<K extends BackendKind>(
  kind: K,
  actor: ServiceActor<Backends[K]>,
  request: PortRequest,
): ServicePort {
  const create: CreatePort<K> = OPERATOR_PORTS[kind] ?? PORTS[kind];
  return create(actor, request);
}
