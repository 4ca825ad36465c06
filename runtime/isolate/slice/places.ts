// Which pool slices may run at once. Short and long ones have places of their own, each kind in the order of asking: a
// good endpoint never waits for a burning neighbour, and however many good ones there are, the burning one gets on.
// Long are the slices of endpoints whose records lately took long, and every slice that turns out to be long.

export type Pace = "short" | "long";

/** Longer than any slice should take: those that wait have waited for long enough. */
export const SHORT_MS_MAX = 20;

/** Of one pace. */
export interface PaceQueue {
  /** Runs `start` now or later; it is followed by leave. At most one per isolate waits. */
  take(start: () => void): void;
  /** Takes one whether or not there is one: for what runs already. */
  occupy(): void;
  leave(): void;
}

export type Places = Readonly<Record<Pace, PaceQueue>>;

/** So many at once. */
export class Counted implements PaceQueue {
  readonly #most: number;
  #taken = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  take(start: () => void): void {
    if (this.#taken >= this.#most) {
      this.#waiting.push(start);
      return;
    }
    this.#taken++;
    start();
  }

  occupy(): void {
    this.#taken++;
  }

  leave(): void {
    this.#taken--;
    if (this.#taken >= this.#most) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#taken++;
    next();
  }
}

/** The place of one isolate. */
export class Place {
  readonly #places: Places;
  #held: Pace | null = null;

  constructor(places: Places) {
    this.#places = places;
  }

  take(pace: Pace, start: () => void): void {
    this.#places[pace].take(() => {
      this.leave();
      this.#held = pace;
      start();
    });
  }

  /** It has run for so long: a short place is somebody else's from then on. */
  ran(ms: number): void {
    if (ms > SHORT_MS_MAX) this.stay();
  }

  /** It may run for long. Idempotent. */
  stay(): void {
    if (this.#held === "long") return;
    this.#places.long.occupy();
    this.leave();
    this.#held = "long";
  }

  /** Idempotent. */
  leave(): void {
    const held = this.#held;
    this.#held = null;
    if (held !== null) this.#places[held].leave();
  }
}
