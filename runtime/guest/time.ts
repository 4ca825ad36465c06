// The host's clock, before anything is made of it. Before thaw there is no time: reads are counted, because a
// snapshot would hand the same moment to every isolate.

import type { Port } from "./port.ts";

let port: Port | null = null;
let bootedAt = 0;
let reads = 0;

export function thawClock(thawed: Port): void {
  port = thawed;
  bootedAt = thawed.now() - thawed.monotonic();
}

/** How often author code asked for the time before thaw. */
export function topLevelTimeReads(): number {
  return reads;
}

/** For the platform itself: 0 before thaw, never counted. */
export function monotonicMs(): number {
  return port === null ? 0 : port.monotonic();
}

/** For authors: counted before thaw. */
export function readNow(): number {
  if (port !== null) return port.now();
  reads++;
  return 0;
}

export function readMonotonic(): number {
  if (port === null) reads++;
  return monotonicMs();
}

/** When the isolate was booted, in milliseconds since the epoch. */
export function readOrigin(): number {
  if (port === null) reads++;
  return bootedAt;
}
