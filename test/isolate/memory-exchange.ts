// An Exchange without a socket: what a client sends is given at once or chunk by chunk, what it would receive
// is kept. Behaves like the listeners' exchanges as far as sdk/exchange.ts promises.

import type { BodySink, Exchange, HeaderList, Upgrade } from "../../sdk/exchange.ts";

export interface RequestInput {
  readonly method?: string;
  readonly url?: string;
  readonly headers?: HeaderList;
  /** Arrived whole with its head. */
  readonly body?: string | Uint8Array;
  /** Arrives later, by `upload`. */
  readonly streamed?: boolean;
  readonly requestId?: string;
  readonly protocol?: string;
}

export class MemoryExchange implements Exchange {
  readonly method: string;
  readonly url: string;
  readonly path: string;
  readonly host = "a.test";
  readonly authority = "a.test";
  readonly scheme = "http";
  readonly headers: HeaderList;
  readonly requestId: string;
  readonly protocol: string | undefined;
  readonly hasBody: boolean;
  upgrade: Upgrade | null = null;
  state: Exchange["state"] = "open";
  status = 0;
  bytesOut = 0;
  /** Header list of the reply. */
  replied: HeaderList = "";
  readonly chunks: Uint8Array[] = [];
  /** Bytes that `write` takes before it says that the socket is full. */
  socketBytes: number = Number.POSITIVE_INFINITY;
  /** Whether what was written can be looked at later. */
  keeps = true;
  bodyPaused = false;
  bodyRead = false;
  bodyBytesMax: number = Number.POSITIVE_INFINITY;
  /** The reply is complete, broken off, or the client is gone. */
  readonly done: Promise<void>;
  #resolveDone: () => void = () => undefined;
  #whole: Uint8Array | null;
  /** A whole reply waits for its reader. */
  #replying = false;
  #sink: BodySink | null = null;
  #uploads: ((sink: BodySink) => void)[] = [];
  #goneListener: () => void = () => undefined;
  #drained: () => void = () => undefined;
  #doneListeners: (() => void)[] = [];

  constructor(input: RequestInput = {}) {
    this.method = input.method ?? "GET";
    this.url = input.url ?? "/";
    this.path = this.url.split("?")[0] ?? "";
    this.headers = input.headers ?? "";
    this.requestId = input.requestId ?? "request-1";
    this.protocol = input.protocol;
    this.hasBody = input.body !== undefined || input.streamed === true;
    this.#whole =
      input.body === undefined
        ? null
        : // A copy: the receiver may transfer it away.
          Uint8Array.from(Buffer.from(input.body as string));
    this.done = new Promise((resolve) => {
      this.#resolveDone = resolve;
    });
  }

  remoteAddress(): string {
    return "192.0.2.1";
  }

  header(name: string): string | undefined {
    const lines = this.headers.split("\n");
    for (let i = 0; i + 1 < lines.length; i += 2) if (lines[i] === name) return lines[i + 1];
    return undefined;
  }

  takeWholeBody(): Uint8Array | null {
    const whole = this.#whole;
    this.#whole = null;
    return whole;
  }

  readBody(sink: BodySink): void {
    this.bodyRead = true;
    this.#sink = sink;
    for (const upload of this.#uploads) upload(sink);
    this.#uploads = [];
  }

  /** What the client sends later: a chunk, null for the end. */
  upload(chunk: string | Uint8Array | null): void {
    const bytes = typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk;
    this.#toSink((sink) => (bytes === null ? sink.end() : sink.chunk(bytes)));
  }

  failUpload(message: string): void {
    this.#toSink((sink) => sink.fail(message));
  }

  #toSink(upload: (sink: BodySink) => void): void {
    if (this.#sink === null) this.#uploads.push(upload);
    else upload(this.#sink);
  }

  pauseBody(): void {
    this.bodyPaused = true;
  }

  resumeBody(): void {
    this.bodyPaused = false;
  }

  limitBody(bytesMax: number): void {
    this.bodyBytesMax = bytesMax;
  }

  reply(status: number, headers: HeaderList, body: string | Uint8Array | null): void {
    if (this.state === "gone") return;
    if (this.state !== "open") throw new Error(`Replied in state ${this.state}.`);
    this.status = status;
    this.replied = headers;
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
    if (bytes !== null) {
      this.#keep(bytes);
      this.socketBytes -= bytes.byteLength;
    }
    if (this.socketBytes > 0) this.#end("done");
    else {
      this.state = "streaming";
      this.#replying = true;
    }
  }

  begin(status: number, headers: HeaderList): void {
    if (this.state === "gone") return;
    if (this.state !== "open") throw new Error(`Began in state ${this.state}.`);
    this.status = status;
    this.replied = headers;
    this.state = "streaming";
  }

  write(chunk: Uint8Array): boolean {
    if (this.state === "gone") return true;
    if (this.state !== "streaming") throw new Error(`Wrote in state ${this.state}.`);
    this.#keep(chunk);
    this.socketBytes -= chunk.byteLength;
    return this.socketBytes > 0;
  }

  /** The client has read: the socket takes this many bytes more. */
  drain(bytes: number): void {
    this.socketBytes = bytes;
    if (this.#replying) this.#end("done");
    else this.#drained();
  }

  onDrained(listener: () => void): void {
    this.#drained = listener;
  }

  finish(): void {
    if (this.state === "gone") return;
    if (this.state !== "streaming") throw new Error(`Finished in state ${this.state}.`);
    this.#end("done");
  }

  reset(): void {
    if (this.state === "done" || this.state === "gone") return;
    this.#end("gone");
  }

  /** The client goes away. */
  disconnect(): void {
    if (this.state === "done" || this.state === "gone") return;
    this.state = "gone";
    this.#goneListener();
    this.#end("gone");
  }

  onGone(listener: () => void): void {
    this.#goneListener = listener;
  }

  onDone(listener: () => void): void {
    this.#doneListeners.push(listener);
  }

  get body(): Uint8Array {
    return Buffer.concat(this.chunks);
  }

  get text(): string {
    return new TextDecoder().decode(this.body);
  }

  #keep(bytes: Uint8Array): void {
    if (this.keeps) this.chunks.push(bytes);
    this.bytesOut += bytes.byteLength;
  }

  #end(state: "done" | "gone"): void {
    this.state = state;
    for (const listener of this.#doneListeners) listener();
    this.#resolveDone();
  }
}
