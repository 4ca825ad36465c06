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
  const hash = createHash("sha256").update(data).digest("hex").slice(0, 16);
  const name = `islet-${process.getuid?.() ?? 0}-${hash}`;
  const folders = [join(data, "run"), join(tmpdir(), name)];
  const short = folders.find(
    (path) => Buffer.byteLength(path) + CORDON_PATH_MAX <= SOCKET_PATH_MAX,
  );
  return join(short ?? join("/tmp", name), "control.sock");
}

export function cordonFolder(socketPath: string): string {
  return join(dirname(socketPath), "cordons");
}
