// The program: `node cli/edge.ts …`, which bin/edge executes.

import { main } from "./main.ts";

// Whoever read the output has seen enough (`edge … --help | head`). What is left to say is dropped; a node that
// serves goes on serving.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

process.exitCode = await main({
  argv: process.argv.slice(2),
  env: process.env,
  cwd: process.cwd(),
  stdout: process.stdout,
  stderr: process.stderr,
  stdinIsTty: process.stdin.isTTY,
});
