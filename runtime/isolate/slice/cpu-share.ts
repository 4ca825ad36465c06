// How busy the machine is: which part of the time that slices seem to run they have a processor. Measured on those of
// the pool while they run; foretold for one that is about to start.

import { readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import type { Lane } from "./lane.ts";

/** Time without a processor counts as this share at least: threads that the engine owns blur the figure. */
const SHARE_MIN = 0.05;
/** Less running time than this between two looks is shorter than a tick of the kernel's bookkeeping. */
const RAN_US_MIN = 5_000;
/** A look this late tells about the machine as a whole, not about now. */
const LOOK_LATE_MS = 200;
/** How old a forecast may be: reading the machine takes 40 µs, and it may count idle time in ticks of 10 ms. */
const FORECAST_MS = 100;
/** A forecast is the middle one of so many looks, so that a moment does not decide … */
const LOOKS = 5;
/** … and of none older than this. */
const LOOKS_MS_MAX = 2_000;

export interface CpuShare {
  /** As of the last look at slices of the pool. */
  readonly measured: number;
  /** What a slice that starts now can expect. */
  forecast(nowMs: number, lane: Lane): number;
  /** Slices begin to run on the pool. */
  begin(): void;
  /** They have seemed to run for so long since the last look. */
  look(ranUs: number): void;
}

export interface Machine {
  /** Threads that run or would; the one that asks is among them. */
  readonly running: () => number;
  /** Of all processors that this process may use together, ever: the time in which they had nothing to do. */
  readonly idleMs: () => number;
  /** What this thread has used, ever. */
  readonly usedMs: () => number;
  readonly cores: number;
}

type Look = Readonly<Record<Lane, number>>;

export function createCpuShare(machine: Machine = thisMachine()): CpuShare {
  let measured = 1;
  let lookedMs = 0;
  let poolUs = 0;
  let foretoldMs = Number.NEGATIVE_INFINITY;
  let foretold: Look = { inline: 1, pool: 1 };
  let looks: Look[] = [];
  let idle = machine.idleMs();
  let used = machine.usedMs();

  function begin(): void {
    lookedMs = performance.now();
    poolUs = poolCpuUs();
  }

  /**
   * A look at the load finds whom the event behind this slice has woken too: a dozen threads for a millisecond, on a
   * machine with nothing to do. But what processors were idle was there to be had, and for this thread what it had
   * itself as well: no share is less than that.
   */
  function lookAround(windowMs: number): Look {
    const [idleBefore, usedBefore] = [idle, used];
    [idle, used] = [machine.idleMs(), machine.usedMs()];
    const crowded = shareOf(machine.running(), machine.cores);
    if (windowMs > LOOKS_MS_MAX) return { inline: crowded, pool: crowded };
    const free = (idle - idleBefore) / windowMs;
    const had = (used - usedBefore) / windowMs;
    const atLeast = (part: number): number => Math.max(crowded, Math.min(1, part));
    return { inline: atLeast(free + had), pool: atLeast(free) };
  }

  return {
    get measured() {
      return measured;
    },
    forecast(nowMs, lane) {
      const windowMs = nowMs - foretoldMs;
      if (windowMs >= FORECAST_MS) {
        if (windowMs > LOOKS_MS_MAX) looks = [];
        looks = [lookAround(windowMs), ...looks];
        looks.length = Math.min(looks.length, LOOKS);
        foretoldMs = nowMs;
        foretold = { inline: middleOf(looks, "inline"), pool: middleOf(looks, "pool") };
      }
      return foretold[lane];
    },
    begin,
    look(ranUs) {
      const [beforeMs, beforeUs] = [lookedMs, poolUs];
      begin();
      // Nor when this thread itself was held up.
      if (ranUs < RAN_US_MIN || lookedMs - beforeMs > LOOK_LATE_MS) return;
      measured = Math.min(1, Math.max(SHARE_MIN, (poolUs - beforeUs) / ranUs));
    },
  };
}

/** Of each of so many threads that all want to run. */
export function shareOf(running: number, cores: number): number {
  return Math.min(1, Math.max(SHARE_MIN, cores / Math.max(running, 1)));
}

/** The higher one of two. */
function middleOf(looks: readonly Look[], lane: Lane): number {
  const shares = looks.map((look) => look[lane]).toSorted((a, b) => b - a);
  return shares[(shares.length - 1) >> 1] ?? 1;
}

function thisMachine(): Machine {
  return {
    running: runningThreads,
    idleMs: isConfined() ? () => 0 : idleMs,
    usedMs: () => threadCpuUs() / 1_000,
    cores: availableParallelism(),
  };
}

/** To fewer processors than there are, or to a quota of them: that others are idle does not help. */
function isConfined(): boolean {
  return availableParallelism() < cpus().length;
}

/** 0 where nobody tells. From /proc/uptime: /proc/stat, which tells it too, takes a millisecond on a large machine. */
function idleMs(): number {
  try {
    return Number(/ ([\d.]+)/.exec(readFileSync("/proc/uptime", "latin1"))?.[1] ?? 0) * 1_000;
  } catch {
    return 0;
  }
}

/** Of the whole machine. 1 where nobody tells. */
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
