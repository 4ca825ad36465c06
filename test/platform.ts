// What the tests of a run share because making it anew is slow and none of them is about it: the platform that
// every isolate starts from, as a script and as a snapshot.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

/** Names the folder for it, which is the run's (see run-folder.ts). Outside of a run nothing is shared. */
export const SHARED_VARIABLE = "ISLET_TEST_SHARED";
/** Names the folder where the whole run has the node's programs bundled (see run.ts); elsewhere sources are started. */
export const PACKAGE_VARIABLE = "ISLET_TEST_PACKAGE";
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
  if (from !== undefined && existsSync(from) && !existsSync(data)) copy(from, data);
}

/** Takes it from the first node that stops. */
export function keepPlatform(data: string): void {
  const to = shared("node");
  if (to === undefined || existsSync(to) || !DERIVED.every((name) => hasFiles(join(data, name)))) {
    return;
  }
  const draft = `${to}.${randomUUID()}`;
  copy(data, draft);
  try {
    renameSync(draft, to);
  } catch {
    // Another one was first.
    rmSync(draft, { recursive: true, force: true });
  }
}

/** Files keep their mode; folders get that of a node's own. */
function copy(from: string, to: string): void {
  for (const name of DERIVED) {
    mkdirSync(join(to, name), { recursive: true, mode: 0o700 });
    for (const file of readdirSync(join(from, name), { withFileTypes: true })) {
      if (file.isFile()) copyFileSync(join(from, name, file.name), join(to, name, file.name));
    }
  }
}

function hasFiles(folder: string): boolean {
  return (
    existsSync(folder) && readdirSync(folder, { withFileTypes: true }).some((one) => one.isFile())
  );
}
