// A bound on what a top level takes, in CPU time: its thread cannot be relied on to come back, and how much of a
// processor it gets is not its author's doing.

import { SliceError } from "../isolate/slice/fault.ts";

/** In milliseconds. Neither tells the CPU time of the isolate, but that is no more than the lesser of them. */
export interface Clocks {
  /** While a thread is inside the isolate, whether it has a processor or not. */
  runMs(): number;
  /** CPU time of this process: the engine's collector and compilers may use ten times that of the isolate. */
  cpuMs(): number;
}

const LOOK_MS = 10;

/**
 * Resolves to the CPU time that `work` took. Rejects with a time-out when that is more than `cpuMsMax`, though `work`
 * may go on.
 */
export async function withinCpu(
  cpuMsMax: number,
  clocks: Clocks,
  work: () => Promise<void>,
): Promise<number> {
  const [runMs, cpuMs] = [clocks.runMs(), clocks.cpuMs()];
  const usedMs = (): number => Math.min(clocks.runMs() - runMs, clocks.cpuMs() - cpuMs);
  const tooMuch = new SliceError("timeout", `It takes more than ${cpuMsMax} ms of CPU time.`);
  const { promise: cut, reject } = Promise.withResolvers<never>();
  const looks = setInterval(() => usedMs() > cpuMsMax && reject(tooMuch), LOOK_MS);
  try {
    await Promise.race([work(), cut]);
  } finally {
    clearInterval(looks);
  }
  const used = usedMs();
  if (used > cpuMsMax) throw tooMuch;
  return used;
}
