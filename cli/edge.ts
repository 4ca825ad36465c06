// The program: `node cli/edge.ts …`, which bin/edge executes.

import { EdgeError } from "../sdk/errors.ts";
import { createOutput } from "./output.ts";
import type { Sink } from "./output.ts";

// Whoever read the output has seen enough (`edge … --help | head`), or its disk is full. What is left to say is
// dropped; a node that serves goes on serving.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);

/** What was asked for: whoever loses it has to learn of it. What a node says while it serves goes beside it. */
const stdout: Sink = {
  isTTY: process.stdout.isTTY,
  write: (text) => process.stdout.write(text, lose),
};
const argv = process.argv.slice(2);
const surroundings = { stdout, stderr: process.stderr, stdinIsTty: process.stdin.isTTY };
let isLost = false;

function lose(cause?: NodeJS.ErrnoException | null): void {
  if (cause === null || cause === undefined || cause.code === "EPIPE" || isLost) return;
  isLost = true;
  const message = `Standard output cannot be written: ${cause.message}`;
  fail(new EdgeError("FILE_UNWRITABLE", message, { cause }), false);
}

function fail(error: EdgeError, json: boolean): void {
  process.exitCode = createOutput({ ...surroundings, json }).error(error);
}

function currentFolder(): string | null {
  try {
    return process.cwd();
  } catch {
    return null;
  }
}

const cwd = currentFolder();
if (cwd === null) {
  const message = "The folder that this was started in is gone; change to another";
  fail(new EdgeError("USAGE", message), argv.includes("--json"));
} else {
  // Parts of it do not even load without a folder.
  const { main } = await import("./main.ts");
  const code = await main({ ...surroundings, argv, env: process.env, cwd });
  process.exitCode = isLost ? 1 : code;
}
