// What a server says of itself in its folder. Files there may be another user's: no link is followed.

import { closeSync, constants, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { DATA } from "./launch.ts";

/** Of postmaster.pid; https://www.postgresql.org/docs/current/storage-file-layout.html */
const STATUS_LINE = 7;
const POLL_MS = 20;

export function isReady(folder: string): boolean {
  const lines = postmasterLines(folder);
  return lines[STATUS_LINE]?.trim() === "ready" && isAlive(Number(lines[0]));
}

/** When nobody wants it any more. Its last checkpoint takes well under a second, on a slow disk some. */
export async function whenEnded(folder: string, withinMs: number): Promise<void> {
  const giveUpMs = performance.now() + withinMs;
  const isThere = (): boolean => isAlive(Number(postmasterLines(folder)[0] ?? 0));
  while (isThere() && performance.now() < giveUpMs) await delay(POLL_MS);
}

/** null: it is not there. */
export function readIn(folder: string, name: string): string | null {
  try {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const file = openSync(join(folder, name), flags);
    try {
      return readFileSync(file, "utf8");
    } finally {
      closeSync(file);
    }
  } catch {
    return null;
  }
}

/** The first is its pid. */
function postmasterLines(folder: string): readonly string[] {
  return readIn(folder, join(DATA, "postmaster.pid"))?.split("\n") ?? [];
}

function isAlive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
