// What a command calls a part of a service by: a binding of the project in this folder, the name that the binding gives
// the part, or what the node knows under the word.

import { resolve } from "node:path";
import { EdgeError } from "../../sdk/errors.ts";
import { EMBEDDED } from "../../sdk/services/built-in.ts";
import type { ServiceKind } from "../../sdk/services/service.ts";
import type { CommandContext, OptionSpec } from "../command.ts";
import { listBindings } from "./bindings.ts";
import { readProjectHere } from "./project.ts";

export interface NamedPart {
  /** A service, or with no scope a word for the node to understand. */
  readonly name: string;
  readonly scope: string | undefined;
  /** What relative paths of the project start from, absolute. */
  readonly folder: string;
  /** A text field of the binding. */
  readonly text: (field: string) => string | undefined;
}

export const PART_OPTIONS: readonly OptionSpec[] = [
  {
    flags: "--scope <name>",
    summary: "the name is a service's; which part of it, as bindings name it",
  },
  { flags: "--env <name>", summary: "environment of the configuration file in this folder" },
];

/** Names and ids, as wrangler's commands take them too. */
const ID_FIELDS: Readonly<Partial<Record<ServiceKind, string>>> = {
  database: "database_id",
  kv: "id",
};

export function findPart(
  { values, cwd }: CommandContext,
  kind: ServiceKind,
  name: string,
): NamedPart {
  const scope = values.text("scope");
  const unknown: NamedPart = { name, scope, folder: resolve(cwd), text: () => undefined };
  if (scope !== undefined) return unknown;
  const project = readProjectHere(values, cwd);
  if (project === null) return unknown;
  const found = new Map<string, NamedPart>();
  for (const { request, text } of listBindings(project.services)) {
    if (request.kind !== kind) continue;
    const id = ID_FIELDS[kind];
    const words = [request.name, request.scope, id === undefined ? undefined : text(id)];
    if (!words.includes(name)) continue;
    const { service = EMBEDDED } = request;
    const part = request.scope ?? `${project.name}/${request.name.toLowerCase()}`;
    found.set(`${service} ${part}`, { name: service, scope: part, folder: project.cwd, text });
  }
  const [first, ...others] = found.values();
  if (first !== undefined && others.length === 0) return first;
  if (first === undefined) return unknown;
  const parts = [...found.values()].map((part) => `${part.name} --scope ${part.scope ?? ""}`);
  throw new EdgeError("USAGE", `${name} means several here: say ${parts.join(" or ")}`);
}
