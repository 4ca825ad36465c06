// A bounded number of jobs at once, and a bounded queue before them.

import { EdgeError } from "../sdk/errors.ts";

export interface Turns {
  /** Rejects with OVERLOADED, without running the job, when the queue is full. */
  take<T>(job: () => Promise<T>): Promise<T>;
}

export function createTurns(atOnceMax: number, waitingMax: number): Turns {
  const waiting: (() => void)[] = [];
  let running = 0;
  return {
    async take(job) {
      if (running >= atOnceMax) {
        if (waiting.length >= waitingMax) {
          throw new EdgeError("OVERLOADED", "Too many versions are being checked at this time");
        }
        // Whoever ends passes its place on, so that nobody can slip in between.
        await new Promise<void>((go) => waiting.push(go));
      } else {
        running++;
      }
      try {
        return await job();
      } finally {
        const next = waiting.shift();
        if (next === undefined) running--;
        else next();
      }
    },
  };
}
