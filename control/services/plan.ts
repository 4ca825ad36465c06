// From what the configuration file says of services, and what the registry has, to what has to change. The file owns
// the services that it names: they change with it, and with nothing else. All others stay as they are.

import { createHash } from "node:crypto";
import type { JsonObject } from "../../sdk/errors.ts";
import type { RegistryReader } from "../../sdk/node.ts";
import type { ChangeOp } from "../../sdk/records.ts";
import { SERVICES_MAX, type ServiceRecord } from "../../sdk/services/service.ts";
import { timestamp, type Clock } from "../clock.ts";
import type { Finding } from "../gateway/faults.ts";
import { nearest } from "../gateway/suggestion.ts";
import type { Vault } from "../secrets/vault.ts";
import { usersOf } from "./bindings.ts";
import { fileFaultFindings } from "./faults.ts";
import type { FileServices, ServiceFields } from "./file.ts";
import { holdsConfig, referenceOf, sealConfig } from "./sealing.ts";

export interface PlanPorts {
  readonly registry: RegistryReader;
  readonly clock: Clock;
  readonly vault: Vault;
}

/** Throws GATEWAY_CONFIG_INVALID, with every place of the file that cannot be. Empty: all is as the file says. */
export function planServices(
  ports: PlanPorts,
  { byName, faults, refuse }: FileServices,
): ChangeOp[] {
  const { registry } = ports;
  const present = new Map(registry.services().map((service) => [service.name, service]));
  const found = fileFaultFindings(registry, faults);
  const ops: ChangeOp[] = [];
  for (const service of present.values()) {
    if (service.origin !== "file" || Object.hasOwn(byName, service.name)) continue;
    const users = usersOf(registry.all(), service.name);
    if (users.length > 0) found.push(stillUsed(service, users));
    ops.push({ op: "service.delete", id: service.id });
  }
  for (const [name, fields] of Object.entries(byName)) {
    const stored = present.get(name) ?? null;
    found.push(...referenceFindings(registry, name, fields.config));
    if (stored !== null) found.push(...storedFindings(registry, stored, fields));
    const service = recordOf(ports, { name, fields, stored });
    if (service !== stored) ops.push({ op: "service.put", service });
  }
  const added = [...present.values()].filter(({ origin }) => origin !== "file").length;
  if (added + Object.keys(byName).length > SERVICES_MAX) {
    const problem = `with the ${added} made through the API these are too many`;
    found.push({ path: ["services"], expected: `at most ${SERVICES_MAX} services`, problem });
  }
  if (found.length > 0) throw refuse(found);
  return ops;
}

/** What is stored, where it is as the file says. */
function recordOf(
  { clock, vault }: PlanPorts,
  given: {
    readonly name: string;
    readonly fields: ServiceFields;
    readonly stored: ServiceRecord | null;
  },
): ServiceRecord {
  const { name, stored } = given;
  const { type, enabled, config } = given.fields;
  const state = enabled ? "available" : "deactivated";
  const isSame = stored !== null && stored.type === type && holdsConfig(vault, stored, config);
  if (isSame && stored.state === state) return stored;
  const at = timestamp(clock);
  const id = stored?.id ?? idOf(name);
  return {
    id,
    name,
    type,
    config: isSame ? stored.config : sealConfig(vault, config, { id, config: {} }),
    state,
    origin: "file",
    createdAt: stored?.createdAt ?? at,
    updatedAt: at,
  };
}

/** By its name, so that one that comes back has what embedded backends kept for it. In the form of all ids. */
function idOf(name: string): string {
  const hash = createHash("sha256").update(`service of the file: ${name}`).digest("hex");
  return hash.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, "$1-$2-$3-$4-$5");
}

function stillUsed({ name }: ServiceRecord, users: readonly string[]): Finding {
  const problem = `"${name}" is gone, but used by ${users.join(", ")}`;
  return { path: ["services"], expected: `${name}, or endpoints without it`, problem };
}

function storedFindings(
  registry: RegistryReader,
  { name, type, origin }: ServiceRecord,
  fields: ServiceFields,
): Finding[] {
  if (origin !== "file") {
    const problem = "a service of this name was made through the API";
    return [{ path: ["services", name], isKey: true, expected: "another name", problem }];
  }
  const users = type === fields.type ? [] : usersOf(registry.all(), name);
  if (users.length === 0) return [];
  const problem = `found ${fields.type}, while ${users.join(", ")} uses it as ${type}`;
  return [{ path: ["services", name, "type"], expected: type, problem }];
}

/** As at the API: secrets that are named are there. */
function referenceFindings(registry: RegistryReader, name: string, config: JsonObject): Finding[] {
  const names = registry.secrets(null).map((secret) => secret.name);
  return Object.entries(config).flatMap(([field, value]): Finding[] => {
    const reference = referenceOf(value);
    if (reference === null || names.includes(reference)) return [];
    const problem = `the node has no secret "${reference}"`;
    const expected = names.length === 0 ? "one that it has" : `one of ${names.join(", ")}`;
    const suggestion = nearest(reference, names) ?? "";
    return [{ path: ["services", name, field], expected, problem, suggestion }];
  });
}
