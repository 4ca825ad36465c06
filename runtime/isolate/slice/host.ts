// What all isolates of a worker share: one flush per turn of the event loop, the cap on pool slices that run
// at once, and the watch over those that are under way.
//
// The engine counts the time of a slice by the wall clock, which a busy machine stretches. So the watch compares
// it with what the threads of this process really got from the processors, and each slice is charged its share.

import type { Runner, SliceHost } from "./contract.ts";

/** How often running pool slices are looked at; a limit is noticed this much late at most. */
const WATCH_MS = 20;
/** A slice is charged at least this share of its wall time: threads that the engine owns blur the figure. */
const SHARE_MIN = 0.05;
/** A look this late tells about the machine as a whole, not about now. */
const LOOK_LATE_MS: number = 10 * WATCH_MS;

export interface SliceHostHandle extends SliceHost {
  close(): void;
}

/** `cap`: about the number of cores; more would only make the threads fight each other and this one. */
export function createSliceHost(cap: number): SliceHostHandle {
  let due: Runner[] = [];
  let running = 0;
  const queue: (() => void)[] = [];
  const watched = new Set<Runner>();
  const share = createCpuShare();
  let timer: NodeJS.Timeout | null = null;

  function flushAll(): void {
    const runners = due;
    due = [];
    for (const runner of runners) runner.flush();
  }

  function watch(): void {
    timer = null;
    let ranUs = 0;
    for (const runner of watched) ranUs += runner.look();
    share.look(ranUs);
    const now = Date.now();
    for (const runner of watched) runner.check(now);
    if (watched.size > 0) timer ??= setTimeout(watch, WATCH_MS);
  }

  return {
    now: Date.now,
    cpuShare: () => share.value,
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
      if (watched.size === 0) share.begin();
      if (!watched.has(runner)) runner.witness.begin();
      watched.add(runner);
      timer ??= setTimeout(watch, WATCH_MS);
    },
    unwatch(runner) {
      if (watched.delete(runner)) runner.witness.end();
    },
    close() {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      watched.clear();
    },
  };
}

/** Which part of the time that pool slices seemed to run they had a processor, as of the last look. */
function createCpuShare(): { readonly value: number; begin(): void; look(ranUs: number): void } {
  let value = 1;
  let lookedMs = 0;
  let usedUs = 0;

  function begin(): void {
    lookedMs = performance.now();
    usedUs = poolCpuUs();
  }

  return {
    get value() {
      return value;
    },
    begin,
    look(ranUs) {
      const [beforeMs, beforeUs] = [lookedMs, usedUs];
      begin();
      // Shorter than a tick of the kernel's bookkeeping, or this thread itself was held up: no figure.
      if (ranUs < WATCH_MS * 250 || lookedMs - beforeMs > LOOK_LATE_MS) return;
      value = Math.min(1, Math.max(SHARE_MIN, (usedUs - beforeUs) / ranUs));
    },
  };
}

/** CPU time of every thread but this one. */
function poolCpuUs(): number {
  const all = process.cpuUsage();
  const own = process.threadCpuUsage();
  return all.user + all.system - own.user - own.system;
}
