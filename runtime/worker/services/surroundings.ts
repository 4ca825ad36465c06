// What one endpoint's handler is given beside requests: vars, secrets and bindings, as the guest gets them at boot
// (runtime/guest/services/environment.ts), and the ports that calls of its bindings reach.

import type { Json } from "../../../sdk/errors.ts";
import type { RegistryReader } from "../../../sdk/node.ts";
import type { EndpointRecord, Manifest, SecretRecord } from "../../../sdk/records.ts";
import { EMBEDDED } from "../../../sdk/services/built-in.ts";
import { packEnvironment } from "../../../sdk/services/environment.ts";
import type { Binding, ServicePort } from "../../../sdk/services/service.ts";
import { createServicePort } from "../../../services/ports.ts";
import type { EndpointFaults, Faults } from "./faults.ts";
import type { ServiceHub } from "./hub.ts";
import type { BoundEndpoint } from "./inner-fetch.ts";

export interface SurroundingsOptions {
  readonly hub: ServiceHub;
  readonly faults: Faults;
  readonly reader: Pick<RegistryReader, "secrets">;
  /** Opens a secret. Throws an EdgeError when the node's key does not fit. */
  readonly unseal: (secret: SecretRecord) => string;
  /** The wall clock. */
  readonly now: () => number;
}

export interface Surroundings {
  /** The handler's `env`, packed. */
  readonly env: string;
  /** By the binding's name. One isolate's: its streams and transactions are nobody else's. */
  createPorts(): ReadonlyMap<string, ServicePort>;
  /** What stands before its fetches. */
  readonly faults: EndpointFaults;
  /** Endpoints that it may call, by the binding's name. */
  readonly endpoints: ReadonlyMap<string, BoundEndpoint>;
}

export function surroundingsOf(
  endpoint: Pick<EndpointRecord, "name" | "bindings">,
  manifest: Manifest,
  { hub, reader, unseal, now, faults }: SurroundingsOptions,
): Surroundings {
  const bindings = [...(manifest.bindings ?? []), ...(endpoint.bindings ?? [])];
  const vars: Record<string, Json> = { ...manifest.vars };
  for (const secret of reader.secrets(endpoint.name)) vars[secret.name] = unseal(secret);
  const own = faults.of(endpoint.name, manifest.faults);
  return {
    faults: own,
    env: packEnvironment(vars, bindings),
    endpoints: new Map(
      bindings.flatMap((each): [string, BoundEndpoint][] => {
        if (each.kind !== "endpoint") return [];
        const { name, endpoint: callee, entrypoint = "" } = each;
        return [[name, { endpoint: callee, entrypoint }]];
      }),
    ),
    createPorts: () =>
      new Map(
        [...bindings, cachesOf(endpoint.name)].flatMap((binding) => {
          const port = portOf(binding, { hub, caller: endpoint.name, now });
          if (port === null) return [];
          // The global `caches` is no binding.
          const { name } = binding;
          return [[name, name === "" ? port : own.port(name, port)] as const];
        }),
      ),
  };
}

/** Changes when what surroundingsOf makes of an unchanged version does. Holds no secret in clear. */
export function surroundingsKey(
  endpoint: Pick<EndpointRecord, "name" | "bindings">,
  { reader }: Pick<SurroundingsOptions, "reader">,
): string {
  const secrets = reader.secrets(endpoint.name);
  if (endpoint.bindings === undefined && secrets.length === 0) return "";
  return JSON.stringify([endpoint.bindings ?? [], secrets]);
}

/** What the global `caches` reaches (runtime/guest/caches.ts): every endpoint has one of its own. */
function cachesOf(endpoint: string): Binding {
  return { kind: "cache", name: "", service: EMBEDDED, scope: endpoint };
}

function portOf(
  binding: Binding,
  {
    hub,
    caller,
    now,
  }: { readonly hub: ServiceHub; readonly caller: string; readonly now: () => number },
): ServicePort | null {
  if (binding.kind === "endpoint") return null;
  if (binding.kind === "ratelimit") {
    const { name, limit, periodSeconds } = binding;
    const scope = `${caller}/${name}`;
    const options = { limit, periodSeconds };
    const actor = hub.actor("ratelimit", EMBEDDED);
    return createServicePort("ratelimit", actor, { scope, options, caller, now });
  }
  const { kind, service, scope, options = {} } = binding;
  return createServicePort(kind, hub.actor(kind, service), { scope, options, caller, now });
}
