// A certificate of its own making, made out to localhost and 127.0.0.1: its own authority.

import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Writes both as PEM. */
export async function createCertificate({
  key,
  cert,
}: {
  readonly key: string;
  readonly cert: string;
}): Promise<void> {
  const request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  await run("openssl", [...request.split(" "), "-keyout", key, "-out", cert, ...names]);
}
