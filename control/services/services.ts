// The services of the node: made, changed, asked whether they answer, activated, deactivated, deleted. Changes reach
// every worker like a publish does: one registry transaction, then the answer of all of them that they have read it.

import { randomUUID } from "node:crypto";
import { EdgeError, errorData, type Code, type JsonObject } from "../../sdk/errors.ts";
import type { Fleet, RegistryWriter } from "../../sdk/node.ts";
import { BUILT_IN, builtIn } from "../../sdk/services/built-in.ts";
import {
  SERVICE_NAME,
  SERVICES_MAX,
  type ServiceProbe,
  type ServiceRecord,
  type ServiceState,
  type ServiceType,
} from "../../sdk/services/service.ts";
import { timestamp, type Clock } from "../clock.ts";
import { UUID } from "../parse.ts";
import type { Vault } from "../secrets/vault.ts";
import { usersOf } from "./bindings.ts";
import { parseConfig, parseType } from "./config.ts";
import type { FileServices } from "./file.ts";
import { planServices } from "./plan.ts";
import { referencesOf, sealConfig, showConfig } from "./sealing.ts";

export interface ServicePorts {
  readonly registry: RegistryWriter;
  readonly fleet: Pick<Fleet, "announce">;
  readonly clock: Clock;
  readonly vault: Vault;
  /** Opens the service as a worker would and asks it. Rejects with an EdgeError. By the record's id. */
  readonly probe: (id: string) => Promise<ServiceProbe>;
}

export interface ServiceInput {
  readonly name: string;
  /** Under any of its names. */
  readonly type: string;
  readonly config: JsonObject;
  readonly state?: ServiceState;
}

export interface ServicePatch {
  readonly name?: string;
  /** Field by field; null takes one away. */
  readonly config?: JsonObject;
  readonly state?: ServiceState;
}

export type ServiceTest =
  | ({ readonly connected: true } & ServiceProbe)
  | { readonly connected: false; readonly code: Code; readonly message: string };

/** `address`: a service's id or name. Everything rejects with SERVICE_NOT_FOUND where there is none. */
export interface ServiceControl {
  find(address: string): ServiceRecord;
  create(input: ServiceInput): Promise<ServiceRecord>;
  update(address: string, patch: ServicePatch): Promise<ServiceRecord>;
  test(address: string): Promise<ServiceTest>;
  remove(address: string): Promise<void>;
  /** Names of the endpoints that use it. */
  users(service: ServiceRecord): readonly string[];
  /** All of it or nothing; whether anything changed. Rejects with GATEWAY_CONFIG_INVALID. */
  takeFile(file: FileServices): Promise<boolean>;
}

export function createServiceControl(ports: ServicePorts): ServiceControl {
  return {
    find: (address) => find(ports, address),
    create: async (input) => create(ports, input),
    update: async (address, patch) => update(ports, findAdded(ports, address), patch),
    test: async (address) => test(ports, find(ports, address)),
    remove: async (address) => remove(ports, findAdded(ports, address)),
    users: ({ name }) => usersOf(ports.registry.all(), name),
    takeFile: async (file) => {
      const ops = planServices(ports, file);
      if (ops.length === 0) return false;
      await ports.fleet.announce(await ports.registry.append(ops));
      return true;
    },
  };
}

function find({ registry }: ServicePorts, address: string): ServiceRecord {
  const all = registry.services();
  const found = all.find(({ name }) => name === address) ?? all.find(({ id }) => id === address);
  const service = found ?? builtIn(address);
  if (service === null) throw new EdgeError("SERVICE_NOT_FOUND");
  return service;
}

function findAdded(ports: ServicePorts, address: string): ServiceRecord {
  const service = find(ports, address);
  if (service.origin === "file") throw new EdgeError("SERVICE_OF_FILE");
  if (!BUILT_IN.includes(service)) return service;
  const message = "The embedded services are always there; they have nothing to set";
  throw new EdgeError("SERVICE_NOT_FOUND", message);
}

