// Memcached for tests.

import { findProgram } from "./install.ts";
import { ask, startServer, type TestServer } from "./process.ts";

/** Debian's account for it is not needed: any but root will do. */
const NOBODY = "nobody";

export function startMemcached(): Promise<TestServer> {
  const command = findProgram("memcached");
  if (command === null) throw new Error("memcached is missing");
  return startServer({
    command,
    args: ({ host, port }) => ["-l", host, "-p", `${port}`, "-m", "64", "-u", NOBODY, "-t", "1"],
    isReady: async ({ port }) => (await ask(port, "version\r\n")).startsWith("VERSION"),
  });
}
