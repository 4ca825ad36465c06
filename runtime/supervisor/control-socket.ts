// Where supervisor and workers of a data folder meet.

import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Length of a Unix socket's path on Linux, with its final zero. */
const SOCKET_PATH_MAX = 107;

/** In the data folder (absolute), or, where that path is too long for a socket, in a private temporary one. */
export function controlSocketPath(data: string): string {
  const path = join(data, "run", "control.sock");
  if (Buffer.byteLength(path) <= SOCKET_PATH_MAX) return path;
  const name = createHash("sha256").update(data).digest("hex").slice(0, 16);
  return join(tmpdir(), `islet-${process.getuid?.() ?? 0}-${name}`, "control.sock");
}
