// Which pool slices may run at once. Short and long ones have places of their own, each kind in the order of asking: a
// good endpoint never waits for a burning neighbour, and however many good ones there are, the burning one gets on.
// Long are the slices of endpoints whose records lately took long, and every slice that turns out to be long.

export type Pace = "short" | "long";

/** Longer than any slice should take: those that wait have waited for long enough. */
export const SHORT_MS_MAX = 20;

export type PlaceCounts = Readonly<Record<Pace, number>>;

export class Places {
  readonly #most: PlaceCounts;
  readonly #taken: Record<Pace, number> = { short: 0, long: 0 };
  readonly #waiting: Readonly<Record<Pace, (() => void)[]>> = { short: [], long: [] };

  constructor(most: PlaceCounts) {
    this.#most = most;
  }

  /** Runs `start` now or later; it is followed by leave. At most one per isolate waits. */
  take(pace: Pace, start: () => void): void {
    if (this.#taken[pace] >= this.#most[pace]) {
      this.#waiting[pace].push(start);
      return;
    }
    this.#taken[pace]++;
    start();
  }

  /** Takes one whether or not there is one: for what runs already. */
  occupy(pace: Pace): void {
    this.#taken[pace]++;
  }

  leave(pace: Pace): void {
    this.#taken[pace]--;
    if (this.#taken[pace] >= this.#most[pace]) return;
    const next = this.#waiting[pace].shift();
    if (next === undefined) return;
    this.#taken[pace]++;
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
    this.#places.take(pace, () => {
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
    this.#places.occupy("long");
    this.leave();
    this.#held = "long";
  }

  /** Idempotent. */
  leave(): void {
    const held = this.#held;
    this.#held = null;
    if (held !== null) this.#places.leave(held);
  }
}
