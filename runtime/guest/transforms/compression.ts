// CompressionStream and DecompressionStream. The host does the work (zlib, on its thread pool), a piece at a time;
// nothing is asked of it before the first chunk, so that a stream may be made at top level.

import { CALLS } from "../../../sdk/bridge.ts";
import { unsharedBytesOf } from "../buffer-source.ts";
import { exposeInterface } from "../interface.ts";
import type { CallAnswer, Port } from "../port.ts";
import { createPair, type Emit, type Pair, type Work } from "./pair.ts";

type CompressionPort = Pick<Port, "begin" | "cancel">;
type Direction = "compress" | "decompress";

const apply = Reflect.apply;
const slice = Uint8Array.prototype.slice;
const indexOf = String.prototype.indexOf;
const sliceText = String.prototype.slice;

/** Of input: a task of the host's thread pool that nobody waits long behind. */
const PIECE_BYTES = 65_536;

let port: CompressionPort | null = null;

export function thawCompression(thawed: CompressionPort): void {
  port = thawed;
}

function parseFormat(format: unknown): string {
  const text = `${format as string}`;
  switch (text) {
    case "brotli":
    case "deflate":
    case "deflate-raw":
    case "gzip":
      return text;
    default:
      throw new TypeError(
        `'${apply(sliceText, text, [0, 50]) as string}' is no compression format`,
      );
  }
}

class Coding implements Work {
  readonly #kind: string;
  /** Of the call that opened it, 0 before. */
  #id = 0;

  constructor(direction: Direction, format: string) {
    this.#kind = `${direction} ${format}`;
  }

  async take(chunk: unknown, emit: Emit): Promise<void> {
    const bytes = unsharedBytesOf(chunk);
    if (bytes === null) throw new TypeError("A chunk must be an ArrayBuffer or a view on one");
    // A copy of all of it: the author may change the chunk while its pieces are on their way.
    const input = apply(slice, bytes, []) as Uint8Array;
    for (let at = 0; at < input.length; at += PIECE_BYTES) {
      const piece = apply(slice, input, [at, at + PIECE_BYTES]) as Uint8Array;
      await this.#step("push", piece, emit);
    }
  }

  finish(emit: Emit): Promise<void> {
    return this.#step("end", null, emit);
  }

  stop(): void {
    if (this.#id !== 0) port?.cancel(this.#id);
  }

  async #step(step: string, bytes: Uint8Array | null, emit: Emit): Promise<void> {
    const host = port;
    if (host === null) throw new TypeError("Compression works in handlers, not at top level");
    if (this.#id === 0) this.#id = await open(host, this.#kind);
    for (let next = step, input = bytes; ; next = "more", input = null) {
      const args = `${this.#id}\n${next}`;
      const { payload, buffers } = await answerOf(
        host.begin(CALLS.COMPRESSION_PUSH, args, input).answer,
      );
      const end = apply(indexOf, payload, ["\n"]) as number;
      const index = end < 0 ? payload : (apply(sliceText, payload, [0, end]) as string);
      const buffer = index === "" ? undefined : buffers[+index];
      if (buffer !== undefined) await emit(new Uint8Array(buffer));
      if (end < 0 || apply(sliceText, payload, [end + 1]) !== "more") return;
    }
  }
}

async function open(host: CompressionPort, kind: string): Promise<number> {
  const { id, answer } = host.begin(CALLS.COMPRESSION_OPEN, kind, null);
  await answerOf(answer);
  return id;
}

/** The host's plain data as the error that the standard asks for. */
async function answerOf(answer: Promise<CallAnswer>): Promise<CallAnswer> {
  try {
    return await answer;
  } catch (error) {
    const message = (error as { readonly message?: unknown } | null)?.message;
    throw new TypeError(typeof message === "string" ? message : "The stream is not valid");
  }
}

export class CompressionStream {
  readonly #pair: Pair;

  constructor(format: unknown) {
    if (arguments.length < 1) throw new TypeError("CompressionStream requires a format");
    this.#pair = createPair(new Coding("compress", parseFormat(format)), 1);
  }

  get readable(): object {
    return this.#pair.readable;
  }

  get writable(): object {
    return this.#pair.writable;
  }
}
exposeInterface(CompressionStream, "CompressionStream");

export class DecompressionStream {
  readonly #pair: Pair;

  constructor(format: unknown) {
    if (arguments.length < 1) throw new TypeError("DecompressionStream requires a format");
    this.#pair = createPair(new Coding("decompress", parseFormat(format)), 1);
  }

  get readable(): object {
    return this.#pair.readable;
  }

  get writable(): object {
    return this.#pair.writable;
  }
}
exposeInterface(DecompressionStream, "DecompressionStream");
