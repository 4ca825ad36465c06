// One request on the uws listener: the hot path of the node.
//
// uWebSockets.js traps, each met below: a response object may not be touched after its end or abort (it
// throws); `request` lives for the synchronous part only; replies sent later must be corked; chunks of a
// request body are taken away when the callback returns; endWithoutBody(undefined) sends a length of 2^63;
// write("") is ignored and tryEnd("") ends, so the head of a streamed reply travels with its first chunk.

import type { Code } from "../../sdk/errors.ts";
import { addressText } from "./address.ts";
import { copyOf, DISCARD_BYTES_MAX, InboundBody, type BodySource } from "./body.ts";
import type {
  BodySink,
  Exchange,
  ExchangeHandler,
  HeaderList,
  Upgrade,
} from "../../sdk/exchange.ts";
import type { Hub, RequestHead } from "./hub.ts";
import { problem } from "./problem.ts";
import { hasNoBody } from "./reply-head.ts";
import { headerOf } from "../../sdk/gateway/header-list.ts";
import { nextRequestId } from "./request-id.ts";
import { writeHead } from "./uws-head.ts";
import type { UwsResponse } from "./uws.ts";

/** Larger bodies are handed to the socket as it takes them, instead of being copied into its queue. */
const WHOLE_BYTES_MAX: number = 64 * 1024;
/** The exchange that uWS has corked already, because its request callback is running. */
let corked: UwsExchange | null = null;
/** What to run in the cork. One function for all, so that a reply allocates no closure. */
let corking: UwsExchange | null = null;

function runCorked(): void {
  const exchange = corking;
  corking = null;
  exchange?.flushCorked();
}

export class UwsExchange implements Exchange, BodySource {
  readonly method: string;
  readonly url: string;
  readonly path: string;
  readonly host: string;
  readonly authority: string;
  readonly scheme: "http" | "https";
  readonly headers: HeaderList;
  readonly hasBody: boolean;
  upgrade: Upgrade | null = null;
  readonly #hub: Hub;
  readonly #res: UwsResponse;
  readonly #body: InboundBody | null;
  readonly #closes: boolean;
  #requestId = "";
  #address: string | null = null;
  #state: "open" | "streaming" | "done" | "gone" = "open";
  #status = 0;
  #bytesOut = 0;
  #gone: (() => void) | null = null;
  #done: (() => void) | null = null;
  #drained: (() => void) | null = null;
  #queue: Uint8Array[] = [];
  /** Bytes the reply's Content-Length promises; -1: chunked. */
  #total = -1;
  #headLength = -1;
  #blocked = false;
  #finishing = false;
  #watching = false;
  #dispatched = false;
  #next: "reply" | "begin" | "push" = "reply";
  #replyHeaders: HeaderList = "";
  #replyBody: string | Uint8Array | null = null;

  constructor(hub: Hub, res: UwsResponse, request: RequestHead) {
    hub.opened();
    this.#hub = hub;
    this.scheme = hub.scheme;
    this.#res = res;
    this.method = request.method;
    this.url = request.url;
    this.path = request.path;
    this.host = request.host;
    this.authority = request.authority;
    this.headers = request.headers;
    this.#closes = request.closes;
    this.hasBody = request.length !== 0;
    this.#body = this.hasBody ? new InboundBody(this, request.length, hub.bodyBytesMax) : null;
  }

