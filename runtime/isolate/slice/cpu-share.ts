// How busy the machine is: which part of the time that slices seem to run they have a processor. Measured on those of
// the pool while they run; foretold for one that is about to start.

import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** Time without a processor counts as this share at least: threads that the engine owns blur the figure. */
const SHARE_MIN = 0.05;
/** Less running time than this between two looks is shorter than a tick of the kernel's bookkeeping. */
const RAN_US_MIN = 5_000;
/** A look this late tells about the machine as a whole, not about now. */
const LOOK_LATE_MS = 200;
/** How old a forecast may be; reading the load takes 20 µs. */
const FORECAST_MS = 250;

export interface CpuShare {
  /** As of the last look at slices of the pool. */
  readonly measured: number;
  /** What a slice that starts now can expect. */
  forecast(nowMs: number): number;
  /** Slices begin to run on the pool. */
  begin(): void;
  /** They have seemed to run for so long since the last look. */
  look(ranUs: number): void;
}

export function createCpuShare(): CpuShare {
  let measured = 1;
  let lookedMs = 0;
  let usedUs = 0;
  let foretold = 1;
  let foretoldMs = Number.NEGATIVE_INFINITY;

  function begin(): void {
    lookedMs = performance.now();
    usedUs = poolCpuUs();
  }

  return {
    get measured() {
      return measured;
    },
    forecast(nowMs) {
      if (nowMs - foretoldMs >= FORECAST_MS) {
        foretoldMs = nowMs;
        foretold = shareOf(runningThreads(), availableParallelism());
      }
      return foretold;
    },
    begin,
    look(ranUs) {
      const [beforeMs, beforeUs] = [lookedMs, usedUs];
      begin();
      // Nor when this thread itself was held up.
      if (ranUs < RAN_US_MIN || lookedMs - beforeMs > LOOK_LATE_MS) return;
      measured = Math.min(1, Math.max(SHARE_MIN, (usedUs - beforeUs) / ranUs));
    },
  };
}

/** Of each of so many threads that all want to run. */
export function shareOf(running: number, cores: number): number {
  return Math.min(1, Math.max(SHARE_MIN, cores / Math.max(running, 1)));
}

/** Threads of the whole machine that run or would; this one is among them. 1 where nobody tells. */
function runningThreads(): number {
  try {
    return Number(/ (\d+)\//.exec(readFileSync("/proc/loadavg", "latin1"))?.[1] ?? 1);
  } catch {
    return 1;
  }
}

/** Of this thread. */
export function threadCpuUs(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

/** Of every thread but this one. */
function poolCpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system - threadCpuUs();
}
