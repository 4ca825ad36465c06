// Which part of which service an operator means: a service by its name or id, and of it the part that bindings call
// scope; or in one word, as bindings name the part.

import { z } from "zod";
import { parseInput } from "../control/parse.ts";
import { bindingsOf, isWhole, scopeSchema } from "../control/services/bindings.ts";
import { EdgeError } from "../sdk/errors.ts";
import { builtIn } from "../sdk/services/built-in.ts";
import { SERVICE_TYPES, type ServiceKind } from "../sdk/services/service.ts";
import type { AdminDeps } from "./deps.ts";
import { queuesOf } from "./queues.ts";

export interface Part {
  readonly service: string;
  readonly scope: string;
}

const partSchema = z.strictObject({ scope: scopeSchema });

type Deps = Pick<AdminDeps, "registry" | "services">;

/** Throws SERVICE_NOT_FOUND, or INPUT_INVALID when the word means several parts or too little is said. */
export function findPart(
  deps: Deps,
  kind: ServiceKind,
  { name, scope }: { readonly name: string; readonly scope: string | undefined },
): Part {
  const records = deps.registry.services();
  const isService =
    builtIn(name) !== null || records.some((record) => record.name === name || record.id === name);
  const parts = boundParts(deps, kind);
  if (isService || scope !== undefined) return partOf(deps, kind, { name, scope, parts });
  const found = parts.filter((part) => part.scope === name);
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  if (first === undefined) {
    const there = listOf([...parts.map((part) => part.scope), ...records.map((each) => each.name)]);
    const message = `No service is called ${name}, and no endpoint binds a ${kind} of this name; ${there}`;
    throw new EdgeError("SERVICE_NOT_FOUND", message);
  }
  const services = found.map(({ service }) => service).join(", ");
  throw invalid(`the services ${services} have a ${kind} ${name} each: name service and scope`);
}

function partOf(
  { services }: Deps,
  kind: ServiceKind,
  given: { readonly name: string; readonly scope: string | undefined; parts: readonly Part[] },
): Part {
  const found = services.find(given.name);
  const { name: service, type } = found;
  if (!SERVICE_TYPES[type].includes(kind)) {
    const kinds = SERVICE_TYPES[type].join(", ");
    throw invalid(`${service} is of type ${type}, which serves ${kinds} and no ${kind}`);
  }
  if (isWhole(found, kind)) return { service, scope: "" };
  if (given.scope !== undefined && given.scope !== "") {
    const { scope } = parseInput(partSchema, { scope: given.scope }, {});
    return { service, scope };
  }
  const scopes = given.parts.filter((part) => part.service === service).map((part) => part.scope);
  throw invalid(`which of ${service}? ${listOf(scopes)}`);
}

/** Of endpoints' present versions, each once. */
function boundParts({ registry }: Deps, kind: ServiceKind): readonly Part[] {
  // Those that nobody but a consumer names are none the less queues.
  if (kind === "queue")
    return queuesOf(registry).map(({ service, queue }) => ({ service, scope: queue }));
  const found = new Map<string, Part>();
  for (const { endpoint, versions } of registry.all()) {
    for (const binding of bindingsOf(endpoint, versions[0]?.manifest)) {
      if (binding.kind !== kind || binding.scope === "") continue;
      const { service, scope } = binding;
      found.set(`${service} ${scope}`, { service, scope });
    }
  }
  return [...found.values()];
}

function listOf(names: readonly string[]): string {
  return names.length === 0 ? "there are none" : `there are ${[...new Set(names)].join(", ")}`;
}

function invalid(text: string): EdgeError {
  const detail = { fields: [{ field: "scope", text }] };
  return new EdgeError("INPUT_INVALID", `scope: ${text}`, { detail });
}
