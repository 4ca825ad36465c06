// A service's configuration as the registry holds it, as people see it and as a backend gets it: the same fields, their
// secrets sealed, masked, in clear. A reference to a secret of the node is none itself, and stays as it is until a
// backend is opened.

import { isDeepStrictEqual } from "node:util";
import { EdgeError, type Json, type JsonObject } from "../../sdk/errors.ts";
import type { SecretRecord } from "../../sdk/records.ts";
import type { ServiceRecord } from "../../sdk/services/service.ts";
import type { Vault } from "../secrets/vault.ts";

/** Sealed at rest and never shown. */
export const SECRET_FIELDS: ReadonlySet<string> = new Set(["password", "secret_key"]);
/** In place of a secret, in every answer; sent back it means the one that is there. */
export const MASK = "***";

/** Secret fields of `config` that are new; those that say MASK are taken from what is stored. */
export function sealConfig(
  vault: Vault,
  config: JsonObject,
  stored: Pick<ServiceRecord, "id" | "config">,
): JsonObject {
  return mapSecrets(config, (value, field) => {
    if (value !== MASK) return vault.seal(value, { service: stored.id, field });
    const kept = stored.config[field];
    if (kept !== undefined) return kept;
    const problem = `${MASK} stands for what is stored, and nothing is`;
    const detail = { fields: [{ field: `config.${field}`, text: problem }] };
    throw new EdgeError("INPUT_INVALID", `config.${field}: ${problem}`, { detail });
  });
}

export function showConfig(config: JsonObject): JsonObject {
  return mapSecrets(config, () => MASK);
}

/** In clear. `secrets`: the node's own. Throws SECRET_UNREADABLE or SECRET_NOT_FOUND. */
export function openConfig(
  { id, config }: Pick<ServiceRecord, "id" | "config">,
  { vault, secrets }: { readonly vault: Vault; readonly secrets: readonly SecretRecord[] },
): JsonObject {
  const opened = mapSecrets(config, (value, field) => vault.unseal(value, { service: id, field }));
  const resolve = (value: Json): Json => {
    const name = referenceOf(value);
    if (name === null) return value;
    const secret = secrets.find((each) => each.name === name);
    if (secret !== undefined) return vault.unseal(secret.sealed, secret);
    throw new EdgeError("SECRET_NOT_FOUND", `The node has no secret ${name}`);
  };
  return Object.fromEntries(Object.entries(opened).map(([name, value]) => [name, resolve(value)]));
}

/** Whether `config`, in clear, is what is stored. References are compared as such. */
export function holdsConfig(
  vault: Vault,
  { id, config: stored }: Pick<ServiceRecord, "id" | "config">,
  config: JsonObject,
): boolean {
  try {
    const open = (text: string, field: string): string =>
      vault.unseal(text, { service: id, field });
    return isDeepStrictEqual(mapSecrets(stored, open), config);
  } catch {
    // Sealed with a key that is lost; what is given replaces it.
    return false;
  }
}

/** Fields that hold something sealed, and what. */
export function sealedFieldsOf(config: JsonObject): readonly (readonly [string, string])[] {
  const fields: [string, string][] = [];
  mapSecrets(config, (value, field) => {
    fields.push([field, value]);
    return value;
  });
  return fields;
}

function mapSecrets(config: JsonObject, map: (value: string, field: string) => Json): JsonObject {
  const entries = Object.entries(config).map(([field, value]: [string, Json]) => {
    const isSecret = SECRET_FIELDS.has(field) && typeof value === "string";
    return [field, isSecret && referenceOf(value) === null ? map(value, field) : value] as const;
  });
  return Object.fromEntries(entries);
}

const REFERENCE: RegExp = /^\$\{secret:([A-Za-z_]\w{0,127})\}$/;

/** The name of the node's secret that stands for the whole text; null: it stands for itself. */
export function referenceOf(value: Json): string | null {
  return typeof value === "string" ? (REFERENCE.exec(value)?.[1] ?? null) : null;
}

export function referencesOf(config: JsonObject): readonly string[] {
  return Object.values(config).flatMap((value) => referenceOf(value) ?? []);
}
