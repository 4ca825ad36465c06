// The request body between a listener, which pushes what arrives, and whoever reads it. Both listeners use it.
//
// What nobody reads waits here, bounded: beyond WINDOW_BYTES the listener is told to stop reading from the
// socket, and to go on when half of it is gone. The limit is judged only once the reader has had the chance to
// set its own: at limitTo, take or read, and from then on with each chunk.

import assert from "node:assert";
import type { BodySink } from "../../sdk/exchange.ts";

/** Bytes held for a reader that is not reading; a socket's receive buffer has this order of size. */
export const WINDOW_BYTES: number = 256 * 1024;

/**
 * The rest of a body nobody wants is read and dropped, so that the client gets to see the reply: a close with
 * bytes unread resets the connection. Beyond this it is not worth the bandwidth.
 */
export const DISCARD_BYTES_MAX: number = 64 * 1024 * 1024;

/** What a chunk costs beside its bytes, so that many tiny ones fill the window too. */
const CHUNK_OVERHEAD_BYTES = 128;

export interface BodySource {
  /** Stop or go on reading from the socket. */
  hold(): void;
  release(): void;
  /** More came, or is announced, than the limit: the source answers 413 if it still can. */
  overflow(bytesMax: number): void;
}

export class InboundBody {
  readonly #source: BodySource;
  readonly #declared: number;
  #bytesMax: number;
  #received = 0;
  #chunks: Uint8Array[] = [];
  #buffered = 0;
  #sink: BodySink | null = null;
  #judging = false;
  #paused = false;
  #flowing = false;
  #held = false;
  #ended = false;
  #failure: string | null = null;
  /** Nothing is passed on any more: taken, ended, failed or discarded. */
  #closed = false;

  /** `declared`: Content-Length, or -1 for a chunked body. */
  constructor(source: BodySource, declared: number, bytesMax: number) {
    this.#source = source;
    this.#declared = declared;
    this.#bytesMax = bytesMax;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** The source was told to stop reading. */
  get isHeld(): boolean {
    return this.#held;
  }

  /** What arrives now is dropped. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Bytes still announced, or -1 when that is unknown. */
  get missing(): number {
    if (this.#ended) return 0;
    return this.#declared < 0 ? -1 : this.#declared - this.#received;
  }

  limitTo(bytesMax: number): void {
    this.#bytesMax = bytesMax;
    this.#judge();
  }

  take(): Uint8Array | null {
    if (this.#closed || this.#sink !== null) return null;
    if (!this.#judge() || !this.#ended) return null;
    this.#closed = true;
    const chunks = this.#chunks;
    this.#chunks = [];
    return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
  }

  read(sink: BodySink): void {
    assert(this.#sink === null, "a body is read once");
    this.#sink = sink;
    if (!this.#closed && !this.#judge()) return;
    if (this.#closed) sink.fail(this.#failure ?? "The body was taken already.");
    else this.#flow();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#sink !== null && !this.#closed) this.#flow();
  }

  /** The listener hands over a chunk that stays valid. */
  push(bytes: Uint8Array): void {
    this.#received += bytes.byteLength;
    if (this.#closed) return;
    if (this.#judging && !this.#judge()) return;
    if (this.#sink !== null && !this.#paused && !this.#flowing) {
      this.#sink.chunk(bytes);
      return;
    }
    this.#chunks.push(bytes);
    this.#buffered += bytes.byteLength + CHUNK_OVERHEAD_BYTES;
    if (this.#buffered < WINDOW_BYTES) return;
    // Said again when more comes.
    this.#held = true;
    this.#source.hold();
  }

  end(): void {
    this.#ended = true;
    // The socket's next bytes are another request's.
    this.#release();
    if (this.#sink !== null && !this.#closed) this.#flow();
  }

  fail(message: string): void {
    if (this.#closed) return;
    this.#failure = message;
    this.discard();
    this.#sink?.fail(message);
  }

  /** Nobody wants the rest: it is read from the socket and dropped. */
  discard(): void {
    this.#closed = true;
    this.#failure ??= "The request is over.";
    this.#chunks = [];
    this.#buffered = 0;
    this.#release();
  }

  /** False when the limit is exceeded. */
  #judge(): boolean {
    this.#judging = true;
    if (this.#closed) return false;
    if (Math.max(this.#declared, this.#received) <= this.#bytesMax) return true;
    const limit = this.#bytesMax;
    this.fail(`The body is larger than ${limit} bytes.`);
    this.#source.overflow(limit);
    return false;
  }

  #flow(): void {
    const sink = this.#sink;
    // A sink that pauses and resumes from within its chunk comes back to the loop below.
    if (sink === null || this.#flowing) return;
    this.#flowing = true;
    while (!this.#paused && !this.#closed) {
      const chunk = this.#chunks.shift();
      if (chunk === undefined) break;
      this.#buffered -= chunk.byteLength + CHUNK_OVERHEAD_BYTES;
      sink.chunk(chunk);
    }
    this.#flowing = false;
    if (this.#closed) return;
    if (this.#buffered <= WINDOW_BYTES / 2) this.#release();
    if (this.#paused || !this.#ended || this.#chunks.length > 0) return;
    this.#closed = true;
    sink.end();
  }

  #release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#source.release();
  }
}
