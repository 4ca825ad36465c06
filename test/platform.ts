// What the tests of a run share because making it anew is slow and none of them is about it: the platform that
// every isolate starts from, as a script and as a snapshot.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { cpSync, existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

/** Names the folder for it, which is the run's (see run-folder.ts). Outside of a run nothing is shared. */
export const SHARED_VARIABLE = "ISLET_TEST_SHARED";
/** Can be deleted from a data folder at any time, so it can be laid into one as well. */
const DERIVED = ["cache", "snapshots"];

function shared(name: string): string | undefined {
  const folder = process.env[SHARED_VARIABLE];
  return folder === undefined ? undefined : join(folder, name);
}

/** For the platform's script, and for the code that children compile. */
export function cacheFolder(): string {
  const folder = shared("cache");
  assert(folder !== undefined, "only vitest runs this");
  return folder;
}

/** Lays into a data folder that is yet to be made what another node has left. */
export function layPlatform(data: string): void {
  const from = shared("node");
  if (from !== undefined && existsSync(from) && !existsSync(data)) {
    cpSync(from, data, { recursive: true });
  }
}

/** Takes it from the first node that stops. */
export function keepPlatform(data: string): void {
  const to = shared("node");
  if (to === undefined || existsSync(to)) return;
  const draft = `${to}.${randomUUID()}`;
  for (const name of DERIVED) cpSync(join(data, name), join(draft, name), { recursive: true });
  try {
    renameSync(draft, to);
  } catch {
    // Another one was first.
    rmSync(draft, { recursive: true, force: true });
  }
}
