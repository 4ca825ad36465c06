// A request's body on its way to an upstream. It is read from the client as fast as the upstream takes it. As long as
// it is short, what was sent is kept, so that another server can be given the same; beyond the limit it is let go.

import { Readable } from "node:stream";
import type { BodySink, Exchange } from "../../../sdk/exchange.ts";

/** Waits for the upstream's socket before the client is paused. */
const WINDOW_BYTES: number = 64 * 1024;

export class Upload implements BodySink {
  readonly #exchange: Exchange;
  readonly #keepBytesMax: number;
  readonly #onFail: () => void;
  /** A body that had arrived with its head. */
  readonly #whole: Uint8Array | null;
  /** null: too long to keep. */
  #kept: Uint8Array[] | null = [];
  #keptBytes = 0;
  #sink: Readable | null = null;
  #reading = false;
  #ended = false;
  /** When more of it came, or its end. */
  progressMs: number;
  readonly #now: () => number;

  constructor(
    exchange: Exchange,
    options: { keepBytesMax: number; onFail: () => void; now: () => number },
  ) {
    this.#exchange = exchange;
    this.#keepBytesMax = options.keepBytesMax;
    this.#onFail = options.onFail;
    this.#now = options.now;
    this.progressMs = options.now();
    this.#whole = exchange.hasBody ? exchange.takeWholeBody() : null;
    this.#ended = !exchange.hasBody || this.#whole !== null;
    if ((this.#whole?.byteLength ?? 0) > options.keepBytesMax) this.#kept = null;
  }

  /** -1: not known. */
  get length(): number {
    if (this.#whole !== null) return this.#whole.byteLength;
    if (!this.#exchange.hasBody) return 0;
    const declared = this.#exchange.header("content-length");
    return declared === undefined ? -1 : Number(declared);
  }

  /** The server has been given all that came, and the client owes more. */
  get awaitsClient(): boolean {
    return !this.#ended && this.#sink?.readableLength === 0;
  }

  get replayable(): boolean {
    return this.#kept !== null;
  }

  /** For one attempt; the one before gets no more. */
  open(): Uint8Array | Readable | null {
    if (this.#whole !== null) return this.#whole;
    if (!this.#exchange.hasBody) return null;
    const stream = new Readable({
      highWaterMark: WINDOW_BYTES,
      read: () => this.#exchange.resumeBody(),
    });
    // Whoever destroys it says so elsewhere too.
    stream.on("error", () => {});
    for (const chunk of this.#kept ?? []) stream.push(chunk);
    if (this.#ended) stream.push(null);
    this.#sink = stream;
    if (!this.#reading) {
      this.#reading = true;
      this.#exchange.readBody(this);
    }
    return stream;
  }

  /** A reply has begun: nothing is tried again. */
  letGo(): void {
    this.#kept = null;
  }

  close(): void {
    this.#sink?.destroy();
    this.#sink = null;
  }

  /** Until the next attempt opens it: what comes meanwhile waits where it is, however much it is. */
  hold(): void {
    this.close();
    this.#exchange.pauseBody();
  }

  chunk(bytes: Uint8Array): void {
    this.progressMs = this.#now();
    if (this.#kept !== null) {
      this.#keptBytes += bytes.byteLength;
      if (this.#keptBytes > this.#keepBytesMax) this.#kept = null;
      else this.#kept.push(bytes);
    }
    // Without anybody to send it to it is kept, or the request is over.
    if (this.#sink !== null && !this.#sink.push(bytes)) this.#exchange.pauseBody();
  }

  end(): void {
    this.progressMs = this.#now();
    this.#ended = true;
    this.#sink?.push(null);
  }

  fail(): void {
    this.#kept = null;
    this.close();
    this.#onFail();
  }
}
