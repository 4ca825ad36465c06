// What this process holds for one isolate: bodies on their way in, replies that their readers have not taken, calls
// that wait. The engine sees none of it, so it has an account of its own, as large as the isolate's memory; whatever
// would go beyond it is refused to the request that asks for it.

export class Held {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False, and nothing is held, when it is too much. What is taken must be given back. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  /** What is here already. */
  add(bytes: number): void {
    this.#bytes += bytes;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}
