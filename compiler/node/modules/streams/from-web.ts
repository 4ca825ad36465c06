// Node streams over web streams. The web stream is locked for good; whoever destroys the Node stream ends it.

import type {
  Duplex as NodeDuplex,
  DuplexOptions,
  Readable as NodeReadable,
  ReadableOptions,
  Writable as NodeWritable,
  WritableOptions,
} from "node:stream";
import { Buffer } from "node:buffer";
import Stream from "readable-stream/lib/stream.js";
import { wrongType } from "../errors.ts";

type Callback = (error?: Error | null) => void;

export function readableFromWeb(
  stream: ReadableStream,
  { highWaterMark, encoding, objectMode, signal }: ReadableOptions = {},
): NodeReadable {
  if (!(stream instanceof ReadableStream)) {
    throw wrongType("readableStream", "an instance of ReadableStream", stream);
  }
  const reader = stream.getReader();
  let isOpen = true;
  const readable: NodeReadable = new Stream.Readable({
    ...given({ highWaterMark, encoding, objectMode, signal }),
    read() {
      reader.read().then(
        ({ done, value }) => void readable.push(done ? null : nodeChunk(value, readable)),
        (error: unknown) => void readable.destroy(error as Error),
      );
    },
    destroy(error: Error | null, done: Callback) {
      if (!isOpen) {
        done(error);
        return;
      }
      const end = (): void => done(error);
      reader.cancel(error ?? undefined).then(end, end);
    },
  });
  reader.closed.then(
    () => void (isOpen = false),
    (error: unknown) => {
      isOpen = false;
      readable.destroy(error as Error);
    },
  );
  return readable;
}

export function writableFromWeb(
  stream: WritableStream,
  { highWaterMark, decodeStrings, objectMode, signal }: WritableOptions = {},
): NodeWritable {
  if (!(stream instanceof WritableStream)) {
    throw wrongType("writableStream", "an instance of WritableStream", stream);
  }
  const writer = stream.getWriter();
  let isOpen = true;
  const writable: NodeWritable = new Stream.Writable({
    ...given({ highWaterMark, decodeStrings, objectMode, signal }),
    write(chunk: unknown, _encoding: BufferEncoding, done: Callback) {
      const written = async (): Promise<void> => {
        await writer.ready;
        await writer.write(plainBytes(chunk));
      };
      void settle(written(), done);
    },
    final(done: Callback) {
      if (isOpen) void settle(writer.close(), done);
      else done();
    },
    destroy(error: Error | null, done: Callback) {
      const end = (): void => done(error);
      if (!isOpen) end();
      else (error === null ? writer.close() : writer.abort(error)).then(end, end);
    },
  });
  writer.closed.then(
    () => void (isOpen = false),
    (error: unknown) => {
      isOpen = false;
      writable.destroy(error as Error);
    },
  );
  return writable;
}

interface WebPair {
  readonly readable: ReadableStream;
  readonly writable: WritableStream;
}

export function duplexFromWeb(pair: WebPair, options: DuplexOptions = {}): NodeDuplex {
  const { highWaterMark, encoding, signal, decodeStrings, objectMode } = options;
  const { readableObjectMode = objectMode, writableObjectMode = objectMode } = options;
  const { readableHighWaterMark = highWaterMark, writableHighWaterMark = highWaterMark } = options;
  return Stream.Duplex.from({
    readable: readableFromWeb(
      pair.readable,
      given({
        highWaterMark: readableHighWaterMark,
        encoding,
        signal,
        objectMode: readableObjectMode,
      }),
    ),
    writable: writableFromWeb(
      pair.writable,
      given({
        highWaterMark: writableHighWaterMark,
        decodeStrings,
        signal,
        objectMode: writableObjectMode,
      }),
    ),
  });
}

/** To a stream an option that is undefined is one that was given. */
function given<T extends object>(options: T): { [K in keyof T]: NonNullable<T[K]> } {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: NonNullable<T[K]> };
}

/** What `done` throws is its own, and no rejection. */
async function settle(work: Promise<unknown>, done: Callback): Promise<void> {
  let failure: Error | null = null;
  try {
    await work;
  } catch (error) {
    failure = error as Error;
  }
  queueMicrotask(() => done(failure));
}

/** Who reads bytes of a Node stream expects Buffers. */
function nodeChunk(chunk: unknown, { readableObjectMode }: NodeReadable): unknown {
  if (readableObjectMode || !(chunk instanceof Uint8Array)) return chunk;
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

/** A Buffer as the bytes it is: web streams know no Buffers. */
function plainBytes(chunk: unknown): unknown {
  if (!Buffer.isBuffer(chunk)) return chunk;
  return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}
