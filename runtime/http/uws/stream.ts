// The body of a streamed reply on uWS: what the socket has not taken waits here. All of it runs within a cork.

import { release } from "../../../sdk/exchange.ts";
import { hasNoBody } from "../reply-head.ts";
import type { UwsResponse } from "../uws.ts";

/**
 * blocked: more when the socket takes it. drained: all was taken, and a body in chunks may be ended. complete: uWS has
 * ended it. short: it was to be ended before it had the length that it promised.
 */
export type Pushed = "blocked" | "drained" | "complete" | "short";

export interface StreamOwner {
  /** The next piece may be the last: after it the response is not there any more. */
  dropBody(): void;
}

export class UwsStream {
  /** Bytes that the Content-Length promises; -1: chunks. */
  total = -1;
  /** What HEAD reports. */
  headLength = -1;
  /** Goes with the first chunk or the end: alone it has no end, and cut off there passes for an empty reply. */
  isHeadDue = true;
  isBlocked = false;
  isFinishing = false;
  bytesOut = 0;
  /** uWS tells when the socket takes more. */
  isWatched = false;
  readonly #res: UwsResponse;
  readonly #owner: StreamOwner;
  #queue: Uint8Array[] = [];

  constructor(res: UwsResponse, owner: StreamOwner) {
    this.#res = res;
    this.#owner = owner;
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  add(chunk: Uint8Array): void {
    if (chunk.byteLength > 0) this.#queue.push(chunk);
  }

  clear(): void {
    this.#queue = [];
  }

  push(): Pushed {
    this.isBlocked = false;
    const pushed = this.total >= 0 ? this.#pushSized() : this.#pushChunked();
    this.isBlocked = pushed === "blocked";
    return pushed;
  }

  /**
   * Whether the socket takes more can be told only by giving it something. A body of known length offers what waits,
   * of which uWS keeps nothing that the socket has not taken. Of chunks it keeps all, so it is offered one byte.
   */
  offer(): Pushed {
    const [first] = this.#queue;
    if (this.total >= 0 || this.isFinishing) return this.push();
    if (first === undefined) return "blocked";
    this.bytesOut++;
    this.#queue[0] = first.subarray(1);
    if (first.byteLength === 1) this.#queue.shift();
    return this.#res.write(first.subarray(0, 1)) ? this.push() : "blocked";
  }

  /** Of a body in chunks, or none. */
  end(method: string, status: number, closes: boolean): void {
    if (hasNoBody(status)) this.#res.endWithoutBody();
    else if (method !== "HEAD") this.#res.end("");
    else if (this.headLength < 0) this.#res.endWithoutBody();
    else this.#res.endWithoutBody(this.headLength, closes);
  }

  #pushChunked(): Pushed {
    for (let chunk = this.#queue.shift(); chunk !== undefined; chunk = this.#queue.shift()) {
      this.bytesOut += chunk.byteLength;
      const isTaken = this.#res.write(chunk);
      release(chunk);
      if (!isTaken && !this.isFinishing) return "blocked";
    }
    return "drained";
  }

  /** uWS takes what the socket takes, the rest waits here. */
  #pushSized(): Pushed {
    const res = this.#res;
    for (let chunk = this.#queue[0]; chunk !== undefined; chunk = this.#queue[0]) {
      const left = this.total - this.bytesOut;
      if (chunk.byteLength > left) chunk = chunk.subarray(0, left);
      if (chunk.byteLength === left) this.#owner.dropBody();
      const [taken, complete] = res.tryEnd(chunk, this.total);
      if (complete) {
        this.bytesOut = this.total;
        this.#queue = [];
        return "complete";
      }
      if (!taken) {
        const offset = res.getWriteOffset();
        this.#queue[0] = chunk.subarray(offset - this.bytesOut);
        this.bytesOut = offset;
        return "blocked";
      }
      this.bytesOut += chunk.byteLength;
      this.#queue.shift();
    }
    return this.isFinishing ? "short" : "drained";
  }
}

/** Of a body that is there whole, behind its head. */
export function wholeStream(res: UwsResponse, owner: StreamOwner, body: Uint8Array): UwsStream {
  const stream = new UwsStream(res, owner);
  stream.isHeadDue = false;
  stream.isFinishing = true;
  stream.total = body.byteLength;
  stream.add(body);
  return stream;
}
