// A reply that is compressed on its way out. The engine takes no more than the client's socket does, and the target
// is asked for no more than the engine takes. Of a body whose length is not known each piece that is followed by no
// other is flushed: events of a stream arrive when they were sent.

import type { Exchange, HeaderList } from "../../../../sdk/exchange.ts";
import type { ContentEncoding } from "../../../../sdk/gateway/policies.ts";
import { headerOf, withoutHeaders } from "../../../../sdk/gateway/header-list.ts";
import { ExchangeLayer } from "../../exchange-layer.ts";
import type { ReplyHead } from "../../filtered-exchange.ts";
import { flush, type Encoders, type Engine } from "./encoder.ts";

export interface CompressionChoice {
  /** null: the client takes none. */
  readonly encoding: ContentEncoding | null;
  readonly isFor: (head: ReplyHead) => boolean;
  readonly bytesMin: number;
  readonly encoders: Encoders;
}

/** What is said of other bytes than those that are sent. */
const OF_THE_BODY: ReadonlySet<string> = new Set([
  "content-length",
  "content-encoding",
  "content-digest",
  "content-md5",
  "accept-ranges",
  "etag",
]);

/** What is compressed before its head is sent, with its length. */
const WHOLE_BYTES_MAX: number = 64 * 1024;

export class CompressedReply extends ExchangeLayer {
  readonly #choice: CompressionChoice;
  #engine: Engine | null = null;
  #trailers: HeaderList | undefined;
  /** A whole reply waits for the engine. */
  #isHeld = false;
  #flushes = false;
  #gone: () => void = () => undefined;
  #drained: () => void = () => undefined;

  readonly #written = (): void => {
    const [engine, { encoding }] = [this.#engine, this.#choice];
    if (engine === null || encoding === null || engine.writableLength > 0) return;
    if (!engine.writableEnded && !engine.destroyed) flush(engine, encoding);
  };

  constructor(inner: Exchange, choice: CompressionChoice) {
    super(inner);
    this.#choice = choice;
    inner.onGone(() => {
      this.#engine?.destroy();
      this.#gone();
    });
    inner.onDrained(() => {
      if (this.#engine === null) this.#drained();
      else this.#engine.resume();
    });
  }

  override get state(): Exchange["state"] {
    const { state } = this.inner;
    return this.#isHeld && state === "open" ? "streaming" : state;
  }

  override onGone(listener: () => void): void {
    this.#gone = listener;
  }

  override onDrained(listener: () => void): void {
    this.#drained = listener;
  }

  override reply(status: number, headers: HeaderList, body: string | Uint8Array | null): void {
    if (this.#isHeld) return;
    const length = typeof body === "string" ? Buffer.byteLength(body) : (body?.byteLength ?? 0);
    const head = { status, headers };
    const engine = this.#open(head, length);
    if (engine === null || body === null) super.reply(status, head.headers, body);
    else if (length <= WHOLE_BYTES_MAX) {
      this.#compress(engine, { status, headers, body }, head.headers);
    } else {
      this.#begin(engine, head, false);
      engine.end(body);
    }
  }

  override begin(status: number, headers: HeaderList): void {
    const head = { status, headers };
    const length = Number(headerOf(headers, "content-length") ?? Number.NaN);
    const engine = this.#open(head, length);
    if (engine === null) super.begin(status, head.headers);
    else this.#begin(engine, head, Number.isNaN(length));
  }

  override write(chunk: Uint8Array): boolean {
    if (this.#engine === null) return super.write(chunk);
    return this.#flushes ? this.#engine.write(chunk, this.#written) : this.#engine.write(chunk);
  }

  override finish(trailers?: HeaderList): void {
    if (this.#engine === null) return super.finish(trailers);
    this.#trailers = trailers;
    this.#engine.end();
  }

  override reset(): void {
    // A whole reply is on its way.
    if (this.#isHeld) return;
    this.#engine?.destroy();
    super.reset();
  }

  /** Changes the head to what is sent. null: the body goes on as it is. */
  #open(head: ReplyHead, length: number): Engine | null {
    const { encoding, isFor, bytesMin, encoders } = this.#choice;
    if (!isFor(head)) return null;
    const original = head.headers;
    head.headers = withVary(original);
    const isShort = !Number.isNaN(length) && (length === 0 || length < bytesMin);
    if (encoding === null || isShort || this.method === "HEAD") return null;
    const engine = encoders.open(encoding);
    if (engine === null) return null;
    const etag = headerOf(original, "etag");
    head.headers = withoutHeaders(head.headers, OF_THE_BODY) + `content-encoding\n${encoding}\n`;
    // The same, but not byte by byte.
    if (etag !== undefined) head.headers += `etag\n${etag.startsWith("W/") ? "" : "W/"}${etag}\n`;
    return engine;
  }

  #compress(
    engine: Engine,
    { status, headers, body }: ReplyHead & { readonly body: string | Uint8Array },
    changed: HeaderList,
  ): void {
    this.#isHeld = true;
    const pieces: Buffer[] = [];
    engine.on("data", (piece: Buffer) => pieces.push(piece));
    engine.on("end", () => super.reply(status, changed, Buffer.concat(pieces)));
    engine.on("error", () => super.reply(status, headers, body));
    engine.end(body);
  }

  #begin(engine: Engine, { status, headers }: ReplyHead, flushes: boolean): void {
    super.begin(status, headers);
    if (this.state !== "streaming") {
      engine.destroy();
      return;
    }
    this.#engine = engine;
    this.#flushes = flushes;
    engine.on("data", (piece: Buffer) => {
      if (!super.write(piece)) engine.pause();
    });
    engine.on("drain", () => this.#drained());
    engine.on("end", () => super.finish(this.#trailers));
    engine.on("error", () => super.reset());
  }
}

/** A second field of the name adds to the first. */
function withVary(headers: HeaderList): HeaderList {
  const vary = headerOf(headers, "vary") ?? "";
  const isThere = /(?:^|,)\s*(?:accept-encoding|\*)\s*(?:,|$)/i.test(vary);
  return isThere ? headers : `${headers}vary\nAccept-Encoding\n`;
}
