// The timers of one isolate: each one that a guest sets costs the host a real one, so they are bounded.

import { LIMITS } from "../../sdk/limits.ts";

/** Only a guest that was tampered with gets here: the platform inside keeps to the limit. */
const TIMERS_MAX: number = LIMITS.timers.max + 240;
/** Longest delay the platform's timers take; longer would fire at once. */
const DELAY_MS_MAX = 2_147_483_647;

export class GuestTimers {
  readonly #timers = new Map<number, NodeJS.Timeout>();
  readonly #fire: (id: number, owner: number) => void;

  /** `owner`: the request whose code set it. */
  constructor(fire: (id: number, owner: number) => void) {
    this.#fire = fire;
  }

  get size(): number {
    return this.#timers.size;
  }

  /** `payload`: of a TIMER_SET record. False when it is not what an honest guest asks for. */
  set(id: number, payload: string): boolean {
    const msEnd = payload.indexOf("\n");
    const ms = Number(payload.slice(0, msEnd));
    const owner = Number(payload.slice(msEnd + 1));
    if (!(ms >= 0) || this.#timers.size >= TIMERS_MAX) return false;
    this.clear(id);
    const run = (): void => {
      this.#timers.delete(id);
      this.#fire(id, owner);
    };
    this.#timers.set(id, setTimeout(run, Math.min(ms, DELAY_MS_MAX)));
    return true;
  }

  clear(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
