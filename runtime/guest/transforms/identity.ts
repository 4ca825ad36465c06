// IdentityTransformStream and FixedLengthStream, as Workers have them: bytes go through unchanged, each write waits for
// its reader.

import { bytesOf } from "../buffer-source.ts";
import { encodeUtf8 } from "../encoding.ts";
import { exposeInterface } from "../interface.ts";
import { createPair, type Emit, type Pair, type Work } from "./pair.ts";

const apply = Reflect.apply;
const slice = Uint8Array.prototype.slice;

/** Larger lengths are not exact. */
const LENGTH_MAX = Number.MAX_SAFE_INTEGER;

class Passing implements Work {
  /** What is still to come; null: as much as there is. */
  #left: number | null;

  constructor(length: number | null) {
    this.#left = length;
  }

  take(chunk: unknown, emit: Emit): Promise<void> | undefined {
    const bytes = typeof chunk === "string" ? encodeUtf8(chunk) : bytesOf(chunk);
    if (bytes === null)
      throw new TypeError("A chunk must be text, an ArrayBuffer or a view on one");
    if (this.#left !== null) {
      if (bytes.length > this.#left) throw new TypeError("More bytes than the stream's length");
      this.#left -= bytes.length;
    }
    return emit(apply(slice, bytes, []) as Uint8Array);
  }

  finish(): undefined {
    if (this.#left !== null && this.#left > 0) {
      throw new TypeError(`The stream ends ${this.#left} bytes before its length`);
    }
    return undefined;
  }

  stop(): void {}
}

function parseLength(length: unknown): number {
  const number = typeof length === "bigint" ? Number(length) : +(length as number);
  if (number >= 0 && number <= LENGTH_MAX && number % 1 === 0) return number;
  throw new TypeError("The length of a stream is a whole number that is not negative");
}

/** Only FixedLengthStream has it. */
const INTERNAL = {};

export class IdentityTransformStream {
  readonly #pair: Pair;

  constructor(internal: unknown = undefined, length: number | null = null) {
    this.#pair = createPair(new Passing(internal === INTERNAL ? length : null), 1);
  }

  get readable(): object {
    return this.#pair.readable;
  }

  get writable(): object {
    return this.#pair.writable;
  }
}
exposeInterface(IdentityTransformStream, "IdentityTransformStream");

export class FixedLengthStream extends IdentityTransformStream {
  constructor(length: unknown) {
    super(INTERNAL, parseLength(length));
  }
}
exposeInterface(FixedLengthStream, "FixedLengthStream");
