// How exactly the kernel wakes this process by timers. The engine sets a timer for every slice, and wakes a thread when
// it is due although the slice ended long before; a kernel that may be late joins many such wake-ups in one.

import { writeFileSync } from "node:fs";

/** Nothing here counts on less: timers of the event loop are whole milliseconds. */
const SLACK_NS = 1_000_000;

/** Threads that are started later inherit it: call it first. */
export function allowLateTimers(): void {
  try {
    writeFileSync("/proc/self/timerslack_ns", `${SLACK_NS}`);
  } catch {
    // Another system, or /proc is not to be written to: as exact as before.
  }
}
