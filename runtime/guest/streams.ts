// Streams come from web-streams-polyfill, which passes the standard's tests. This is its one door: the classes
// for authors, and what bodies need of a stream, by methods captured before author code could replace them.

import "./early.ts";
import {
  ReadableStream,
  ReadableStreamDefaultController,
  ReadableStreamDefaultReader,
  type ReadableByteStreamController,
  TransformStream,
  WritableStream,
} from "web-streams-polyfill";
import { registerTransferable, structuredClone } from "./structured-clone.ts";

export {
  ByteLengthQueuingStrategy,
  CountQueuingStrategy,
  ReadableByteStreamController,
  ReadableStream,
  ReadableStreamBYOBReader,
  ReadableStreamBYOBRequest,
  ReadableStreamDefaultController,
  ReadableStreamDefaultReader,
  TransformStream,
  TransformStreamDefaultController,
  WritableStream,
  WritableStreamDefaultController,
  WritableStreamDefaultWriter,
} from "web-streams-polyfill";

const apply = Reflect.apply;
const NativePromise = Promise;
const hasOwn = Object.hasOwn;
const getReader = ReadableStream.prototype.getReader;
const teeMethod = ReadableStream.prototype.tee;
const pipeThrough = ReadableStream.prototype.pipeThrough;
const enqueueDefault = ReadableStreamDefaultController.prototype.enqueue;
const closeDefault = ReadableStreamDefaultController.prototype.close;
const readMethod = ReadableStreamDefaultReader.prototype.read;
const cancelReader = ReadableStreamDefaultReader.prototype.cancel;

/** The library's slots, which are plain properties. */
interface Slots {
  _disturbed: boolean;
  readonly _reader: unknown;
}

export type Reader = ReadableStreamDefaultReader<unknown>;
type ReadResult = { readonly done: boolean; readonly value?: unknown };

export function isReadableStream(value: unknown): value is ReadableStream<unknown> {
  if (typeof value !== "object" || value === null) return false;
  return value instanceof ReadableStream && hasOwn(value, "_readableStreamController");
}

export function isStream(value: unknown): boolean {
  return (
    value instanceof ReadableStream ||
    value instanceof WritableStream ||
    value instanceof TransformStream
  );
}

function slots(stream: ReadableStream<unknown>): Slots {
  return stream as unknown as Slots;
}

export function isDisturbed(stream: ReadableStream<unknown>): boolean {
  return slots(stream)._disturbed;
}

export function isLocked(stream: ReadableStream<unknown>): boolean {
  return slots(stream)._reader !== undefined;
}

/** Locks the stream for good and marks it as read, so that nobody else reads what bypasses it. */
export function retire(stream: ReadableStream<unknown>): void {
  apply(getReader, stream, []);
  slots(stream)._disturbed = true;
}

export function readerOf(stream: ReadableStream<unknown>): Reader {
  return apply(getReader, stream, []) as Reader;
}

export function readNext(reader: Reader): Promise<ReadResult> {
  return apply(readMethod, reader, []) as Promise<ReadResult>;
}

export async function cancelRead(reader: Reader, reason: unknown): Promise<void> {
  try {
    await (apply(cancelReader, reader, [reason]) as Promise<void>);
  } catch {
    // The source's own cancel failed; nobody is left who could be told.
  }
}

export function tee(
  stream: ReadableStream<unknown>,
): [ReadableStream<unknown>, ReadableStream<unknown>] {
  return apply(teeMethod, stream, []) as [ReadableStream<unknown>, ReadableStream<unknown>];
}

/** A stream with copies of another's chunks, for the second branch of a tee. */
export function copied(stream: ReadableStream<unknown>): ReadableStream<unknown> {
  const reader = readerOf(stream);
  const source = {
    __proto__: null,
    async pull(controller: ReadableStreamDefaultController<unknown>) {
      const { done, value } = await readNext(reader);
      if (done) apply(closeDefault, controller, []);
      else apply(enqueueDefault, controller, [structuredClone(value)]);
    },
    cancel: (reason: unknown) => cancelRead(reader, reason),
  };
  return new ReadableStream(source as never, { highWaterMark: 0 });
}

