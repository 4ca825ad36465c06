// The exchange of an event: nobody's socket, its reply is kept for whoever made the event. So events take the way of
// requests through isolates, limits, outcomes and the access log.

import type { BodySink, Exchange, HeaderList } from "../../../sdk/exchange.ts";

export interface EventExchangeOptions {
  /** What the access log shows in a request's method and path. */
  readonly method: string;
  readonly path: string;
  readonly requestId: string;
}

export class EventExchange implements Exchange {
  readonly method: string;
  readonly path: string;
  readonly requestId: string;
  readonly host = "";
  readonly authority = "";
  readonly scheme = "http";
  readonly headers: HeaderList = "";
  readonly hasBody = false;
  readonly upgrade = null;
  state: "open" | "streaming" | "done" = "open";
  status = 0;
  bytesOut = 0;
  /** Of the reply; "" where it was no text. */
  text = "";
  #done: () => void = () => undefined;

  constructor({ method, path, requestId }: EventExchangeOptions) {
    this.method = method;
    this.path = path;
    this.requestId = requestId;
  }

  get url(): string {
    return this.path;
  }

  remoteAddress(): string {
    return "";
  }

  header(): undefined {
    return undefined;
  }

  takeWholeBody(): null {
    return null;
  }

  readBody(sink: BodySink): void {
    sink.end();
  }

  pauseBody(): void {}

  resumeBody(): void {}

  limitBody(): void {}

  reply(status: number, _headers: HeaderList, body: string | Uint8Array | null): void {
    if (this.state !== "open") return;
    if (typeof body === "string") this.text = body;
    this.end(status);
  }

  /** The guest of an event never streams: only one that tampered with the bridge does. */
  begin(status: number, _headers: HeaderList = ""): void {
    if (this.state === "open") this.end(status);
  }

  write(_chunk: Uint8Array): boolean {
    return true;
  }

  onDrained(_listener: () => void): void {}

  finish(): void {}

  reset(): void {}

  onGone(_listener: () => void): void {}

  onDone(listener: () => void): void {
    this.#done = listener;
  }

  protected end(status: number): void {
    this.state = "done";
    this.status = status;
    this.#done();
  }
}
