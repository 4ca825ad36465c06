// Bindings made through the API: beside those of the published version, and without publishing. They stay when other
// versions are published.

import { EdgeError, type JsonObject } from "../../sdk/errors.ts";
import type { Fleet, RegistryWriter } from "../../sdk/node.ts";
import type { Deployed } from "../../sdk/records.ts";
import {
  SERVICE_TYPES,
  type Binding,
  type ServiceKind,
  type ServiceRecord,
} from "../../sdk/services/service.ts";
import { timestamp, type Clock } from "../clock.ts";
import { parseInput } from "../parse.ts";
import { assertBindings, bindingError, bindingSchema, completeBinding } from "./bindings.ts";

export interface BoundPorts {
  readonly registry: RegistryWriter;
  readonly fleet: Pick<Fleet, "announce">;
  readonly clock: Clock;
  readonly alone: <T>(endpoint: string, work: () => Promise<T>) => Promise<T>;
}

export interface BindInput {
  /** Its name in `env`. */
  readonly alias: string;
  /** Without it, the first that the service's type serves. */
  readonly kind?: ServiceKind;
  readonly scope?: string;
  readonly options?: JsonObject;
}

export interface BindingControl {
  bind(endpoint: string, service: ServiceRecord, input: BindInput): Promise<Binding>;
  /** All that were made through the API. Rejects with SERVICE_NOT_FOUND when there are none. */
  unbind(endpoint: string, service: ServiceRecord): Promise<void>;
}

export function createBindingControl(ports: BoundPorts): BindingControl {
  return {
    bind: (endpoint, service, input) =>
      ports.alone(endpoint, async () => {
        const { alias: name, kind = SERVICE_TYPES[service.type][0], ...more } = input;
        const { registry } = ports;
        const found = existing(registry, endpoint);
        const manifest = found.versions[0]?.manifest;
        if (manifest?.bindings?.some((each) => each.name === name) === true) {
          const problem = "the name is taken by a binding of the published version";
          throw bindingError(name, problem, { field: "name" });
        }
        const request = parseInput(
          bindingSchema,
          { kind, name, service: service.name, ...more },
          {},
        );
        const binding = completeBinding(registry, endpoint, request);
        const bindings = [...(found.endpoint.bindings ?? []), binding];
        assertBindings(registry, manifest ?? { name: endpoint, vars: {} }, { bindings });
        await save(ports, found, bindings);
        return binding;
      }),
    unbind: (endpoint, { name }) =>
      ports.alone(endpoint, async () => {
        const found = existing(ports.registry, endpoint);
        const present = found.endpoint.bindings ?? [];
        const isIt = (each: Binding): boolean => "service" in each && each.service === name;
        const bindings = present.filter((each) => !isIt(each));
        if (bindings.length < present.length) return save(ports, found, bindings);
        const isPublished = found.versions[0]?.manifest.bindings?.some(isIt) === true;
        const why = isPublished ? "by its published version: publish it without" : "at all";
        const how = isPublished ? "bound" : "not bound";
        throw new EdgeError("SERVICE_NOT_FOUND", `${name} is ${how} to ${endpoint} ${why}`);
      }),
  };
}

function existing(registry: RegistryWriter, endpoint: string): Deployed {
  const found = registry.get(endpoint);
  if (found === null) throw new EdgeError("ENDPOINT_NOT_FOUND");
  return found;
}

async function save(
  { registry, fleet, clock }: BoundPorts,
  { endpoint }: Deployed,
  bindings: readonly Binding[],
): Promise<void> {
  const { bindings: _before, ...rest } = endpoint;
  const next = { ...rest, ...(bindings.length === 0 ? {} : { bindings }) };
  const revision = await registry.append([
    { op: "endpoint.put", endpoint: { ...next, updatedAt: timestamp(clock) } },
  ]);
  await fleet.announce(revision);
}
