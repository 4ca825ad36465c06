// TextEncoderStream and TextDecoderStream: what the classes of the same names do, chunk by chunk. What comes out is no
// more than three times what went in, so the work needs no pauses and a TransformStream carries it.

import { bytesOfShared } from "../buffer-source.ts";
import { encodeUtf8, TextDecoder } from "../encoding.ts";
import { exposeInterface } from "../interface.ts";
import { TransformStream, TransformStreamDefaultController } from "../streams.ts";

const apply = Reflect.apply;
const decode = TextDecoder.prototype.decode;
const charCodeAt = String.prototype.charCodeAt;
const sliceText = String.prototype.slice;
const enqueueMethod = TransformStreamDefaultController.prototype.enqueue;
const transformPrototype = TransformStream.prototype;
const readableOf = getterOf("readable");
const writableOf = getterOf("writable");

type Controller = TransformStreamDefaultController<unknown>;
type Stream = TransformStream<unknown, unknown>;

function getterOf(key: "readable" | "writable"): (this: Stream) => object {
  const getter = Object.getOwnPropertyDescriptor(transformPrototype, key)?.get;
  if (getter === undefined) throw new TypeError(`no getter ${key}`);
  return getter as (this: Stream) => object;
}

function createTransform(
  transform: (chunk: unknown, controller: Controller) => void,
  flush: (controller: Controller) => void,
): Stream {
  return new TransformStream({ __proto__: null, transform, flush } as never);
}

function enqueue(controller: Controller, chunk: unknown): void {
  apply(enqueueMethod, controller, [chunk]);
}

function createEncoding(): Stream {
  /** The high half of a pair whose low half the next chunk may begin with; "" for none. */
  let high = "";
  return createTransform(
    (chunk, controller) => {
      const given = `${chunk as string}`;
      if (given.length === 0) return;
      const text = high + given;
      const last = apply(charCodeAt, text, [text.length - 1]) as number;
      const cut = (last & 0xfc00) === 0xd800 ? text.length - 1 : text.length;
      high = apply(sliceText, text, [cut]) as string;
      if (cut > 0) enqueue(controller, encodeUtf8(apply(sliceText, text, [0, cut]) as string));
    },
    (controller) => {
      if (high !== "") enqueue(controller, encodeUtf8(high));
    },
  );
}

function createDecoding(decoder: TextDecoder): Stream {
  return createTransform(
    (chunk, controller) => {
      if (bytesOfShared(chunk) === null) {
        throw new TypeError("A chunk must be an ArrayBuffer or a view on one");
      }
      const text = apply(decode, decoder, [chunk, STREAMING]) as string;
      if (text !== "") enqueue(controller, text);
    },
    (controller) => {
      const text = apply(decode, decoder, []) as string;
      if (text !== "") enqueue(controller, text);
    },
  );
}
const STREAMING = { __proto__: null, stream: true };

export class TextEncoderStream {
  readonly #stream: Stream = createEncoding();

  get encoding(): string {
    // The brand: other objects throw.
    return this.#stream === undefined ? "" : "utf-8";
  }

  get readable(): object {
    return apply(readableOf, this.#stream, []) as object;
  }

  get writable(): object {
    return apply(writableOf, this.#stream, []) as object;
  }
}
exposeInterface(TextEncoderStream, "TextEncoderStream");

export class TextDecoderStream {
  readonly #encoding: string;
  readonly #fatal: boolean;
  readonly #ignoreBom: boolean;
  readonly #stream: Stream;

  constructor(label: unknown = "utf-8", options?: { fatal?: unknown; ignoreBOM?: unknown } | null) {
    const decoder = new TextDecoder(label, options);
    this.#encoding = decoder.encoding;
    this.#fatal = decoder.fatal;
    this.#ignoreBom = decoder.ignoreBOM;
    this.#stream = createDecoding(decoder);
  }

  get encoding(): string {
    return this.#encoding;
  }

  get fatal(): boolean {
    return this.#fatal;
  }

  get ignoreBOM(): boolean {
    return this.#ignoreBom;
  }

  get readable(): object {
    return apply(readableOf, this.#stream, []) as object;
  }

  get writable(): object {
    return apply(writableOf, this.#stream, []) as object;
  }
}
exposeInterface(TextDecoderStream, "TextDecoderStream");
