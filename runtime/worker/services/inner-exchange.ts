// A request of one endpoint to another of the same node: an exchange without a socket. Its reply is a stream that is
// filled no faster than it is read, and a caller that goes away is to the callee as a client that does.

import { problem } from "../../http/problem.ts";
import { hasNoBody } from "../../http/reply-head.ts";
import type { BodySink, Exchange, HeaderList, Upgrade } from "../../../sdk/exchange.ts";
import { headerOf } from "../../../sdk/gateway/header-list.ts";

export interface InnerRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: HeaderList;
  readonly body: Uint8Array | ReadableStream<Uint8Array> | null;
  readonly requestId: string;
  readonly signal: AbortSignal;
  /** As of an exchange. */
  readonly entrypoint: string;
}

export interface InnerReply {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Uint8Array | ReadableStream<Uint8Array> | null;
}

export class InnerExchange implements Exchange {
  readonly method: string;
  readonly url: string;
  readonly path: string;
  readonly host: string;
  readonly authority: string;
  readonly scheme: "http" | "https";
  readonly headers: HeaderList;
  readonly requestId: string;
  readonly entrypoint: string;
  readonly hasBody: boolean;
  /** Endpoints do not open WebSockets to each other. */
  readonly upgrade: Upgrade | null = null;
  /** Rejects when the exchange ends before its head. */
  readonly replied: Promise<InnerReply>;
  state: Exchange["state"] = "open";
  status = 0;
  bytesOut = 0;
  readonly #reply: PromiseWithResolvers<InnerReply> = Promise.withResolvers();
  readonly #body: InnerRequest["body"];
  #reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  #taken = false;
  #bytesMax = Infinity;
  #resume: (() => void) | null = null;
  #paused = false;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #drained: () => void = () => undefined;
  #gone: () => void = () => undefined;
  readonly #done: (() => void)[] = [];

  constructor({ method, url, headers, body, requestId, signal, entrypoint }: InnerRequest) {
    this.entrypoint = entrypoint;
    this.method = method;
    this.path = url.pathname;
    this.url = `${url.pathname}${url.search}`;
    this.host = url.hostname;
    this.authority = url.host;
    this.scheme = url.protocol === "https:" ? "https" : "http";
    this.headers = `host\n${url.host}\n${headers}`;
    this.requestId = requestId;
    this.#body = body;
    this.hasBody = body !== null;
    this.replied = this.#reply.promise;
    this.replied.catch(() => undefined);
    signal.addEventListener("abort", () => this.#leave(), { once: true });
  }

  /** The node itself. */
  remoteAddress(): string {
    return "127.0.0.1";
  }

  header(name: string): string | undefined {
    return headerOf(this.headers, name);
  }

  takeWholeBody(): Uint8Array | null {
    if (this.#taken || !(this.#body instanceof Uint8Array)) return null;
    this.#taken = true;
    return this.#body;
  }

  readBody(sink: BodySink): void {
    this.#taken = true;
    if (this.#body instanceof ReadableStream) void this.#feed(this.#body.getReader(), sink);
    else {
      if (this.#body !== null) sink.chunk(this.#body);
      sink.end();
    }
  }

  pauseBody(): void {
    this.#paused = true;
  }

  resumeBody(): void {
    this.#paused = false;
    this.#resume?.();
  }

  /** The caller's own memory bounds what it sends whole; what it streams is counted. */
  limitBody(bytesMax: number): void {
    this.#bytesMax = bytesMax;
  }

  reply(status: number, headers: HeaderList, body: string | Uint8Array | null): void {
    if (this.state !== "open") return;
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    const sent = this.method === "HEAD" || hasNoBody(status) ? null : bytes;
    this.status = status;
    this.bytesOut = sent?.byteLength ?? 0;
    this.state = "done";
    this.#reply.resolve({ status, headers: this.#withId(headers), body: sent });
    this.#ended();
  }

  begin(status: number, headers: HeaderList): void {
    if (this.state !== "open") return;
    this.status = status;
    this.state = "streaming";
    const isEmpty = this.method === "HEAD" || hasNoBody(status);
    const body = isEmpty ? null : this.#openReply();
    this.#reply.resolve({ status, headers: this.#withId(headers), body });
  }

  #openReply(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#drained(),
        cancel: () => this.#leave(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: WINDOW_BYTES }),
    );
  }

  write(chunk: Uint8Array): boolean {
    if (this.state !== "streaming" || this.#controller === null) return true;
    this.bytesOut += chunk.byteLength;
    this.#controller.enqueue(chunk);
    return (this.#controller.desiredSize ?? 1) > 0;
  }

  onDrained(listener: () => void): void {
    this.#drained = listener;
  }

  finish(): void {
    if (this.state !== "streaming") return;
    this.state = "done";
    this.#controller?.close();
    this.#ended();
  }

  reset(): void {
    if (this.state === "done" || this.state === "gone") return;
    const error = new TypeError("The endpoint broke its reply off.");
    if (this.state === "open") this.#reply.reject(error);
    else this.#controller?.error(error);
    this.state = "done";
    this.#ended();
  }

  onGone(listener: () => void): void {
    this.#gone = listener;
  }

  onDone(listener: () => void): void {
    this.#done.push(listener);
  }

  #withId(headers: HeaderList): HeaderList {
    return `${headers}x-request-id\n${this.requestId}\n`;
  }

  async #feed(reader: ReadableStreamDefaultReader<Uint8Array>, sink: BodySink): Promise<void> {
    this.#reader = reader;
    let bytes = 0;
    try {
      for (;;) {
        while (this.#paused) {
          await new Promise<void>((resolve) => {
            this.#resume = resolve;
          });
        }
        const { done, value } = await reader.read();
        if (done) return sink.end();
        bytes += value.byteLength;
        if (bytes > this.#bytesMax) {
          const { status, headers, body } = problem("BODY_TOO_LARGE", this);
          this.reply(status, headers, body);
          sink.fail("The request body is larger than the limit.");
          return void reader.cancel();
        }
        sink.chunk(value);
      }
    } catch {
      sink.fail("The caller broke its request off.");
    }
  }

  /** The caller has gone. */
  #leave(): void {
    if (this.state === "done" || this.state === "gone") return;
    const error = new TypeError("The caller went away.");
    if (this.state === "open") this.#reply.reject(error);
    this.state = "gone";
    this.#reader?.cancel().catch(() => undefined);
    this.#gone();
    this.#ended();
  }

  #ended(): void {
    for (const listener of this.#done.splice(0)) listener();
  }
}

/** Of a reply that its reader has not taken yet; as the listeners'. */
const WINDOW_BYTES: number = 256 * 1024;
