// The program: `node cli/edge.ts …`, which bin/edge executes.

import { main } from "./main.ts";

process.exitCode = await main({
  argv: process.argv.slice(2),
  env: process.env,
  cwd: process.cwd(),
  stdout: process.stdout,
  stderr: process.stderr,
  stdinIsTty: process.stdin.isTTY,
});
