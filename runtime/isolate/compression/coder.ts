// One compression or decompression. Node's zlib stream below it is read by `data` events and paused at each: what it
// then still has, it keeps (one more piece), and works no further until it is resumed.

import {
  constants,
  createBrotliCompress,
  createBrotliDecompress,
  createDeflate,
  createDeflateRaw,
  createGunzip,
  createGzip,
  createInflate,
  createInflateRaw,
  type BrotliCompress,
  type Zlib,
} from "node:zlib";
import type { Transform } from "node:stream";

/** Of output: small enough to be copied without being noticed, large enough to be worth crossing for. */
export const PIECE_BYTES: number = 64 * 1024;

/** Two pieces of output, and one of input. */
const BUFFERS_BYTES: number = 3 * PIECE_BYTES;
/** zlib.h: 256 KB and what belongs to them to compress, 32 KB and as much again for tables to decompress. */
const DEFLATE_BYTES: number = 268 * 1024 + BUFFERS_BYTES;
const INFLATE_BYTES: number = 44 * 1024 + BUFFERS_BYTES;
/** Measured at quality 4 with a window of 256 KB. */
const BROTLI_WINDOW_BITS = 18;
const BROTLI_QUALITY = 4;
const BROTLI_BYTES: number = 2 * 1024 * 1024 + BUFFERS_BYTES;
/** The window is the sender's choice, up to 16 MB. */
const UNBROTLI_BYTES: number = 16 * 1024 * 1024 + BUFFERS_BYTES;

export type Kind = `${"compress" | "decompress"} ${"gzip" | "deflate" | "deflate-raw" | "brotli"}`;

/** What this process holds for one of each kind, whatever goes through it. */
export const STATE_BYTES: Readonly<Record<Kind, number>> = {
  "compress gzip": DEFLATE_BYTES,
  "compress deflate": DEFLATE_BYTES,
  "compress deflate-raw": DEFLATE_BYTES,
  "compress brotli": BROTLI_BYTES,
  "decompress gzip": INFLATE_BYTES,
  "decompress deflate": INFLATE_BYTES,
  "decompress deflate-raw": INFLATE_BYTES,
  "decompress brotli": UNBROTLI_BYTES,
};

export type Outcome =
  /** The step is done (`over`: and nothing can follow it), or has `more` output. */
  | { readonly state: "done" | "more" | "over"; readonly bytes: ArrayBuffer | null }
  | { readonly state: "failed"; readonly message: string };

type Engine = Transform & (Zlib | BrotliCompress);

export class Coder {
  readonly #engine: Engine;
  #answer: ((outcome: Outcome) => void) | null = null;
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** The input of the last step is used up, and its output in the stream's buffer or taken. */
  #absorbed = true;
  #ending = false;
  #ended = false;
  #failure: string | null = null;
  #settling = false;

  constructor(kind: Kind) {
    const engine = open(kind);
    this.#engine = engine;
    engine.on("data", (bytes: Buffer) => {
      this.#pieces.push(bytes);
      this.#bytes += bytes.length;
      if (this.#bytes >= PIECE_BYTES) engine.pause();
      this.#settleSoon();
    });
    engine.on("end", () => {
      this.#ended = true;
      this.#settleSoon();
    });
    engine.on("error", (error) => {
      this.#failure = error.message;
      this.#settleSoon();
    });
  }

  accepts(step: string): boolean {
    return step === "push" || step === "end" || step === "more";
  }

  /** One at a time. */
  step(step: string, input: Uint8Array, answer: (outcome: Outcome) => void): void {
    this.#answer = answer;
    if (step !== "more" && this.#ending) this.#failure ??= "The stream has ended already.";
    this.#settleSoon();
    if (this.#failure !== null) return;
    const engine = this.#engine;
    if (step === "push") {
      this.#absorbed = false;
      engine.write(input, () => {
        this.#absorbed = true;
        this.#settleSoon();
      });
    } else if (step === "end") {
      this.#ending = true;
      engine.end();
    }
    engine.resume();
  }

  close(): void {
    this.#failure ??= "The stream is closed.";
    this.#engine.destroy();
    this.#settleSoon();
  }

  /** After everything that zlib says at once: output, that the input is used up, and that what follows is wrong. */
  #settleSoon(): void {
    if (this.#settling) return;
    this.#settling = true;
    setImmediate(() => {
      this.#settling = false;
      this.#settle();
    });
  }

  #settle(): void {
    const answer = this.#answer;
    const state = this.#state();
    if (answer === null || state === null) return;
    this.#answer = null;
    if (state === "failed") {
      answer({ state, message: this.#failure ?? "" });
      return;
    }
    const bytes = this.#bytes === 0 ? null : new Uint8Array(Buffer.concat(this.#pieces)).buffer;
    this.#pieces = [];
    this.#bytes = 0;
    answer({ state, bytes });
  }

  /** null: neither done nor enough to answer with. */
  #state(): Outcome["state"] | null {
    // What came before a fault is the reader's; the fault is next.
    if (this.#failure !== null) return this.#bytes > 0 ? "more" : "failed";
    if (this.#ended) return "over";
    if (this.#absorbed && !this.#ending && this.#engine.readableLength === 0) return "done";
    return this.#bytes >= PIECE_BYTES ? "more" : null;
  }
}

function open(kind: Kind): Engine {
  const options = { chunkSize: PIECE_BYTES, readableHighWaterMark: 1 };
  const strict = { ...options, rejectGarbageAfterEnd: true };
  switch (kind) {
    case "compress gzip":
      return createGzip(options);
    case "compress deflate":
      return createDeflate(options);
    case "compress deflate-raw":
      return createDeflateRaw(options);
    case "compress brotli":
      return createBrotliCompress({
        ...options,
        params: {
          [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
          [constants.BROTLI_PARAM_LGWIN]: BROTLI_WINDOW_BITS,
        },
      });
    case "decompress gzip":
      return createGunzip(strict);
    case "decompress deflate":
      return createInflate(strict);
    case "decompress deflate-raw":
      return createInflateRaw(strict);
    case "decompress brotli":
      return createBrotliDecompress(strict);
  }
}
