// Secrets of endpoints (texts of their handlers' `env`) and of the node (for services' configurations): written,
// listed by name, deleted, never read back.

import { EdgeError, type JsonObject } from "../../sdk/errors.ts";
import { VAR_BYTES_MAX, VARS_PER_ENDPOINT_MAX } from "../../sdk/limits.ts";
import type { Fleet, RegistryReader, RegistryWriter } from "../../sdk/node.ts";
import type { ChangeOp, SecretRecord } from "../../sdk/records.ts";
import { timestamp, type Clock } from "../clock.ts";
import { bindingsOf } from "../services/bindings.ts";
import { referencesOf, sealedFieldsOf } from "../services/sealing.ts";
import type { Vault } from "./vault.ts";

export const SECRET_BYTES_MAX: number = VAR_BYTES_MAX;
/** Of one endpoint, or of the node. */
export const SECRETS_MAX: number = VARS_PER_ENDPOINT_MAX;
const NAME: RegExp = /^[A-Za-z_]\w{0,127}$/;

export interface SecretPorts {
  readonly registry: RegistryWriter;
  readonly fleet: Pick<Fleet, "announce">;
  readonly clock: Clock;
  readonly vault: Vault;
  /** While nothing else changes the endpoint: a publish looks at its secrets, then loads it with them. */
  readonly alone: <T>(endpoint: string, work: () => Promise<T>) => Promise<T>;
}

/** null takes one away. */
export type SecretValues = { readonly [name: string]: string | null };

export interface SecretControl {
  list(endpoint: string | null): readonly Pick<SecretRecord, "name" | "updatedAt">[];
  /** All of them or, when one is refused, none. Values that are there already change nothing. */
  put(endpoint: string | null, values: SecretValues): Promise<void>;
}

export function createSecretControl(ports: SecretPorts): SecretControl {
  const { registry } = ports;
  return {
    list: (endpoint) => {
      assertOwner(registry, endpoint);
      return registry.secrets(endpoint).map(({ name, updatedAt }) => ({ name, updatedAt }));
    },
    put: (endpoint, values) => {
      const work = (): Promise<void> => put(ports, endpoint, values);
      return endpoint === null ? work() : ports.alone(endpoint, work);
    },
  };
}

async function put(
  ports: SecretPorts,
  endpoint: string | null,
  values: SecretValues,
): Promise<void> {
  const { registry, fleet, clock, vault } = ports;
  assertOwner(registry, endpoint);
  const present = new Map(registry.secrets(endpoint).map((each) => [each.name, each]));
  const names = new Set(present.keys());
  const ops = Object.entries(values).flatMap(([name, value]): ChangeOp[] => {
    const old = present.get(name);
    if (value === null) {
      if (old === undefined) throw new EdgeError("SECRET_NOT_FOUND", `There is no secret ${name}`);
      if (endpoint === null) assertUnused(registry, name);
      names.delete(name);
      return [{ op: "secret.delete", endpoint, name }];
    }
    assertFits(registry, endpoint, { name, value });
    names.add(name);
    if (old !== undefined && isSame(vault, old, value)) return [];
    const sealed = vault.seal(value, { endpoint, name });
    return [{ op: "secret.put", secret: { endpoint, name, sealed, updatedAt: timestamp(clock) } }];
  });
  if (names.size > SECRETS_MAX) throw invalid(`there are ${SECRETS_MAX} secrets at most`, {});
  if (ops.length > 0) await fleet.announce(await registry.append(ops));
}

function assertOwner(registry: RegistryReader, endpoint: string | null): void {
  if (endpoint !== null && registry.get(endpoint) === null) {
    throw new EdgeError("ENDPOINT_NOT_FOUND");
  }
}

function isSame(vault: Vault, old: SecretRecord, value: string): boolean {
  try {
    return vault.unseal(old.sealed, old) === value;
  } catch {
    // Sealed with a key that is lost; this replaces it.
    return false;
  }
}

function assertFits(
  registry: RegistryReader,
  endpoint: string | null,
  { name, value }: { readonly name: string; readonly value: string },
): void {
  if (!NAME.test(name)) {
    throw invalid(`${JSON.stringify(name)} is no name: letters, digits and _, 128 at most`, {});
  }
  if (value === "") throw invalid(`${name} is empty`, { name });
  if (Buffer.byteLength(value) > SECRET_BYTES_MAX) {
    throw invalid(`${name} has more than ${SECRET_BYTES_MAX} bytes`, { name });
  }
  if (endpoint === null) return;
  const found = registry.get(endpoint);
  const manifest = found?.versions[0]?.manifest;
  const binding = bindingsOf(found?.endpoint, manifest).find((each) => each.name === name);
  const isVariable = Object.hasOwn(manifest?.vars ?? {}, name);
  if (binding === undefined && !isVariable) return;
  const taken = `the name is taken by ${isVariable ? "a variable" : "a binding"}`;
  throw new EdgeError("BINDING_INVALID", `${name}: ${taken}`, { detail: { binding: name } });
}

function assertUnused(registry: RegistryReader, name: string): void {
  const users = registry.services().filter(({ config }) => referencesOf(config).includes(name));
  if (users.length === 0) return;
  const services = users.map((service) => service.name);
  const message = `${name} is used by ${services.join(", ")}`;
  throw new EdgeError("SECRET_IN_USE", message, { detail: { services } });
}

function invalid(problem: string, detail: JsonObject): EdgeError {
  return new EdgeError("INPUT_INVALID", problem, { detail });
}

/** Whether anything in the registry can be read with the right key only. */
export function hasSecrets(registry: RegistryReader): boolean {
  return sealedPlaces(registry).next().done === false;
}

/** What cannot be opened with this key, in words for the log. */
export function unreadableSecrets(registry: RegistryReader, vault: Vault): readonly string[] {
  const found: string[] = [];
  for (const { what, open } of sealedPlaces(registry)) {
    try {
      open(vault);
    } catch {
      found.push(what);
    }
  }
  return found;
}

interface Sealed {
  readonly what: string;
  readonly open: (vault: Vault) => void;
}

function* sealedPlaces(registry: RegistryReader): Generator<Sealed> {
  const owners = [null, ...registry.all().map(({ endpoint }) => endpoint.name)];
  for (const owner of owners) {
    for (const secret of registry.secrets(owner)) {
      const what = `secret ${secret.name} of ${owner ?? "the node"}`;
      yield { what, open: (vault) => vault.unseal(secret.sealed, secret) };
    }
  }
  for (const service of registry.services()) {
    for (const [field, sealed] of sealedFieldsOf(service.config)) {
      const what = `${field} of service ${service.name}`;
      const place = { service: service.id, field };
      yield { what, open: (vault) => vault.unseal(sealed, place) };
    }
  }
}
