// Where two documents say different things.

import type { Json } from "../../sdk/errors.ts";

export interface Difference {
  /** As routes.users.target.kind: what has a name stands under it, so that one more in a list moves nothing. */
  readonly field: string;
  /** null: not there. */
  readonly file: Json;
  readonly running: Json;
}

export function differences(file: Json, running: Json): Difference[] {
  const [there, here] = [leaves(file), leaves(running)];
  const fields = [...new Set([...there.keys(), ...here.keys()])].toSorted();
  return fields
    .map((field) => ({
      field,
      file: there.get(field) ?? null,
      running: here.get(field) ?? null,
    }))
    .filter((one) => one.file !== one.running);
}

function leaves(value: Json): Map<string, Json> {
  const found = new Map<string, Json>();
  const visit = (one: Json, path: string): void => {
    if (typeof one !== "object" || one === null) {
      found.set(path, one);
      return;
    }
    for (const [name, inner] of named(one)) visit(inner, path === "" ? name : `${path}.${name}`);
  };
  visit(value, "");
  return found;
}

/** By position where names do not tell the items of a list apart. */
function named(value: object): [string, Json][] {
  const entries = Object.entries(value) as [string, Json][];
  if (!Array.isArray(value)) return entries;
  const byName = entries.map(([key, one]): [string, Json] => [nameOf(one) ?? key, one]);
  return new Set(byName.map(([name]) => name)).size === entries.length ? byName : entries;
}

function nameOf(value: Json): string | null {
  if (typeof value !== "object" || value === null) return null;
  const name: unknown = Reflect.get(value, "name") ?? Reflect.get(value, "url");
  return typeof name === "string" ? name : null;
}
