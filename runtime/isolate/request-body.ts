// The body of one request on its way into the guest: read from the socket only as the guest pulls, so that
// backpressure reaches the client. Holds at most WINDOW_BYTES beside what one pull of everything asks for.

import { isUtf8 } from "node:buffer";
import { ENTER } from "../../sdk/bridge.ts";
import { release, type BodySink, type Exchange } from "../../sdk/exchange.ts";
import type { Held } from "./held.ts";

/** What may wait here for the guest's next pull before the socket is paused: a few socket reads. */
const WINDOW_BYTES = 256 * 1024;

export interface BodyReceiver {
  chunk(bytes: ArrayBuffer): void;
  text(text: string): void;
  end(): void;
  fail(message: string): void;
  /** The node holds too much for this isolate already. */
  refused(): void;
}

/** Makes records of what arrives. */
export function createReceiver(
  push: (op: string, payload: string, bytes?: ArrayBuffer) => void,
  refused: () => void,
): BodyReceiver {
  return {
    chunk: (bytes) => push(ENTER.BODY_CHUNK, "", bytes),
    text: (text) => push(ENTER.BODY_TEXT, text),
    end: () => push(ENTER.BODY_END, ""),
    fail: (message) => push(ENTER.BODY_FAIL, message),
    refused,
  };
}

type Want = "nothing" | "chunk" | "text";

export class RequestBody implements BodySink {
  readonly #exchange: Exchange;
  readonly #receiver: BodyReceiver;
  readonly #held: Held;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #want: Want = "nothing";
  #reading: boolean;
  #paused = false;
  #ended = false;
  #failure: string | null = null;

  /** `whole`: the complete body when it was taken already. */
  constructor(exchange: Exchange, whole: Uint8Array | null, receiver: BodyReceiver, held: Held) {
    this.#exchange = exchange;
    this.#receiver = receiver;
    this.#held = held;
    this.#reading = whole !== null;
    this.#ended = whole !== null;
    if (whole === null || whole.byteLength === 0) return;
    held.add(whole.byteLength);
    this.#store(whole);
  }

  /** The guest waits for more of it. */
  get awaited(): boolean {
    return this.#want !== "nothing";
  }

  pull(): void {
    this.#ask("chunk");
  }

  pullText(): void {
    this.#ask("text");
  }

  /** The guest wants no more: the rest is read and thrown away, so that the connection stays usable. */
  cancel(): void {
    this.#failure ??= "The body was cancelled.";
    this.#drop();
    if (!this.#reading) this.#read();
    this.#resume();
  }

  chunk(bytes: Uint8Array): void {
    if (this.#failure !== null) return;
    if (!this.#held.take(bytes.byteLength)) {
      this.fail("The node holds too much for this isolate.");
      this.#receiver.refused();
      return;
    }
    this.#store(bytes);
    this.#serve();
    if (this.#queued > WINDOW_BYTES && this.#want !== "text" && !this.#paused) {
      this.#paused = true;
      this.#exchange.pauseBody();
    }
  }

  end(): void {
    this.#ended = true;
    this.#serve();
  }

  fail(message: string): void {
    this.#failure ??= message;
    this.#drop();
    this.#serve();
    // Whatever comes now is thrown away, so nothing must keep the client waiting.
    this.#resume();
  }

  #ask(want: Want): void {
    this.#want = want;
    this.#serve();
    if (!this.#reading) this.#read();
    else this.#resume();
  }

  #read(): void {
    this.#reading = true;
    this.#exchange.readBody(this);
  }

  #resume(): void {
    if (!this.#paused || (this.#want !== "text" && this.#queued > WINDOW_BYTES)) return;
    this.#paused = false;
    this.#exchange.resumeBody();
  }

  #store(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    this.#queued += bytes.byteLength;
  }

  #serve(): void {
    if (this.#want === "nothing") return;
    if (this.#failure !== null) {
      this.#want = "nothing";
      this.#receiver.fail(this.#failure);
    } else if (this.#want === "text") {
      if (!this.#ended) return;
      this.#want = "nothing";
      this.#receiver.text(decodeUtf8(this.#takeAll()));
    } else if (this.#queued > 0) {
      this.#want = "nothing";
      this.#receiver.chunk(exactBuffer(this.#takeAll()));
    } else if (this.#ended) {
      this.#want = "nothing";
      this.#receiver.end();
    }
  }

  #drop(): void {
    this.#held.give(this.#queued);
    this.#queue = [];
    this.#queued = 0;
  }

  #takeAll(): Uint8Array {
    const queue = this.#queue;
    const [first] = queue;
    if (queue.length === 1 && first !== undefined) {
      this.#drop();
      return first;
    }
    const all = Buffer.concat(queue);
    this.#drop();
    queue.forEach(release);
    return all;
  }
}

/** A body of this size that came along with its head crosses with it, as text. */
const SHORT_BYTES_MAX = 256 * 1024;

/** null when it is longer, or no UTF-8. */
export function shortText(whole: Uint8Array): string | null {
  return whole.byteLength <= SHORT_BYTES_MAX && isUtf8(whole) ? decodeUtf8(whole) : null;
}

/** A BOM stays: whether it counts is the guest's affair (text() drops it, the bytes have it). */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function decodeUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** An ArrayBuffer that holds these bytes and nothing else (Node's small buffers share one). */
export function exactBuffer(bytes: Uint8Array): ArrayBuffer {
  const { buffer } = bytes;
  const whole = bytes.byteOffset === 0 && bytes.byteLength === buffer.byteLength;
  return whole && buffer instanceof ArrayBuffer ? buffer : new Uint8Array(bytes).buffer;
}
