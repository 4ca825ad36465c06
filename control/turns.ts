// Who may work when: one piece of work per key at a time, a bounded number over all keys, and a bounded
// number waiting. First come, first served, except that a waiting key does not hold up the others.

import { EdgeError } from "../sdk/errors.ts";

export interface TurnLimits {
  readonly runningMax: number;
  readonly waitingMax: number;
}

export interface Turns {
  /** Rejects with OVERLOADED, without having called `work`, when too many wait already. */
  run<T>(key: string, work: () => Promise<T>): Promise<T>;
}

export function createTurns({ runningMax, waitingMax }: TurnLimits): Turns {
  const running = new Set<string>();
  const waiting: { readonly key: string; readonly begin: () => void }[] = [];
  const isFree = (key: string): boolean => running.size < runningMax && !running.has(key);

  const next = (): void => {
    for (let at = 0; at < waiting.length && running.size < runningMax;) {
      const turn = waiting[at];
      if (turn === undefined || running.has(turn.key)) {
        at += 1;
        continue;
      }
      waiting.splice(at, 1);
      running.add(turn.key);
      turn.begin();
    }
  };

  return {
    run: async (key, work) => {
      if (isFree(key)) {
        running.add(key);
      } else {
        if (waiting.length >= waitingMax) throw new EdgeError("OVERLOADED");
        // Whoever ends its turn enters this key as running before it calls `begin`.
        await new Promise<void>((begin) => waiting.push({ key, begin }));
      }
      try {
        return await work();
      } finally {
        running.delete(key);
        next();
      }
    },
  };
}
