// Schemas of OpenAPI as JSON Schema (2020-12): 3.1 has those by itself, 3.0 differs in a few words. References within
// the document become references to it by name.

import { EdgeError } from "../../../sdk/errors.ts";
import { SCHEMA_ID } from "../../../sdk/gateway/openapi.ts";

/** Deeper schemas are generated ones that went wrong. */
const DEPTH_MAX = 64;
const BOUNDS = [
  ["exclusiveMinimum", "minimum"],
  ["exclusiveMaximum", "maximum"],
] as const;

export type Fields = Readonly<Record<string, unknown>>;

export function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : {};
}

/** Throws what is wrong with a reference. */
export function jsonSchema(value: unknown, depth = 0): unknown {
  if (depth > DEPTH_MAX) throw problem(`a schema of more than ${DEPTH_MAX} levels`);
  if (Array.isArray(value)) return value.map((item: unknown) => jsonSchema(item, depth + 1));
  if (typeof value !== "object" || value === null) return value;
  const made: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    made[name] =
      name === "$ref" && typeof field === "string"
        ? referred(field)
        : name === "example" || name === "default" || name === "enum" || name === "const"
          ? field
          : jsonSchema(field, depth + 1);
  }
  if (made["nullable"] === true && typeof made["type"] === "string") {
    made["type"] = [made["type"], "null"];
    if (Array.isArray(made["enum"])) made["enum"] = [...(made["enum"] as unknown[]), null];
  }
  if (typeof made["nullable"] === "boolean") delete made["nullable"];
  for (const [exclusive, bound] of BOUNDS) {
    if (typeof made[exclusive] !== "boolean") continue;
    if (made[exclusive]) {
      made[exclusive] = made[bound];
      delete made[bound];
    } else delete made[exclusive];
  }
  return made;
}

function referred(reference: string): string {
  if (!reference.startsWith("#/")) {
    throw problem(`$ref ${JSON.stringify(reference)} leads out of the document`);
  }
  return `${SCHEMA_ID}${reference}`;
}

export function problem(message: string): EdgeError {
  return new EdgeError("GATEWAY_CONFIG_INVALID", message);
}
