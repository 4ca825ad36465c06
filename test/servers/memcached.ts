// Memcached for tests.

import { findProgram } from "./install.ts";
import { ask, startServer, type TestServer } from "./process.ts";

/** It refuses to be root; and when it changed its user itself, the kernel would not end it with the test any more. */
const NOBODY = { uid: 65_534, gid: 65_534 };

export function startMemcached(): Promise<TestServer> {
  const command = findProgram("memcached");
  if (command === null) throw new Error("memcached is missing");
  return startServer({
    command,
    args: ({ host, port }) => ["-l", host, "-p", `${port}`, "-m", "64", "-t", "1"],
    ...(process.getuid?.() === 0 && { user: NOBODY }),
    isReady: async ({ port }) => (await ask(port, "version\r\n")).startsWith("VERSION"),
  });
}
