// What of the environment reaches the node's own processes. The CLI reads every EDGE_ variable before; here only
// what a child may inherit is passed on. Secrets are not among it.

import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { HEADER_BYTES_MAX } from "../../sdk/limits.ts";

const INHERITED: readonly string[] = [
  "PATH",
  "HOME",
  "LANG",
  "TZ",
  "TMPDIR",
  "XDG_CACHE_HOME",
  "NODE_COMPILE_CACHE",
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
];

/** Owner only: what a node writes is nobody else's to read, unless workers are another user (data-access.ts). */
const UMASK = 0o077;

/**
 * Once, when the options are read: children of libraries (the bundler's) inherit this process's environment, so
 * that it has to be harmless too. Gives what it was before.
 */
export function narrowInheritance(): Readonly<Record<string, string | undefined>> {
  const before = { ...process.env };
  for (const name of Object.keys(process.env)) {
    if (!INHERITED.includes(name)) delete process.env[name];
  }
  process.umask(UMASK);
  return before;
}

/**
 * Larger pieces are mapped and go back to the system when they are freed. glibc raises the bound to the largest piece
 * that was ever freed, so that a snapshot's megabyte would stay in the process after its isolate is gone. Above
 * what a body's chunk takes (256 KB): mapping costs page faults.
 */
const MALLOC_MMAP_THRESHOLD_BYTES: number = 512 * 1024;

/** `home`: of a user whose own home is no place for caches; null: as it is here. */
export function workerEnvironment(home: string | null): NodeJS.ProcessEnv {
  // uWebSockets.js reads it while it loads.
  const environment: NodeJS.ProcessEnv = {
    UWS_HTTP_MAX_HEADERS_SIZE: `${HEADER_BYTES_MAX}`,
    MALLOC_MMAP_THRESHOLD_: `${MALLOC_MMAP_THRESHOLD_BYTES}`,
  };
  for (const name of INHERITED) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  if (home === null) return environment;
  delete environment["XDG_CACHE_HOME"];
  return { ...environment, HOME: home, NODE_COMPILE_CACHE: compileCacheIn(home) };
}

/** Where Node keeps compiled modules; bin/edge sets it. null: nowhere. */
export function compileCacheDir(home: string | null): string | null {
  return home === null ? (process.env["NODE_COMPILE_CACHE"] ?? null) : compileCacheIn(home);
}

function compileCacheIn(home: string): string {
  return join(home, "compile-cache");
}

/** Absolute path of a program; null when it is not installed. */
export function findProgram(name: string): string | null {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      if (folder.startsWith("/") && statSync(path).isFile()) return path;
    } catch {
      // Not here.
    }
  }
  return null;
}
