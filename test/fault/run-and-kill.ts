// A process that is killed (SIGKILL) in the middle of what it does.

import { spawn, type ChildProcess } from "node:child_process";

/** Lines that a process says before it is killed: at most, and within the next step a random delay. */
const LINES_MAX = 40;
const SPIN_MS_MAX = 2;
/** From when it runs. A process that has little to say is killed all the same. */
const IDLE_MS = 1_000;

/**
 * Runs a script until it has said a random number of lines, which are added to `lines` as far as they are whole. The
 * first line says that it runs.
 */
export async function runAndKill(args: readonly string[], lines: string[]): Promise<void> {
  const child: ChildProcess = spawn(process.execPath, [...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const killAfter = 1 + Math.floor(Math.random() * LINES_MAX);
  let output = "";
  let isKilled = false;
  const kill = (): void => {
    if (isKilled) return;
    isKilled = true;
    const end = performance.now() + Math.random() * SPIN_MS_MAX;
    while (performance.now() < end);
    child.kill("SIGKILL");
  };
  let idle: NodeJS.Timeout | undefined;
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
    // A consumer may have nothing to say.
    idle ??= setTimeout(kill, IDLE_MS);
    if (output.split("\n").length > killAfter) kill();
  });
  await new Promise((resolve) => child.once("close", resolve));
  clearTimeout(idle);
  // The first says that it runs; the last one is cut where it is not whole.
  lines.push(...output.split("\n").slice(1, -1));
}
