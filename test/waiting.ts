// Waiting for what other processes do.

import { existsSync, watch } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** What tests wait for takes well under a second on an idle machine, a publish included; they share two cores. */
const WAIT_MS_MAX = 45_000;
/** For processes that start: seven of them at once, on a busy machine. */
const START_MS_MAX = 60_000;
const POLL_MS = 10;

/** Polls something that no event announces. */
export async function until(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  withinMs: number = WAIT_MS_MAX,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await delay(POLL_MS);
  }
}

/** Resolves once the file is there; rejects when its maker has exited first. */
export async function fileOf(file: string, exited: Promise<unknown>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const look = (): void => {
    if (existsSync(file)) resolve();
  };
  const watcher = watch(dirname(file), look);
  const timer = setTimeout(() => reject(new Error("took too long")), START_MS_MAX);
  void exited.then(() => reject(new Error("it ended")));
  look();
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    watcher.close();
  }
}