registerTransferable({
  isKind: isReadableStream,
  canMove: (value) => !isLocked(value as ReadableStream<unknown>),
  move: (value) => copied(value as ReadableStream<unknown>),
});

const pipeTo = ReadableStream.prototype.pipeTo;
const isWritableLocked = Object.getOwnPropertyDescriptor(WritableStream.prototype, "locked")
  ?.get as (this: unknown) => boolean;

registerTransferable({
  isKind: (value) => value instanceof WritableStream,
  canMove: (value) => !apply(isWritableLocked, value, []),
  move(value) {
    const { readable, writable } = new TransformStream<unknown, unknown>();
    // Whoever writes learns of a failure from the writable end.
    void settled(apply(pipeTo, copied(readable), [value as WritableStream<unknown>]));
    return writable;
  },
});

async function settled(piping: Promise<void>): Promise<void> {
  try {
    await piping;
  } catch {
    // The ends know.
  }
}

/** A stream with the content of another, which becomes locked and read. */
export function proxy(stream: ReadableStream<unknown>): ReadableStream<unknown> {
  return apply(pipeThrough, stream, [new TransformStream()]) as ReadableStream<unknown>;
}

/** What feeds a byte stream: pulled one chunk at a time, null ends it. */
export interface ByteSource {
  pull(): Promise<Uint8Array | null> | Uint8Array | null;
  cancel(reason?: unknown): void;
}

export interface ByteStream {
  readonly stream: ReadableStream<unknown>;
  /** Makes all further reading fail. */
  fail(reason: unknown): void;
}

export function createByteStream(source: ByteSource): ByteStream {
  let control: ReadableByteStreamController | null = null;
  const stream = new ReadableStream(
    {
      __proto__: null,
      type: "bytes",
      start(controller: ReadableByteStreamController) {
        control = controller;
      },
      async pull(controller: ReadableByteStreamController) {
        for (;;) {
          const next = source.pull();
          // Awaiting bytes that are at hand would look for `then` on them, where an author may have put one.
          const chunk = next instanceof NativePromise ? await next : next;
          if (chunk === null) {
            apply(closeByte, controller, []);
            // A reader that brought its own buffer waits until that is given back.
            controller.byobRequest?.respond(0);
            return;
          }
          if (chunk.byteLength === 0) continue;
          apply(enqueueByte, controller, [chunk]);
          return;
        }
      },
      cancel(reason: unknown) {
        source.cancel(reason);
      },
    } as never,
    { highWaterMark: 0 },
  ) as ReadableStream<unknown>;
  const fail = (reason: unknown): void => {
    if (control === null) return;
    try {
      apply(errorByte, control, [reason]);
    } catch {
      // Closed or cancelled already.
    }
  };
  return { stream, fail };
}

const byteController: ReadableByteStreamController = (() => {
  let found: ReadableByteStreamController | undefined;
  const start = (controller: ReadableByteStreamController): void => {
    found = controller;
  };
  new ReadableStream({ type: "bytes", start });
  if (found === undefined) throw new TypeError("The streams library does not start its streams.");
  return Object.getPrototypeOf(found) as ReadableByteStreamController;
})();
const enqueueByte = byteController.enqueue;
const closeByte = byteController.close;
const errorByte = byteController.error;

// The library finds %AsyncIteratorPrototype% only where an async generator could be compiled for its target.
const libraryIterator = Object.getPrototypeOf(new ReadableStream().values()) as object;
const asyncGenerator = async function* () {}.prototype as object;
const asyncIterator = Object.getPrototypeOf(Object.getPrototypeOf(asyncGenerator)) as object;
Object.setPrototypeOf(libraryIterator, asyncIterator);
