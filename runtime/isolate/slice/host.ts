// What all isolates of a worker share: one flush per turn of the event loop, the places of pool slices that run
// at once (places.ts), and the watch over those that are under way.
//
// The engine counts the time of a slice by the wall clock, which a busy machine stretches. So the watch compares
// it with what the threads of this process really got from the processors, and each slice is charged its share.

import type { Runner, SliceHost } from "./contract.ts";
import { createCpuShare } from "./cpu-share.ts";
import type { Places } from "./places.ts";

/** How often running pool slices are looked at; a limit is noticed this much late at most. */
const WATCH_MS = 20;

/**
 * What runs on this thread in one turn of the event loop, but for the last slice: code that holds it for its whole CPU
 * time, and several one after the other, must not pass for a worker that is stuck.
 */
const FLUSH_MS_MAX = 20;

export interface SliceHostHandle extends SliceHost {
  /** How many short slices there were, ever. */
  readonly shortSlices: number;
  close(): void;
}

/** More places than cores would only make the threads fight each other and this one. */
export function createSliceHost(places: Places): SliceHostHandle {
  let due: Runner[] = [];
  const watched = new Set<Runner>();
  const share = createCpuShare();
  let timer: NodeJS.Timeout | null = null;
  let shortSlices = 0;
  const waiting: (() => void)[] = [];

  function runNext(): void {
    const run = waiting.shift();
    if (waiting.length > 0) setImmediate(runNext);
    run?.();
  }

  function flushAll(): void {
    const runners = due;
    due = [];
    const last = runners.length - 1;
    const begunMs = last > 0 ? performance.now() : 0;
    for (let at = 0; at <= last; at++) {
      runners[at]?.flush();
      if (at === last || performance.now() - begunMs < FLUSH_MS_MAX) continue;
      if (due.length === 0) setImmediate(flushAll);
      due = [...runners.slice(at + 1), ...due];
      return;
    }
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
    cpuShare: () => share.measured,
    forecast: (nowMs, lane) => share.forecast(nowMs, lane),
    schedule(runner) {
      if (due.push(runner) === 1) setImmediate(flushAll);
    },
    later(run) {
      if (waiting.push(run) === 1) setImmediate(runNext);
    },
    places,
    served() {
      shortSlices++;
    },
    get shortSlices() {
      return shortSlices;
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