/** No await between looking and appending, here and below: nobody takes the name meanwhile. */
async function create(ports: ServicePorts, input: ServiceInput): Promise<ServiceRecord> {
  const type = parseType(input.type);
  const config = parseConfig(type, input.config);
  assertName(ports, input.name);
  if (ports.registry.services().length >= SERVICES_MAX) {
    throw invalid("name", `a node has ${SERVICES_MAX} services at most`);
  }
  assertReferences(ports, config);
  const at = timestamp(ports.clock);
  const id = randomUUID();
  return save(ports, {
    id,
    name: input.name,
    type,
    config: sealConfig(ports.vault, config, { id, config: {} }),
    state: input.state ?? "created",
    createdAt: at,
    updatedAt: at,
  });
}

async function update(
  ports: ServicePorts,
  service: ServiceRecord,
  { name = service.name, config, state = service.state }: ServicePatch,
): Promise<ServiceRecord> {
  if (name !== service.name) {
    assertName(ports, name);
    // Their manifests name it.
    assertUnused(ports, service);
  }
  const next = config === undefined ? service.config : changedConfig(ports, service, config);
  return save(ports, { ...service, name, state, config: next, updatedAt: timestamp(ports.clock) });
}

function changedConfig(ports: ServicePorts, service: ServiceRecord, patch: JsonObject): JsonObject {
  const given = { ...showConfig(service.config), ...patch };
  const isGone = (field: string): boolean =>
    given[field] === null ||
    // The default port follows the encryption.
    (field === "port" && patch["encryption"] !== undefined && patch["port"] === undefined);
  const fields = Object.entries(given).filter(([field]) => !isGone(field));
  const config = parseConfig(service.type, Object.fromEntries(fields));
  assertReferences(ports, config);
  return sealConfig(ports.vault, config, service);
}

async function save(ports: ServicePorts, service: ServiceRecord): Promise<ServiceRecord> {
  const revision = await ports.registry.append([{ op: "service.put", service }]);
  await ports.fleet.announce(revision);
  return service;
}

async function test(ports: ServicePorts, { id }: ServiceRecord): Promise<ServiceTest> {
  try {
    return { connected: true, ...(await ports.probe(id)) };
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    const { code, message } = errorData(error);
    return { connected: false, code, message };
  }
}

async function remove(ports: ServicePorts, service: ServiceRecord): Promise<void> {
  assertUnused(ports, service);
  const revision = await ports.registry.append([{ op: "service.delete", id: service.id }]);
  await ports.fleet.announce(revision);
}

function assertUnused({ registry }: ServicePorts, { name }: ServiceRecord): void {
  const endpoints = usersOf(registry.all(), name);
  if (endpoints.length === 0) return;
  const message = `${name} is used by ${endpoints.join(", ")}`;
  throw new EdgeError("SERVICE_IN_USE", message, { detail: { endpoints } });
}

function assertName({ registry }: ServicePorts, name: string): void {
  if (!SERVICE_NAME.test(name) || UUID.test(name)) {
    throw invalid("name", "1 to 63 letters, digits, blanks, ., _ and -, and no id");
  }
  if (builtIn(name) !== null) throw invalid("name", `${name} is always there`);
  if (registry.services().some((each) => each.name === name)) throw new EdgeError("SERVICE_EXISTS");
}

function assertReferences({ registry }: ServicePorts, config: JsonObject): void {
  const names = registry.secrets(null).map(({ name }) => name);
  for (const name of referencesOf(config)) {
    if (names.includes(name)) continue;
    const there = names.length === 0 ? "it has none" : `it has ${names.join(", ")}`;
    throw invalid("config", `the node has no secret "${name}"; ${there}`);
  }
}

function invalid(field: string, problem: string): EdgeError {
  const detail = { fields: [{ field, text: problem }] };
  return new EdgeError("INPUT_INVALID", `${field}: ${problem}`, { detail });
}

/** The type of the record, as the seeds' messages call it. */
export function typeTitle(type: ServiceType): string {
  const titles: Readonly<Record<ServiceType, string>> = {
    embedded: "Embedded",
    sqlite: "SQLite",
    postgres: "PostgreSQL",
    redis: "Redis",
    memcached: "Memcached",
    minio: "MinIO",
    email: "Email",
  };
  return titles[type];
}
