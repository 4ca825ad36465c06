// node:util's parseEnv: the texts of an environment file, lines of NAME=value.

import { checkString } from "../errors.ts";

/** A name, then a value in quotes, which may have several lines, or up to a comment. */
const LINE =
  /^[^\S\n]*(?:export[^\S\n]+)?([^\s=#][^=\n]*?)[^\S\n]*=[^\S\n]*(?:"([^"]*)"|'([^']*)'|`([^`]*)`|([^\n#]*))/gm;

export function parseEnv(content: unknown): Record<string, string> {
  const text = checkString("content", content).replaceAll(/\r\n?/g, "\n");
  const values: Record<string, string> = {};
  for (const [, name = "", double, single, back, plain = ""] of text.matchAll(LINE)) {
    values[name] = double?.replaceAll("\\n", "\n") ?? single ?? back ?? plain.trim();
  }
  return values;
}
