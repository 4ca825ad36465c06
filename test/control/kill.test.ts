// SIGKILL at random moments of a writer that appends without pause. Whatever the moment: the next one opens
// (no stale lock), revisions are contiguous, the view follows from the log, and nothing acknowledged is lost.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openDataFolder } from "../../control/data-folder.ts";
import { openStore } from "../../control/registry/lmdb.ts";
import { openRegistry } from "../../control/registry/registry.ts";
import { testClock } from "./samples.ts";
import { temporary } from "../temporary.ts";

/** Each starts a process; every run adds to what earlier runs have tried. */
const ROUNDS = 8;
/** Kill after a random number of acknowledgements and, within the next append, a random delay. */
const ACKNOWLEDGED_MAX = 30;
const SPIN_MICROSECONDS_MAX = 1_500;

const WRITER = fileURLToPath(new URL("./kill-writer.ts", import.meta.url));

/** Runs a writer, kills it, and returns the last revision that it acknowledged. */
async function writeAndKill(path: string): Promise<number> {
  const child = spawn(process.execPath, [WRITER, path], { stdio: ["ignore", "pipe", "inherit"] });
  const killAfter = 1 + Math.floor(Math.random() * ACKNOWLEDGED_MAX);
  let output = "";
  let killed = false;
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (chunk: string) => {
    output += chunk;
    if (killed || output.split("\n").length <= killAfter) return;
    killed = true;
    const until = performance.now() + (Math.random() * SPIN_MICROSECONDS_MAX) / 1_000;
    while (performance.now() < until);
    child.kill("SIGKILL");
  });
  const signal = await new Promise<string | null>((resolve) => {
    child.once("close", (_code, by) => resolve(by));
  });
  expect(signal).toBe("SIGKILL");
  // The last line may be cut in the middle only by us reading, never: writes this short are atomic.
  return Number(output.trim().split("\n").at(-1));
}

test("registry is whole after its writer was killed at any moment", async () => {
  using folder = temporary();
  const dir = join(folder.path, "registry");
  let last = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const acknowledged = await writeAndKill(folder.path);
    const held = await openDataFolder(folder.path);
    const registry = await openRegistry({ dir, clock: testClock() });
    const revision = registry.revision();
    await registry.close();
    const store = openStore({ dir, readOnly: true });
    store.verify();
    await store.close();
    await held.close();
    expect(acknowledged).toBeGreaterThan(last);
    // At most the one append that was under way can be there without having been acknowledged.
    expect(revision - acknowledged).toBeGreaterThanOrEqual(0);
    expect(revision - acknowledged).toBeLessThanOrEqual(1);
    last = revision;
  }
});
