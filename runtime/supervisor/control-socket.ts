// Where supervisor and workers of a data folder meet, and where workers meet cordons.

import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** Length of a Unix socket's path on Linux, with its final zero. */
const SOCKET_PATH_MAX = 107;
/** "/cordons/", a cordon's file and the pid that it has behind it while it comes to be. */
const CORDON_PATH_MAX = 40;

/** In the data folder (absolute), or, where that path is too long for a socket, in a private temporary one. */
export function controlSocketPath(data: string): string {
  const run = join(data, "run");
  if (Buffer.byteLength(run) + CORDON_PATH_MAX <= SOCKET_PATH_MAX) return join(run, "control.sock");
  const name = createHash("sha256").update(data).digest("hex").slice(0, 16);
  return join(tmpdir(), `islet-${process.getuid?.() ?? 0}-${name}`, "control.sock");
}

export function cordonFolder(socketPath: string): string {
  return join(dirname(socketPath), "cordons");
}
