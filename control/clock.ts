/** The time of day, injected so that tests decide it. Milliseconds since the epoch. */
export interface Clock {
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

export function timestamp(clock: Clock): string {
  return new Date(clock.now()).toISOString();
}
