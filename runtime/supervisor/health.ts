// When a worker is sick, told from outside: what it does not say, and what the kernel says of it. Pure.

import { readFileSync } from "node:fs";
import { constrainedMemory } from "node:process";
import { totalmem } from "node:os";
import type { RestartReason } from "../../sdk/node.ts";
import type { ServeOptions } from "../../sdk/serve.ts";
import type { Culprit } from "../link/messages.ts";
import type { WorkerProcess } from "./worker-process.ts";

/** A worker beats four times a second; one that is silent this long holds its event loop or is stopped. */
export const SILENCE_MS_MAX = 3_000;
/** From its start to its first word, and from its configuration to its first request: far more than it ever takes. */
export const START_MS_MAX = 60_000;
/** A budget that a worker exceeds just by starting must not have it replaced without pause. */
export const MEMORY_AGE_MS_MIN = 10_000;
/** So far beyond its budget a worker grows faster than it can be drained. */
export const MEMORY_RUNAWAY = 1.5;
/** Where memory is plenty, what one worker may have; the rest is for the supervisor, jails and the page cache. */
const MEMORY_SHARE = 0.75;
const WORKER_MEMORY_BYTES_DEFAULT_MIN: number = 256 * 1024 * 1024;

export interface Sickness {
  readonly reason: RestartReason;
  readonly text: string;
  /** When it is known already. */
  readonly culprit?: Culprit | null;
  /** It cannot drain: once its replacement serves it is killed. */
  readonly kill: boolean;
}

export interface Observed {
  readonly now: number;
  /** Of the process itself, without what it maps of files; null when the kernel does not tell. */
  readonly memoryBytes: number | null;
  readonly memoryBytesMax: number;
}

export function sicknessOf(
  worker: Pick<WorkerProcess, "state" | "channel" | "startedMs" | "lastBeatMs">,
  { now, memoryBytes, memoryBytesMax }: Observed,
): Sickness | null {
  const { state, channel, startedMs, lastBeatMs } = worker;
  const silentMs = now - lastBeatMs;
  if (channel !== null && silentMs > SILENCE_MS_MAX) {
    return { reason: "stalled", text: `it was silent for ${silentMs} ms`, kill: true };
  }
  const ageMs = now - startedMs;
  const isLate = state === "starting" || (state === "standby" && channel === null);
  if (isLate && ageMs > START_MS_MAX) {
    return { reason: "stalled", text: `it has not started within ${ageMs} ms`, kill: true };
  }
  if (memoryBytes === null || memoryBytes <= memoryBytesMax) return null;
  const kill = memoryBytes > memoryBytesMax * MEMORY_RUNAWAY;
  if (!kill && ageMs < MEMORY_AGE_MS_MIN) return null;
  const text = `it has ${megabytes(memoryBytes)} of memory, ${megabytes(memoryBytesMax)} are allowed`;
  return { reason: "memory", text, kill };
}

export interface MemoryBudgets {
  /** At which a worker is replaced. */
  readonly workerMemoryBytes: number;
  /** What its isolates may take before those that rest are evicted. */
  readonly isolateBytes: number;
}

/**
 * A worker: an equal part of what this machine, or this container, has. Its isolates: half of it; the other half is
 * for those that do not rest, for the worker itself, and for pages that V8 keeps for some seconds.
 */
export function memoryBudgets(
  options: Pick<ServeOptions, "workers" | "workerMemoryBytes" | "isolateMemoryBytes">,
): MemoryBudgets {
  const limit = constrainedMemory();
  const all = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  const part = Math.floor((all * MEMORY_SHARE) / options.workers);
  const workerMemoryBytes =
    options.workerMemoryBytes ?? Math.max(WORKER_MEMORY_BYTES_DEFAULT_MIN, part);
  const isolateBytes = options.isolateMemoryBytes ?? Math.floor(workerMemoryBytes / 2);
  return { workerMemoryBytes, isolateBytes };
}

/** Resident memory that is nobody else's. Pages of mapped files (registry, code) are the kernel's to drop. */
export function memoryBytesOf(pid: number): number | null {
  try {
    const text = readFileSync(`/proc/${pid}/status`, "utf8");
    const kilobytes = /^RssAnon:\s+(\d+) kB$/m.exec(text)?.[1];
    return kilobytes === undefined ? null : Number(kilobytes) * 1_024;
  } catch {
    return null;
  }
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1_048_576)} MiB`;
}
