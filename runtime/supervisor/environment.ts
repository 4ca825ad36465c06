// What of the environment reaches the node's own processes. The CLI reads every EDGE_ variable before; here only
// what a child may inherit is passed on. Secrets are not among it.

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

export function workerEnvironment(): NodeJS.ProcessEnv {
  // uWebSockets.js reads it while it loads.
  const environment: NodeJS.ProcessEnv = { UWS_HTTP_MAX_HEADERS_SIZE: `${HEADER_BYTES_MAX}` };
  for (const name of INHERITED) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

/** Where Node keeps compiled modules; bin/edge sets it. null: nowhere. */
export function compileCacheDir(): string | null {
  return process.env["NODE_COMPILE_CACHE"] ?? null;
}
