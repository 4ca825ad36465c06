// Which keys a map of the file may have, asked of the schema as JSON Schema.

import type { Path } from "./yaml.ts";

export function createKeysAt(schema: object): (path: Path) => readonly string[] {
  return (path) => {
    let at: unknown[] = [schema];
    for (const part of path) at = branches(at).flatMap((one) => child(one, part));
    return [...new Set(branches(at).flatMap(keysOf))];
  };
}

function keysOf(schema: unknown): string[] {
  const properties = field(schema, "properties");
  return typeof properties === "object" && properties !== null ? Object.keys(properties) : [];
}

function branches(schemas: readonly unknown[]): unknown[] {
  return schemas.flatMap((schema) => {
    const any = field(schema, "anyOf");
    return Array.isArray(any) ? branches(any) : [schema];
  });
}

function child(schema: unknown, part: string | number): unknown[] {
  const found =
    typeof part === "number"
      ? field(schema, "items")
      : (field(field(schema, "properties"), part) ?? field(schema, "additionalProperties"));
  return typeof found === "object" && found !== null ? [found] : [];
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
