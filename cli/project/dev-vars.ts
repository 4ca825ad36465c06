// Wrangler's files of variables for development, which are not committed: names and values line by line.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { readInput } from "../files.ts";

const FILE = ".dev.vars";

/** Whether they are there or not, the one that counts first. Absolute, as the folder is. */
export function devVarFiles(folder: string, environment: string | undefined): readonly string[] {
  const common = join(folder, FILE);
  return environment === undefined ? [common] : [join(folder, `${FILE}.${environment}`), common];
}

/** Of the first file that is there, and of no other: as wrangler has it. */
export function readDevVars(
  folder: string,
  environment: string | undefined,
): { readonly [name: string]: string } {
  for (const file of devVarFiles(folder, environment)) {
    if (!existsSync(file)) continue;
    const text = readInput(file, file, "")
      .toString("utf8")
      .replace(/^\ufeff/, "");
    const pairs = Object.entries(parseEnv(text));
    return Object.fromEntries(pairs.map(([name, value]) => [name, value ?? ""]));
  }
  return {};
}