  get requestId(): string {
    if (this.#requestId === "") this.#requestId = nextRequestId();
    return this.#requestId;
  }

  get state(): "open" | "streaming" | "done" | "gone" {
    return this.#state;
  }

  get status(): number {
    return this.#status;
  }

  get bytesOut(): number {
    return this.#bytesOut;
  }

  /** Known only if asked while the exchange was open; "" after. */
  remoteAddress(): string {
    if (this.#address === null && (this.#state === "open" || this.#state === "streaming")) {
      const text = Buffer.from(this.#res.getRemoteAddressAsText()).toString("latin1");
      this.#address = addressText(text);
    }
    return this.#address ?? "";
  }

  header(name: string): string | undefined {
    return headerOf(this.headers, name);
  }

  takeWholeBody(): Uint8Array | null {
    return this.#body === null ? null : this.#body.take();
  }

  readBody(sink: BodySink): void {
    if (this.#body === null) sink.end();
    else this.#body.read(sink);
  }

  pauseBody(): void {
    this.#body?.pause();
  }

  resumeBody(): void {
    this.#body?.resume();
  }

  limitBody(bytesMax: number): void {
    this.#body?.limitTo(bytesMax);
  }

  onDrained(listener: () => void): void {
    this.#drained = listener;
  }

  onGone(listener: () => void): void {
    this.#gone = listener;
  }

  onDone(listener: () => void): void {
    this.#done = listener;
  }

  reply(status: number, headers: HeaderList, body: string | Uint8Array | null): void {
    if (this.#state !== "open") return;
    this.#status = status;
    this.#replyHeaders = headers;
    this.#replyBody = body;
    this.#dropBody();
    this.#cork("reply");
  }

  begin(status: number, headers: HeaderList): void {
    if (this.#state !== "open") return;
    this.#state = "streaming";
    this.#status = status;
    this.#replyHeaders = headers;
    this.#cork("begin");
  }

  write(chunk: Uint8Array): boolean {
    if (this.#state !== "streaming" || this.#finishing) return true;
    if (this.method === "HEAD" || hasNoBody(this.#status)) return true;
    if (chunk.byteLength > 0) this.#queue.push(chunk);
    if (!this.#blocked && this.#queue.length > 0) this.#cork("push");
    return !this.#blocked;
  }

  finish(): void {
    if (this.#state !== "streaming" || this.#finishing) return;
    this.#finishing = true;
    this.#dropBody();
    if (!this.#blocked) this.#cork("push");
  }

  reset(): void {
    if (this.#state !== "open" && this.#state !== "streaming") return;
    this.#complete();
    // A socket's response is gone; whoever has the socket closes it.
    if (this.#status !== 101) this.#res.close();
  }

  /** A WebSocket from now on. Not within uWS's HTTP parser, which would take the connection it reads for this one. */
  becomeSocket(switchProtocols: () => void, lost: () => void): void {
    this.#state = "streaming";
    this.#status = 101;
    setImmediate(() => (this.#state === "streaming" ? this.#res.cork(switchProtocols) : lost()));
  }

  socketEnded(): void {
    if (this.#state === "streaming") this.#complete();
  }

  hold(): void {
    if (this.#state === "open" || this.#state === "streaming") this.#res.pause();
  }

  release(): void {
    if (this.#state === "open" || this.#state === "streaming") this.#res.resume();
  }

  overflow(bytesMax: number): void {
    this.refuse("BODY_TOO_LARGE", `The body may have ${bytesMax} bytes.`);
  }

  refuse(code: Code, detail: string): void {
    const answer = problem(code, { requestId: this.requestId, detail });
    this.reply(answer.status, answer.headers, answer.body);
  }

  /** Calls the handler inside uWS's request callback, where the socket is corked already. */
  dispatch(handler: ExchangeHandler): void {
    corked = this;
    try {
      handler(this);
    } finally {
      corked = null;
      // Not needed, nor allowed, when the reply is out.
      if (this.#state === "open" || this.#state === "streaming") this.watchAbort();
    }
  }

  /** For requests with a body: outside the request callback, and not again. */
  dispatchOnce(handler: ExchangeHandler): void {
    if (this.#dispatched || this.#state !== "open") return;
    this.#dispatched = true;
    handler(this);
  }

  watchAbort(): void {
    this.#res.onAborted(() => this.#abort());
  }

  /** A chunk as uWS hands it over: it is gone when this returns. */
  receive(chunk: ArrayBuffer, last: boolean): void {
    const body = this.#body;
    if (body === null) return;
    if (chunk.byteLength > 0) body.push(body.closed ? new Uint8Array(0) : copyOf(chunk));
    if (last) body.end();
  }

  flushCorked(): void {
    if (this.#next === "reply") this.#sendReply();
    else if (this.#next === "begin") this.#sendBegin();
    else this.#push();
  }

  #cork(next: "reply" | "begin" | "push"): void {
    this.#next = next;
    if (corked === this) return this.flushCorked();
    corking = this;
    this.#res.cork(runCorked);
  }

  #sendReply(): void {
    const res = this.#res;
    const body = this.#replyBody;
    const closes = this.#closesAfter();
    const length = this.#writeHead();
    if (hasNoBody(this.#status)) {
      res.endWithoutBody();
    } else if (this.method === "HEAD") {
      const bytes = body === null ? length : Buffer.byteLength(body);
      if (bytes < 0) res.endWithoutBody();
      else res.endWithoutBody(bytes, closes);
    } else if (body === null || body.length <= WHOLE_BYTES_MAX || closes) {
      this.#bytesOut = body === null ? 0 : Buffer.byteLength(body);
      res.end(body ?? "", closes);
    } else {
      const bytes = typeof body === "string" ? Buffer.from(body) : body;
      this.#replyBody = null;
      this.#state = "streaming";
      this.#finishing = true;
      this.#total = bytes.byteLength;
      this.#queue.push(bytes);
      this.#pushSized();
      return;
    }
    this.#complete();
  }

  #sendBegin(): void {
    const length = this.#writeHead();
    if (length <= 0 || this.method === "HEAD" || hasNoBody(this.#status)) {
      this.#headLength = length;
    } else if (!this.#closesAfter()) {
      this.#total = length;
    }
  }

  #push(): void {
    if (this.#total >= 0) this.#pushSized();
    else this.#pushChunked();
  }

  #pushChunked(): void {
    const res = this.#res;
    for (let chunk = this.#queue.shift(); chunk !== undefined; chunk = this.#queue.shift()) {
      this.#bytesOut += chunk.byteLength;
      if (res.write(chunk)) continue;
      this.#block();
      return;
    }
    if (!this.#finishing) return;
    if (hasNoBody(this.#status)) res.endWithoutBody();
    else if (this.method === "HEAD") {
      if (this.#headLength < 0) res.endWithoutBody();
      else res.endWithoutBody(this.#headLength, this.#closesAfter());
    } else res.end("", this.#closesAfter());
    this.#complete();
  }

  /** A body of known length: uWS takes what the socket takes, the rest waits here. */
  #pushSized(): void {
    const res = this.#res;
    for (let chunk = this.#queue[0]; chunk !== undefined; chunk = this.#queue[0]) {
      const left = this.#total - this.#bytesOut;
      if (chunk.byteLength > left) chunk = chunk.subarray(0, left);
      if (chunk.byteLength === left) this.#dropBody();
      const [taken, complete] = res.tryEnd(chunk, this.#total);
      if (complete) {
        this.#bytesOut = this.#total;
        this.#queue = [];
        this.#complete();
        return;
      }
      if (!taken) {
        const offset = res.getWriteOffset();
        this.#queue[0] = chunk.subarray(offset - this.#bytesOut);
        this.#bytesOut = offset;
        this.#block();
        return;
      }
      this.#bytesOut += chunk.byteLength;
      this.#queue.shift();
    }
    // Less than the Content-Length promised: the client must see that it is broken.
    if (this.#finishing) this.reset();
  }

  #block(): void {
    this.#blocked = true;
    if (this.#watching) return;
    this.#watching = true;
    this.#res.onWritable(() => this.#unblock());
  }

  #unblock(): boolean {
    if (this.#state !== "streaming") return true;
    this.#blocked = false;
    if (this.#queue.length > 0 || this.#finishing) this.#cork("push");
    if (this.#state === "streaming" && !this.#blocked && !this.#finishing) this.#drained?.();
    return !this.#blocked;
  }

  /** Status line and headers; answers with the handler's Content-Length or -1. */
  #writeHead(): number {
    const headers = this.#hub.outgoing(this.#replyHeaders);
    this.#replyHeaders = "";
    return writeHead(this.#res, this.#status, headers, this.requestId);
  }

  #closesAfter(): boolean {
    if (this.#closes || this.#hub.draining) return true;
    return this.#body !== null && this.#body.missing > DISCARD_BYTES_MAX;
  }

  /** Before the end of the reply: while the socket may still be resumed. */
  #dropBody(): void {
    if (this.#body !== null && !this.#body.ended) this.#body.discard();
  }

  #abort(): void {
    if (this.#state !== "open" && this.#state !== "streaming") return;
    this.#state = "gone";
    this.#queue = [];
    this.#body?.fail("The client went away.");
    this.#gone?.();
    this.#settle();
  }

  #complete(): void {
    this.#state = "done";
    this.#replyBody = null;
    this.#settle();
  }

  #settle(): void {
    this.#hub.closed();
    this.#done?.();
  }
}
