// When an isolate that still answers gives way to a fresh one of the same version. Pure: time is an argument.
//
// A fresh isolate costs the accepting thread some milliseconds and, for a while, the memory of two; an isolate that
// reaches its memory limit costs every request that is open in it. So a slow leak is never met by anybody, while a
// handler that fills its heap again and again is left to its limit, and its author told, more and more often.

export type RecycleReason =
  /** What it keeps comes near its memory limit. */
  | "heap"
  | "age"
  /** So many slices of it were cut off, and promise jobs of other requests with them, that its state is doubtful. */
  | "cuts";

/** Part of the memory limit: above it V8 collects ever more often, and one large request meets the limit. */
export const HEAP_SHARE_MAX = 0.8;
/** Looks in a row above it. Garbage is collected between two looks, so what stands there each time is kept. */
export const HEAP_LOOKS = 3;
/** A day: short enough for what grows too slowly to be seen, and no more than one cold start a day. */
export const AGE_MS_MAX = 86_400_000;
/** Up to this part of it is taken off, so that what was loaded together does not go together. */
export const AGE_JITTER = 0.25;
/** One request may be cut by mistake of its author; as many as this are a habit. */
export const CUTS_MAX = 10;
/** The least time between two; … */
export const PAUSE_MS_FIRST = 5_000;
/** … it doubles up to an hour, for a handler that ordinarily is above the bound and is recycled in vain, … */
export const PAUSE_MS_MAX = 3_600_000;
/** … as long as the fresh isolate needs it this soon after the pause. */
export const YOUNG_MS = 20_000;

export interface Look {
  readonly heapBytes: number;
  readonly cuts: number;
}

export interface RecyclingJudge {
  /** A fresh isolate serves from now on. */
  began(nowMs: number): void;
  /** Whether it should be replaced now. Called about once a second. */
  look(nowMs: number, look: Look): RecycleReason | null;
  /** It is being replaced, or that was tried in vain. */
  replacing(nowMs: number): void;
}

/** `random`: 0 to 1. */
export function createRecyclingJudge(
  heapBytesMax: number,
  random: () => number = Math.random,
): RecyclingJudge {
  let diesMs = Number.POSITIVE_INFINITY;
  let highLooks = 0;
  let lastMs = Number.NEGATIVE_INFINITY;
  let pauseMs = PAUSE_MS_FIRST;

  return {
    began(nowMs) {
      diesMs = nowMs + AGE_MS_MAX * (1 - AGE_JITTER * random());
      highLooks = 0;
    },
    look(nowMs, { heapBytes, cuts }) {
      highLooks = heapBytes > heapBytesMax * HEAP_SHARE_MAX ? highLooks + 1 : 0;
      if (nowMs - lastMs < pauseMs) return null;
      if (highLooks >= HEAP_LOOKS) return "heap";
      if (cuts >= CUTS_MAX) return "cuts";
      return nowMs >= diesMs ? "age" : null;
    },
    replacing(nowMs) {
      const isSoon = nowMs - lastMs < pauseMs + YOUNG_MS;
      pauseMs = isSoon ? Math.min(pauseMs * 2, PAUSE_MS_MAX) : PAUSE_MS_FIRST;
      lastMs = nowMs;
    },
  };
}
