// Who brought down a worker that could not say it itself: what its witness (runtime/link/witness.ts) names.
//
// One name is an answer. Of several it is whoever the deaths of the last hour have in common, if that is one. After
// any such death workers are asked to look closely: the next one leaves fewer names, and none that had just ended.

import type { RestartReason } from "../../../sdk/node.ts";
import type { Culprit } from "../../link/messages.ts";
import { NAMED_MAX, readWitness, type Testimony } from "../../link/witness.ts";

/** As long as a strike counts. */
export const CLOSE_LOOK_MS = 3_600_000;

export class Inquest {
  /** What the deaths of the last hour that left several names have in common. */
  #suspects: readonly Culprit[] = [];
  #lastMs = Number.NEGATIVE_INFINITY;

  /** Of a worker that is dead or stands still. null: nobody, or nobody can tell. */
  culprit(path: string, reason: RestartReason, now: number): Culprit | null {
    const testimony = readWitness(path);
    if (testimony === null) return null;
    const names = suspectsOf(testimony, reason);
    const [only = null] = names;
    if (only === null) return null;
    if (this.closeLookMs(now) === 0) this.#suspects = [];
    this.#lastMs = now;
    if (names.length === 1) return only;
    if (testimony.main.length > NAMED_MAX || testimony.pool.length > NAMED_MAX) return null;
    const left = names.filter((name) => includes(this.#suspects, name));
    // None: this death has another cause than those before.
    this.#suspects = left.length === 0 ? names : left;
    const [suspect = null] = this.#suspects;
    return this.#suspects.length === 1 ? suspect : null;
  }

  /** For how long workers have to look closely, from now on. */
  closeLookMs(now: number): number {
    return Math.max(0, this.#lastMs + CLOSE_LOOK_MS - now);
  }
}

function suspectsOf({ main, pool }: Testimony, reason: RestartReason): readonly Culprit[] {
  // An event loop only stands still for what runs on its own thread.
  if (reason === "stalled") return main;
  if (reason !== "crash" && reason !== "memory") return [];
  return [...main, ...pool.filter((one) => !includes(main, one))];
}

function includes(names: readonly Culprit[], { endpoint, version }: Culprit): boolean {
  return names.some((one) => one.endpoint === endpoint && one.version === version);
}
