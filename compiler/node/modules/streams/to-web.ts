// Web streams over Node streams, which live as long: a cancelled or aborted one destroys what it stands for.

import type { Duplex, Readable, Writable } from "node:stream";
import Stream from "readable-stream/lib/stream.js";
import { coded, wrongType } from "../errors.ts";

interface ReadableToWebOptions {
  readonly strategy?: QueuingStrategy;
}

const ignore = (): void => undefined;

export function readableToWeb(
  readable: Readable,
  options: ReadableToWebOptions = {},
): ReadableStream {
  if (typeof readable?.pipe !== "function" || typeof readable.resume !== "function") {
    throw wrongType("streamReadable", "an instance of stream.Readable", readable);
  }
  let isOpen = true;
  return new ReadableStream<unknown>(
    {
      start(controller) {
        readable.pause();
        readable.on("data", (chunk: unknown) => {
          if (!isOpen) return;
          controller.enqueue(webChunk(chunk, readable.readableObjectMode));
          if ((controller.desiredSize ?? 0) <= 0) readable.pause();
        });
        const stop = Stream.finished(readable, { writable: false }, (error) => {
          stop();
          readable.on("error", ignore);
          if (!isOpen) return;
          isOpen = false;
          if (error === null || error === undefined) controller.close();
          else controller.error(asAbort(error));
        });
      },
      pull: () => void readable.resume(),
      cancel(reason) {
        isOpen = false;
        readable.destroy(reason as Error);
      },
    },
    options.strategy ?? strategyOf(readable.readableObjectMode, readable.readableHighWaterMark),
  );
}

export function writableToWeb(writable: Writable): WritableStream {
  if (typeof writable?.write !== "function" || typeof writable.on !== "function") {
    throw wrongType("streamWritable", "an instance of stream.Writable", writable);
  }
  let drained: PromiseWithResolvers<void> | null = null;
  let closed: PromiseWithResolvers<void> | null = null;
  return new WritableStream<unknown>(
    {
      start(controller) {
        if (writable.destroyed || !writable.writable) {
          controller.error(aborted());
          return;
        }
        writable.on("drain", () => drained?.resolve());
        const stop = Stream.finished(writable, { readable: false }, (error) => {
          stop();
          writable.on("error", ignore);
          const isFailed = error !== null && error !== undefined;
          if (!isFailed && closed !== null) {
            closed.resolve();
            return;
          }
          const reason = isFailed ? asAbort(error) : aborted();
          drained?.reject(reason);
          closed?.reject(reason);
          controller.error(reason);
        });
      },
      async write(chunk) {
        if (writable.write(chunk)) return;
        drained = Promise.withResolvers();
        await drained.promise;
      },
      abort: (reason) => void writable.destroy(reason as Error),
      close() {
        closed = Promise.withResolvers();
        writable.end();
        return closed.promise;
      },
    },
    strategyOf(writable.writableObjectMode, writable.writableHighWaterMark),
  );
}

export function duplexToWeb(duplex: Duplex): {
  readonly readable: ReadableStream;
  readonly writable: WritableStream;
} {
  return { readable: readableToWeb(duplex), writable: writableToWeb(duplex) };
}

/** Texts of a stream with an encoding count by their characters. */
function strategyOf(isObjects: boolean, highWaterMark: number): QueuingStrategy {
  const sizeOf = (chunk: unknown): number => (chunk as ArrayLike<unknown>).length;
  return { highWaterMark, size: isObjects ? () => 1 : sizeOf };
}

/** Bytes are no Buffers to web streams. */
function webChunk(chunk: unknown, isObjects: boolean): unknown {
  if (isObjects || !(chunk instanceof Uint8Array)) return chunk;
  return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

function asAbort(error: Error): Error {
  const isEarly = Reflect.get(error, "code") === "ERR_STREAM_PREMATURE_CLOSE";
  return isEarly ? aborted(error) : error;
}

function aborted(cause?: Error): Error {
  const error = coded("Error", "ABORT_ERR", "The operation was aborted");
  return Object.assign(error, { name: "AbortError" }, cause === undefined ? {} : { cause });
}
