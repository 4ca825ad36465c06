// What the commands on databases share: how one is named, where the node takes what is asked of it, files of SQL.

import type { JsonObject } from "../sdk/errors.ts";
import { NODE_OPTIONS } from "./command.ts";
import { readInput } from "./files.ts";
import type { ArgumentSpec, OptionSpec } from "./command.ts";
import { PART_OPTIONS } from "./project/part.ts";
import type { NamedPart } from "./project/part.ts";

export const NAME: ArgumentSpec = {
  name: "<name>",
  summary: "a database: a binding of the project here, its name in bindings, or a service",
};
export const SQL_OPTIONS: readonly OptionSpec[] = [...PART_OPTIONS, ...NODE_OPTIONS];

/** Throws FILE_UNREADABLE or BODY_TOO_LARGE. `shown`: what people call the file. */
export function readSql(file: string, shown: string): string {
  return readInput(file, shown, "")
    .toString("utf8")
    .replace(/^\ufeff/, "");
}

export function databasePath({ name }: NamedPart, verb: string): string {
  return `/api/databases/${encodeURIComponent(name)}/${verb}`;
}

export function scopeOf({ scope }: NamedPart): JsonObject {
  return scope === undefined ? {} : { scope };
}

export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
