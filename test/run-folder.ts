// The one temporary folder of a test run. Whatever a test leaves behind, also one that ran out of time, lies or
// was started in there: at the end it is named, which fails the run, and removed. Of runs that were killed, the
// next one removes it.

import { mkdirSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { SHARED_VARIABLE } from "./platform.ts";
import { commandOf, isRunning } from "./processes.ts";

const PREFIX = "islet-tests-";
const SHARED = "shared";
/** Made by bin/edge where it finds no home, and by npm. */
const CACHES = /^(?:islet-compile-cache-\d+|node-compile-cache)$/;
/** For processes that have been told to end, on a busy machine. */
const ENDING_MS_MAX = 5_000;
const POLL_MS = 20;

export function setup(): () => Promise<void> {
  const parent = tmpdir();
  for (const name of readdirSync(parent).filter((one) => one.startsWith(PREFIX))) {
    if (!isRunning(Number(name.slice(PREFIX.length)))) clear(join(parent, name));
  }
  const folder = join(parent, `${PREFIX}${process.pid}`);
  // Users that tests run nodes as pass through it.
  mkdirSync(folder, { mode: 0o711 });
  process.env["TMPDIR"] = folder;
  process.env[SHARED_VARIABLE] = join(folder, SHARED);
  // Half of what a process costs that a test starts from sources, and they are hundreds.
  process.env["NODE_COMPILE_CACHE"] = join(folder, SHARED, "compiled");
  return async () => {
    const deadline = performance.now() + ENDING_MS_MAX;
    while (startedIn(folder).length > 0 && performance.now() < deadline) await delay(POLL_MS);
    const left = clear(folder);
    if (left.length > 0) throw new Error(`left behind by tests:\n${left.join("\n")}`);
  };
}

/** Ends the processes first: they would write on. */
function clear(folder: string): string[] {
  const processes = startedIn(folder).map((pid) => {
    const line = `process ${pid}: ${commandOf(pid)}`;
    process.kill(pid, "SIGKILL");
    return line;
  });
  const files = readdirSync(folder).filter((name) => name !== SHARED && !CACHES.test(name));
  rmSync(folder, { recursive: true, force: true });
  return [...processes, ...files];
}

/** Nodes and workers have a folder of the run as their working folder, or in their command line. */
function startedIn(folder: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && isRunning(pid))
    .filter(
      (pid) => isWithin(workingFolderOf(pid), folder) || commandOf(pid).includes(`${folder}/`),
    );
}

function isWithin(path: string, folder: string): boolean {
  return `${path}/`.startsWith(`${folder}/`);
}

function workingFolderOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return "";
  }
}
