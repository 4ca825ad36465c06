// The servers that tests talk to, as Debian has them. `npm test` installs what is missing where it may (as root, with
// apt); elsewhere the tests that need it are skipped and say so, but with CI=true they fail. None of them ever runs as a
// service of the machine: tests start their own (process.ts).

import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Program -> the Debian packages that bring it. */
const PACKAGES: Readonly<Record<Program, string>> = {
  "redis-server": "redis-server",
  memcached: "memcached",
  postgres: "postgresql",
  smtpd: "opensmtpd",
  openssl: "openssl",
  "swift-proxy-server": "swift-proxy swift-account swift-container swift-object",
};

export type Program =
  | "redis-server"
  | "memcached"
  | "postgres"
  | "smtpd"
  | "openssl"
  | "swift-proxy-server";

const PROGRAMS = Object.keys(PACKAGES) as Program[];
/** Postgres lies beside the PATH, in one folder per major version. */
const POSTGRES = "/usr/lib/postgresql";
/** Debian asks this program before it starts a service that was installed; 101 is no. */
const POLICY = "/usr/sbin/policy-rc.d";

export function findProgram(program: Program): string | null {
  const versions = existsSync(POSTGRES) ? readdirSync(POSTGRES).toSorted().toReversed() : [];
  const folders = [
    ...(process.env["PATH"] ?? "").split(":"),
    "/usr/sbin",
    ...versions.map((version) => join(POSTGRES, version, "bin")),
  ];
  for (const folder of folders) {
    const path = join(folder, program);
    if (isExecutable(path)) return path;
  }
  return null;
}

/** For `describe.runIf`: false, with the reason printed, where the program is missing; throws where it must be there. */
export function hasProgram(program: Program): boolean {
  if (findProgram(program) !== null) return true;
  const text = `${program} is missing: install Debian's package ${PACKAGES[program]}`;
  if (process.env["CI"] === "true") throw new Error(text);
  process.stderr.write(`skipped: ${text}.\n`);
  return false;
}

/** Installs what is missing; says what stays missing and why. Costs a few look-ups when nothing is. */
export function installMissing(print: (line: string) => void): void {
  const missing = PROGRAMS.filter((program) => findProgram(program) === null);
  if (missing.length === 0) return;
  const packages = missing.flatMap((program) => PACKAGES[program].split(" "));
  if (process.getuid?.() !== 0 || !isExecutable("/usr/bin/apt-get")) {
    print(`Missing, and only root can install it with apt-get: ${packages.join(" ")}`);
    return;
  }
  print(`Installing ${packages.join(" ")} …`);
  const hadPolicy = existsSync(POLICY);
  if (!hadPolicy) writeFileSync(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    aptGet("update");
    aptGet("install", "--yes", "--no-install-recommends", ...packages);
  } catch (error) {
    print(`apt-get failed: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    if (!hadPolicy) rmSync(POLICY, { force: true });
  }
}

function aptGet(...args: string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  execFileSync("apt-get", ["--quiet", ...args], { env, stdio: ["ignore", "ignore", "pipe"] });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
