// Files of other gateways made into ours: what they say, what has no counterpart, and what is no longer the same. The
// result is a text for people to read and keep: notes stand in it as comments.

import { basename } from "node:path";
import { z } from "zod";
import type { ConfigFault } from "../../../sdk/gateway/config.ts";
import { parseGatewayConfig } from "../config.ts";
import { configInvalid, faultOf, findingsOf } from "../faults.ts";
import { createKeysAt } from "../known-keys.ts";
import { parseYaml, type Path, type YamlFile } from "../yaml.ts";
import { draftText, Notes, shownValue, type Draft, type ImportNote } from "./draft.ts";
import { ferrowaySchema, importFerroway } from "./ferroway.ts";
import { importRustGateway, rustGatewaySchema } from "./rust-gateway.ts";
import type { Source } from "./source.ts";

export const IMPORT_FORMATS = ["ferroway", "rust-gateway"] as const;
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

export interface Imported {
  /** Of an edge.yaml. */
  readonly yaml: string;
  readonly notes: readonly ImportNote[];
}

const TITLES: Readonly<Record<ImportFormat, string>> = {
  ferroway: "Ferroway",
  "rust-gateway": "rust-gateway",
};
/** Stands in for what the file leaves to the environment while the result is checked. */
const SECRET_TRIED = "x".repeat(64);

/** Throws GATEWAY_CONFIG_INVALID with the places that are wrong in `text`. */
export function importConfig(format: ImportFormat, path: string, text: string): Imported {
  const file = basename(path);
  const yaml = parseYaml(text, null);
  if (yaml.faults.length > 0) {
    throw configInvalid(
      yaml.faults.map((fault): ConfigFault => ({ file, field: "", suggestion: "", ...fault })),
    );
  }
  const notes = new Notes();
  const draft =
    format === "ferroway"
      ? drafted(ferrowaySchema, importFerroway, { file, yaml, notes })
      : drafted(rustGatewaySchema, importRustGateway, { file, yaml, notes });
  const said = notes.all.map(({ line, text: note }) => (line > 0 ? `line ${line}: ${note}` : note));
  const head = [
    `Made of ${file}, a configuration of ${TITLES[format]}, by edge config import.`,
    ...said.map((note) => `- ${note}`),
  ];
  const made = draftText(draft, head);
  parseGatewayConfig({ path, text: made, variables: { JWT_SECRET: SECRET_TRIED } });
  return { yaml: made, notes: notes.all };
}

interface Subject {
  readonly file: string;
  readonly yaml: YamlFile;
  readonly notes: Notes;
}

function drafted<T>(
  schema: z.ZodType<T, unknown>,
  make: (fields: T, source: Source, notes: Notes) => Draft,
  { file, yaml, notes }: Subject,
): Draft {
  const { value, place } = yaml;
  const keysAt = createKeysAt(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }));
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const found = findingsOf(parsed.error.issues, { value, keysAt });
    throw configInvalid(found.map((finding) => faultOf(finding, file, place)));
  }
  for (const path of strangers(value, [], keysAt)) {
    const name = String(path.at(-1));
    const shown = shownValue(name, valueAt(value, path));
    notes.add(`${path.join(".")}${shown} has no counterpart and is left out`, place(path, true));
  }
  return make(parsed.data, { place }, notes);
}

/** Keys that the format does not have. */
function strangers(value: unknown, path: Path, keysAt: (path: Path) => readonly string[]): Path[] {
  if (typeof value !== "object" || value === null) return [];
  if (Array.isArray(value)) {
    return value.flatMap((item: unknown, index) => strangers(item, [...path, index], keysAt));
  }
  const known = keysAt(path);
  return Object.entries(value).flatMap(([key, item]) => {
    const at = [...path, key];
    return known.includes(key) ? strangers(item, at, keysAt) : [at];
  });
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const part of path) at = Reflect.get(Object(at), part);
  return at;
}
