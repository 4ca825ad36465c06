// What all isolates of a worker share: one flush per turn of the event loop, the cap on pool slices that run
// at once, and the watch over those that are under way.

import type { SliceHost, SliceRunner } from "./slices.ts";

/** How often running pool slices are looked at; a cut is noticed this much late at most. */
const WATCH_MS = 20;

export interface SliceHostHandle extends SliceHost {
  close(): void;
}

/** `cap`: about the number of cores; more would only make the threads fight each other and this one. */
export function createSliceHost(cap: number): SliceHostHandle {
  let due: SliceRunner[] = [];
  let running = 0;
  const queue: (() => void)[] = [];
  const watched = new Set<SliceRunner>();
  let timer: NodeJS.Timeout | null = null;

  function flushAll(): void {
    const runners = due;
    due = [];
    for (const runner of runners) runner.flush();
  }

  function watch(): void {
    timer = null;
    const now = Date.now();
    for (const runner of watched) runner.check(now);
    if (watched.size > 0) timer ??= setTimeout(watch, WATCH_MS);
  }

  return {
    now: Date.now,
    schedule(runner) {
      if (due.push(runner) === 1) setImmediate(flushAll);
    },
    acquire(start) {
      if (running >= cap) {
        queue.push(start);
        return;
      }
      running++;
      start();
    },
    release() {
      const next = queue.shift();
      if (next === undefined) running--;
      else next();
    },
    watch(runner) {
      watched.add(runner);
      timer ??= setTimeout(watch, WATCH_MS);
    },
    unwatch(runner) {
      watched.delete(runner);
    },
    close() {
      if (timer !== null) clearTimeout(timer);
      watched.clear();
    },
  };
}
