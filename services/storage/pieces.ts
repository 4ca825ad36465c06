// Bodies in pieces: one that is ended exactly once, read or not, and the gathering of small pieces into large ones.

import { EdgeError } from "../../sdk/errors.ts";

export interface PieceSource {
  /** null at the end. */
  next(): Promise<Uint8Array | null>;
  /** Gives back what it holds. Called once, after the last `next`. */
  end(): void | Promise<void>;
}

/** Unlike a generator it is ended by `return` also when nobody has begun to read it. */
export class Pieces implements AsyncIterableIterator<Uint8Array, undefined> {
  readonly #source: PieceSource;
  #ended = false;

  constructor(source: PieceSource) {
    this.#source = source;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#ended) return { done: true, value: undefined };
    try {
      const value = await this.#source.next();
      if (value !== null) return { done: false, value };
    } catch (error) {
      await this.return();
      throw error;
    }
    return this.return();
  }

  async return(): Promise<{ done: true; value: undefined }> {
    if (!this.#ended) {
      this.#ended = true;
      await this.#source.end();
    }
    return { done: true, value: undefined };
  }
}

/** What may be gathered at once, of all bodies of one backend together. */
export class GatherBudget {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  take(bytes: number): void {
    if (this.#bytes + bytes > this.#bytesMax) {
      throw new EdgeError("SERVICE_OVERLOADED", "Too much is being uploaded at once.");
    }
    this.#bytes += bytes;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

export interface Gathered {
  readonly bytes: Uint8Array;
  readonly isLast: boolean;
}

/**
 * Parts of exactly `partBytes` but the last, which comes only when the body has ended well. The budget counts a part
 * until the next one is asked for.
 */
export async function* gather(
  body: AsyncIterable<Uint8Array>,
  { partBytes, budget }: { readonly partBytes: number; readonly budget: GatherBudget },
): AsyncGenerator<Gathered, undefined> {
  let held: Uint8Array[] = [];
  let size = 0;
  const take = (bytes: Uint8Array): void => {
    budget.take(bytes.byteLength);
    size += bytes.byteLength;
    held.push(bytes);
  };
  try {
    for await (const piece of body) {
      let rest = piece;
      while (size + rest.byteLength > partBytes) {
        const from = partBytes - size;
        take(rest.subarray(0, from));
        rest = rest.subarray(from);
        const bytes = Buffer.concat(held);
        held = [];
        yield { bytes, isLast: false };
        budget.give(size);
        size = 0;
      }
      take(rest);
    }
    const bytes = Buffer.concat(held);
    held = [];
    yield { bytes, isLast: true };
  } finally {
    budget.give(size);
  }
}
