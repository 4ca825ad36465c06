// What the commands on databases share: how one is named, where the node takes what is asked of it, files of SQL.

import { readFileSync, statSync } from "node:fs";
import { EdgeError } from "../sdk/errors.ts";
import type { JsonObject } from "../sdk/errors.ts";
import { OPERATOR_BYTES_MAX } from "../sdk/services/service.ts";
import { NODE_OPTIONS } from "./command.ts";
import type { ArgumentSpec, OptionSpec } from "./command.ts";
import { PART_OPTIONS } from "./project/part.ts";
import type { NamedPart } from "./project/part.ts";

export const NAME: ArgumentSpec = {
  name: "<name>",
  summary: "a database: a binding of the project here, its name in bindings, or a service",
};
export const SQL_OPTIONS: readonly OptionSpec[] = [...PART_OPTIONS, ...NODE_OPTIONS];

/** Throws USAGE or BODY_TOO_LARGE. `shown`: what people call the file. */
export function readSql(file: string, shown: string): string {
  let text: string;
  try {
    if (statSync(file).size > OPERATOR_BYTES_MAX) {
      throw new EdgeError("BODY_TOO_LARGE", `${shown} has more than ${OPERATOR_BYTES_MAX} bytes`);
    }
    text = readFileSync(file, "utf8");
  } catch (cause) {
    if (cause instanceof EdgeError) throw cause;
    throw new EdgeError("USAGE", `${shown} cannot be read`, { cause });
  }
  return text.replace(/^\ufeff/, "");
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
