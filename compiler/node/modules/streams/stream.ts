// node:stream: Node's own source as the package readable-stream has it, with what that leaves out, the ways to and
// from web streams. All or nothing: a bundle that imports it grows by some 270 KB, of which Buffer and emitters are a
// third.

import type { Duplex as NodeDuplex, DuplexOptions } from "node:stream";
import Stream from "readable-stream/lib/stream.js";
import { duplexFromWeb, readableFromWeb, writableFromWeb } from "./from-web.ts";
import { duplexToWeb, readableToWeb, writableToWeb } from "./to-web.ts";

type Whole = typeof Stream;

function fill(target: object, members: object): void {
  for (const [name, value] of Object.entries(members)) {
    Object.defineProperty(target, name, { value, writable: true, configurable: true });
  }
}

fill(Stream.Readable, { fromWeb: readableFromWeb, toWeb: readableToWeb });
fill(Stream.Writable, { fromWeb: writableFromWeb, toWeb: writableToWeb });
fill(Stream.Duplex, { fromWeb: duplexFromWeb, toWeb: duplexToWeb });

/** Two ends: what is written to one is read from the other. */
export function duplexPair(options?: DuplexOptions): [NodeDuplex, NodeDuplex] {
  const [a, b] = [new Half(options), new Half(options)];
  a.other = b;
  b.other = a;
  return [a, b];
}

class Half extends Stream.Duplex {
  other: Half | null = null;
  #taken: (() => void) | null = null;

  override _read(): void {
    const taken = this.#taken;
    this.#taken = null;
    taken?.();
  }

  override _write(chunk: unknown, _encoding: BufferEncoding, taken: () => void): void {
    const other = this.other as Half;
    if (chunk !== null && (chunk as Uint8Array).length === 0) {
      queueMicrotask(taken);
      return;
    }
    other.#taken = taken;
    other.push(chunk);
  }

  override _final(done: () => void): void {
    this.other?.on("end", done);
    this.other?.push(null);
  }
}

export function _isArrayBufferView(value: unknown): boolean {
  return ArrayBuffer.isView(value);
}

fill(Stream, { duplexPair, _isArrayBufferView });

type Test = (stream: unknown) => boolean | null;

interface Rest {
  readonly _isUint8Array: (value: unknown) => boolean;
  readonly _uint8ArrayToBuffer: (bytes: Uint8Array) => Uint8Array;
  readonly compose: (...streams: readonly unknown[]) => NodeDuplex;
  readonly destroy: (stream: unknown, error?: unknown) => void;
  readonly isDestroyed: Test;
  readonly isDisturbed: Test;
  readonly isErrored: Test;
  readonly isReadable: Test;
  readonly isWritable: Test;
}

const rest = Stream as unknown as Rest;

export { Stream };
export const Readable: Whole["Readable"] = Stream.Readable;
export const Writable: Whole["Writable"] = Stream.Writable;
export const Duplex: Whole["Duplex"] = Stream.Duplex;
export const Transform: Whole["Transform"] = Stream.Transform;
export const PassThrough: Whole["PassThrough"] = Stream.PassThrough;
export const pipeline: Whole["pipeline"] = Stream.pipeline;
export const finished: Whole["finished"] = Stream.finished;
export const addAbortSignal: Whole["addAbortSignal"] = Stream.addAbortSignal;
export const getDefaultHighWaterMark: Whole["getDefaultHighWaterMark"] =
  Stream.getDefaultHighWaterMark;
export const setDefaultHighWaterMark: Whole["setDefaultHighWaterMark"] =
  Stream.setDefaultHighWaterMark;
export const promises: Whole["promises"] = Stream.promises;
export const compose: Rest["compose"] = rest.compose;
export const destroy: Rest["destroy"] = rest.destroy;
export const isDestroyed: Test = rest.isDestroyed;
export const isDisturbed: Test = rest.isDisturbed;
export const isErrored: Test = rest.isErrored;
export const isReadable: Test = rest.isReadable;
export const isWritable: Test = rest.isWritable;
export const _isUint8Array: Rest["_isUint8Array"] = rest._isUint8Array;
export const _uint8ArrayToBuffer: Rest["_uint8ArrayToBuffer"] = rest._uint8ArrayToBuffer;
