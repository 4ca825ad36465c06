// Whose turn it is on the thread pool. Pieces of one isolate follow one another; isolates take turns, so that one with
// a thousand streams waits behind itself and not in front of the others.

import assert from "node:assert/strict";

/** Of the four threads that Node's pool has, two stay free for files and names. */
const AT_ONCE_MAX = 2;

/** Begins a piece; calls its argument once when that is done. */
export type Piece = (done: () => void) => void;

export interface Turns {
  run(piece: Piece): void;
}

export interface Gate {
  /** For one isolate. What waits in it is bounded by the calls that an isolate may have open. */
  createTurns(): Turns;
}

export function createGate(atOnceMax: number = AT_ONCE_MAX): Gate {
  /** Each isolate that waits is in it once. */
  const waiting: (() => void)[] = [];
  let running = 0;

  function start(): void {
    while (running < atOnceMax) {
      const next = waiting.shift();
      if (next === undefined) return;
      running++;
      next();
    }
  }

  function createTurns(): Turns {
    const pieces: Piece[] = [];
    let queued = false;
    const runNext = (): void => {
      const piece = pieces.shift();
      assert(piece !== undefined);
      let ended = false;
      piece(() => {
        if (ended) return;
        ended = true;
        running--;
        queued = false;
        queue();
        start();
      });
    };
    const queue = (): void => {
      if (queued || pieces.length === 0) return;
      queued = true;
      waiting.push(runNext);
    };
    return {
      run(piece) {
        pieces.push(piece);
        queue();
        start();
      },
    };
  }
  return { createTurns };
}
