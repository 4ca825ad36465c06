// Subrequests that are broken off. Each costs the accepting thread a third of a millisecond, which undici needs to take
// a connection down; of thousands that end with one signal or one isolate, a few do so in each turn.

/** Of one turn of the event loop. */
const TURN_MS_MAX = 5;

/** Bounded by who may be open: subrequests of the isolates of this worker. */
let waiting: AbortController[] = [];

export function abortInTurn(controller: AbortController): void {
  if (waiting.push(controller) === 1) setImmediate(abortSome);
}

function abortSome(): void {
  const untilMs = performance.now() + TURN_MS_MAX;
  let done = 0;
  do waiting[done++]?.abort();
  while (done < waiting.length && performance.now() < untilMs);
  waiting = waiting.slice(done);
  if (waiting.length > 0) setImmediate(abortSome);
}
