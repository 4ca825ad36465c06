// The clock of what workers share: milliseconds of the machine's monotonic clock, the same in every process.

export type Clock = () => number;

const NS_PER_MS = 1e6;

/** performance.now() begins with the process; the distance to the machine's clock stays. */
export function createSharedClock(): Clock {
  const offset = Number(process.hrtime.bigint()) / NS_PER_MS - performance.now();
  return () => performance.now() + offset;
}
