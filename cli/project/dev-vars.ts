// Wrangler's files of variables for development, which are not committed: names and values line by line.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";

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
    try {
      const pairs = Object.entries(parseEnv(readFileSync(file, "utf8").replace(/^\ufeff/, "")));
      return Object.fromEntries(pairs.map(([name, value]) => [name, value ?? ""]));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  return {};
}
