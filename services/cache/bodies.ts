// Bodies of stored responses that are on their way, in or out: one isolate's.

import { EdgeError } from "../../sdk/errors.ts";
import { CACHE_BODIES_MAX, type CacheStream } from "../../sdk/services/cache.ts";
import type { CallContext } from "../../sdk/services/service.ts";
import type { Value } from "../../sdk/services/values.ts";
import type { Reply } from "./answer.ts";

export class Bodies {
  readonly #bytesMax: number;
  #open = 0;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** To what ends it. */
  begin(): () => void {
    if (this.#open >= CACHE_BODIES_MAX) {
      const text = `${CACHE_BODIES_MAX} bodies of stored responses are on their way at once already.`;
      throw new EdgeError("SERVICE_OVERLOADED", text);
    }
    this.#open++;
    return () => void this.#open--;
  }

  async *counted(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    let bytes = 0;
    try {
      for await (const piece of body) {
        bytes += piece.byteLength;
        this.#bytes += piece.byteLength;
        if (bytes <= this.#bytesMax && this.#bytes > this.#bytesMax) {
          const text = `The bodies on their way have more than ${this.#bytesMax} bytes together.`;
          throw new EdgeError("SERVICE_OVERLOADED", text);
        }
        yield piece;
      }
    } finally {
      this.#bytes -= bytes;
    }
  }
}

/** Closes the stream at its end, or when nobody wants it any more. */
export function restOf(
  stream: CacheStream,
  { from, to }: Reply,
  { context, end }: { readonly context: CallContext; readonly end: () => void },
): AsyncIterableIterator<Value> {
  const pieces = stream.read(from, to)[Symbol.asyncIterator]();
  let isOver = false;
  const close = (): void => {
    if (isOver) return;
    isOver = true;
    end();
    void stream.close();
  };
  // A rest that is never pulled is never ended either.
  context.signal.addEventListener("abort", close, { once: true });
  return {
    async next() {
      if (isOver) return { done: true, value: undefined };
      try {
        const next = await pieces.next();
        if (next.done === true) close();
        return next;
      } catch (error) {
        close();
        throw error;
      }
    },
    async return() {
      close();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
