// A writable and a readable byte stream with asynchronous work in between. A TransformStream does not do: what it
// makes of one chunk it makes at once, whether anybody reads it or not, and a few bytes may become gigabytes here.
//
// As there, a chunk is looked at only when somebody wants to read, and what ends one side badly ends both. Other than
// there, the work waits in the middle of a chunk while AHEAD_BYTES_MAX of what it gave are unread.

import { createByteStream, WritableStream, WritableStreamDefaultController } from "../streams.ts";

const apply = Reflect.apply;
const NativePromise = Promise;
const errorWritable = WritableStreamDefaultController.prototype.error;

/** As much as a reply stream may be ahead of its client. */
const AHEAD_BYTES_MAX = 262_144;

/** Takes a chunk away; the promise is for whoever has more: it waits until there is room. */
export type Emit = (chunk: Uint8Array) => Promise<void> | undefined;

export interface Work {
  take(chunk: unknown, emit: Emit): Promise<void> | undefined;
  /** The writer has closed. */
  finish(emit: Emit): Promise<void> | undefined;
  /** Nobody wants anything any more: once at most, not after finish has come to its end. */
  stop(): void;
}

export interface Pair {
  readonly readable: object;
  readonly writable: object;
}

/** A list by links: elements of an array could meet an author's setters. */
interface Ready {
  readonly chunk: Uint8Array;
  next: Ready | null;
}

class Middle {
  #first: Ready | null = null;
  #last: Ready | null = null;
  #bytes = 0;
  #ended = false;
  #give: ((chunk: Uint8Array | null) => void) | null = null;
  /** The writer's side waits for a reader, or for room. */
  #wake: (() => void) | null = null;

  get isWanted(): boolean {
    return this.#give !== null || this.#ended;
  }

  readonly emit: Emit = (chunk) => {
    if (this.#ended || chunk.length === 0) return undefined;
    const give = this.#give;
    if (give !== null) {
      this.#give = null;
      give(chunk);
      return undefined;
    }
    const ready: Ready = { chunk, next: null };
    if (this.#last === null) this.#first = ready;
    else this.#last.next = ready;
    this.#last = ready;
    this.#bytes += chunk.length;
    return this.#bytes < AHEAD_BYTES_MAX ? undefined : this.untilWanted();
  };

  pull(): Promise<Uint8Array | null> | Uint8Array | null {
    const ready = this.#first;
    if (ready !== null) {
      this.#first = ready.next;
      if (ready.next === null) this.#last = null;
      this.#bytes -= ready.chunk.length;
      return ready.chunk;
    }
    if (this.#ended) return null;
    const answer = new NativePromise<Uint8Array | null>((resolve) => {
      this.#give = resolve;
    });
    this.#wakeUp();
    return answer;
  }

  async untilWanted(): Promise<void> {
    while (!this.isWanted) {
      await new NativePromise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** No more chunks come. */
  end(): void {
    this.#ended = true;
    const give = this.#give;
    this.#give = null;
    give?.(null);
    this.#wakeUp();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}

/** `highWaterMark`: of the writable side, in chunks. */
export function createPair(work: Work, highWaterMark: number): Pair {
  const middle = new Middle();
  let control: WritableStreamDefaultController | null = null;
  let stopped = false;
  const stop = (): void => {
    if (stopped) return;
    stopped = true;
    work.stop();
  };
  const { stream: readable, fail } = createByteStream({
    pull: () => middle.pull(),
    cancel(reason) {
      middle.end();
      stop();
      if (control !== null) apply(errorWritable, control, [reason]);
    },
  });
  const failBoth = (reason: unknown): void => {
    fail(reason);
    middle.end();
    stop();
  };
  const writable = new WritableStream(
    {
      __proto__: null,
      start(controller: WritableStreamDefaultController) {
        control = controller;
      },
      async write(chunk: unknown) {
        try {
          await middle.untilWanted();
          if (!stopped) await work.take(chunk, middle.emit);
        } catch (error) {
          failBoth(error);
          throw error;
        }
      },
      async close() {
        try {
          if (!stopped) await work.finish(middle.emit);
          stopped = true;
          middle.end();
        } catch (error) {
          failBoth(error);
          throw error;
        }
      },
      abort: failBoth,
    } as never,
    { highWaterMark },
  );
  return { readable, writable };
}
