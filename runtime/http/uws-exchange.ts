// One request on the uws listener: the hot path of the node.
//
// uWebSockets.js traps, each met below: a response object may not be touched after its end or abort (it
// throws); `request` lives for the synchronous part only; replies sent later must be corked; chunks of a
// request body are taken away when the callback returns; endWithoutBody(undefined) sends a length of 2^63;
// write("") is ignored and tryEnd("") ends, so the head of a streamed reply travels with its first chunk.
//
// pause() polls for nothing, so the reply stands still too; resume() polls for what the socket that was paused last
// had polled for; a write that fails polls for everything, paused or not. So while a body is held each write is
// followed by another pause, and a reply that is blocked is offered to the socket time and again (uws/offers.ts).

import type { Code } from "../../sdk/errors.ts";
import { addressText } from "./address.ts";
import { DISCARD_BYTES_MAX, InboundBody, type BodySource } from "./body.ts";
import type { BodySink, Exchange, HeaderList, Upgrade } from "../../sdk/exchange.ts";
import type { Hub, RequestHead } from "./hub.ts";
import { problem } from "./problem.ts";
import { hasNoBody } from "./reply-head.ts";
import { headerOf } from "../../sdk/gateway/header-list.ts";
import { nextRequestId } from "./request-id.ts";
import { cork, setCorked, WHOLE_BYTES_MAX, type Corkable } from "./uws/cork.ts";
import { writeHead } from "./uws-head.ts";
import { UwsOffers } from "./uws/offers.ts";
import { UwsPatience } from "./uws/patience.ts";
import { receive, type SmallChunks } from "./uws/small-chunks.ts";
import { UwsStream, wholeStream, type Pushed, type StreamOwner } from "./uws/stream.ts";
import type { UwsResponse } from "./uws.ts";

export class UwsExchange implements Exchange, BodySource, Corkable, StreamOwner {
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
  #small: SmallChunks | null = null;
  #closes: boolean;
  #requestId = "";
  #address: string | null = null;
  #state: "open" | "streaming" | "done" | "gone" = "open";
  #status = 0;
  #bytesOut = 0;
  #gone: (() => void) | null = null;
  #done: (() => void) | null = null;
  #drained: (() => void) | null = null;
  #stream: UwsStream | null = null;
  #offers: UwsOffers | null = null;
  #patience: UwsPatience | null = null;
  #dispatched = false;
  #next: "reply" | "push" | "offer" = "reply";
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

  adoptRequestId(id: string): void {
    this.#requestId = id;
  }

  get state(): "open" | "streaming" | "done" | "gone" {
    return this.#state;
  }

  get status(): number {
    return this.#status;
  }

  get bytesOut(): number {
    return this.#stream?.bytesOut ?? this.#bytesOut;
  }

  /** Known only if asked while the exchange was open; "" after. */
  remoteAddress(): string {
    if (this.#address === null && this.#isLive()) {
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
    this.dropBody();
    this.#cork("reply");
  }

  begin(status: number, headers: HeaderList): void {
    if (this.#state !== "open") return;
    this.#state = "streaming";
    this.#status = status;
    this.#replyHeaders = headers;
    this.#stream = new UwsStream(this.#res, this);
  }

  write(chunk: Uint8Array): boolean {
    const stream = this.#stream;
    if (stream === null || this.#state !== "streaming" || stream.isFinishing) return true;
    if (this.method === "HEAD" || hasNoBody(this.#status)) return true;
    stream.add(chunk);
    if (!stream.isBlocked && !stream.isEmpty) this.#cork("push");
    return !stream.isBlocked;
  }

  finish(): void {
    const stream = this.#stream;
    if (stream === null || this.#state !== "streaming" || stream.isFinishing) return;
    stream.isFinishing = true;
    this.dropBody();
    if (!stream.isBlocked) this.#cork("push");
  }

  reset(): void {
    if (!this.#isLive()) return;
    this.#complete();
    // A socket's response is gone; whoever has the socket closes it.
    if (this.#status !== 101) this.#res.close();
  }

  /** A WebSocket from now on. Not within uWS's HTTP parser, which would take the connection it reads for this one. */
  becomeSocket(then: (isLive: () => boolean) => void): void {
    this.#state = "streaming";
    this.#status = 101;
    setImmediate(() => then(() => this.#state === "streaming"));
  }

  socketEnded(): void {
    if (this.#state === "streaming") this.#complete();
  }

  /** At the end of the turn: uWS goes on with what it has read anyway, and that may be the end of the body. */
  hold(): void {
    setImmediate(() => this.#pauseIfHeld());
  }

  release(): void {
    if (!this.#isLive()) return;
    this.#bePatient().resume();
    this.#offerUnwatched();
  }

  overflow(bytesMax: number): void {
    this.refuse("BODY_TOO_LARGE", `The body may have ${bytesMax} bytes.`);
  }

  refuse(code: Code, detail: string): void {
    if (code === "BAD_REQUEST") this.#closes = true;
    const answer = problem(code, { requestId: this.requestId, detail });
    this.reply(answer.status, answer.headers, answer.body);
  }

  /** Calls the handler inside uWS's request callback, where the socket is corked already. */
  dispatch(handler: (exchange: Exchange) => void): void {
    setCorked(this);
    try {
      handler(this);
    } finally {
      setCorked(null);
      // Not needed, nor allowed, when the reply is out.
      if (this.#isLive()) this.watchAbort();
    }
  }

  /** For requests with a body: outside the request callback, and not again. */
  dispatchOnce(handler: (exchange: Exchange) => void): void {
    if (this.#dispatched || this.#state !== "open") return;
    this.#dispatched = true;
    handler(this);
  }

  watchAbort(): void {
    this.#res.onAborted(() => this.#abort());
  }

  /** A chunk as uWS hands it over: it is gone when this returns. */
  receive(chunk: ArrayBuffer, last: boolean): void {
    if (this.#body !== null) this.#small = receive(this.#body, this.#small, chunk, last, this);
  }

  flushCorked(): void {
    if (this.#next === "reply") return this.#sendReply();
    const stream = this.#stream;
    if (stream === null) return;
    if (stream.isHeadDue) {
      if (stream.isEmpty && !stream.isFinishing) return;
      this.#sendHead(stream);
    }
    this.#pushed(stream, this.#next === "push" ? stream.push() : stream.offer());
  }

  #cork(next: "reply" | "push" | "offer"): void {
    this.#next = next;
    cork(this, this.#res);
    this.#pauseIfHeld();
  }

  get #held(): boolean {
    return this.#body?.isHeld === true;
  }

  #isLive(): boolean {
    return this.#state === "open" || this.#state === "streaming";
  }

  #pauseIfHeld(): void {
    if (!this.#held || !this.#isLive()) return;
    this.#res.pause();
    this.#offerUnwatched();
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
      const stream = (this.#stream = wholeStream(res, this, bytes));
      return this.#pushed(stream, stream.push());
    }
    this.#complete();
  }

  #sendHead(stream: UwsStream): void {
    stream.isHeadDue = false;
    const length = this.#writeHead();
    stream.headLength = length;
    if (hasNoBody(this.#status) || this.method === "HEAD") return;
    // tryEnd cannot close; and end, told to close, would write this field into the middle of the chunks.
    if (this.#closesAfter()) this.#res.writeHeader("connection", "close");
    else if (length > 0) stream.total = length;
  }

  #pushed(stream: UwsStream, pushed: Pushed): void {
    if (pushed === "complete") this.#complete();
    // Less than the Content-Length promised: the client must see that it is broken.
    else if (pushed === "short") this.reset();
    else if (pushed === "blocked") this.#watch(stream);
    else if (stream.isFinishing) {
      stream.end(this.method, this.#status, this.#closesAfter());
      this.#complete();
    }
  }

  #watch(stream: UwsStream): void {
    if (stream.isWatched) return;
    stream.isWatched = true;
    this.#bePatient().watch(stream);
    this.#res.onWritable(() => this.#unblock(stream));
  }

  #bePatient(): UwsPatience {
    return (this.#patience ??= new UwsPatience(this.#res, this.#body, () => this.reset()));
  }

  #unblock(stream: UwsStream): boolean {
    if (this.#state !== "streaming") return true;
    // Also with nothing to push: the cork gives the socket what uWS has kept, which uWS by itself does not.
    this.#cork("push");
    if (this.#state === "streaming" && !stream.isBlocked && !stream.isFinishing) this.#drained?.();
    return !stream.isBlocked;
  }

  #offerUnwatched(): void {
    const stream = this.#stream;
    if (stream === null || !(stream.isBlocked || this.#held)) return;
    this.#offers ??= new UwsOffers();
    this.#offers.start(() => this.#offer(stream));
  }

  #offer(stream: UwsStream): void {
    const before = stream.bytesOut;
    // What is not known to be blocked may still have left something with uWS.
    const isBlocked = stream.isBlocked;
    this.#cork(isBlocked ? "offer" : "push");
    if (this.#state !== "streaming") return;
    // A single byte may have gone no further than to uWS.
    const wasTaken = !isBlocked || stream.bytesOut > before + 1;
    if (this.#offers?.made(wasTaken) === false) return this.reset();
    if (!stream.isBlocked && !this.#held) this.#offers?.stop();
    // Asked for more while it is blocked: of that a byte can be offered.
    if (isBlocked && !stream.isFinishing && (!stream.isBlocked || stream.isEmpty)) {
      this.#drained?.();
    }
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
  dropBody(): void {
    if (this.#body !== null && !this.#body.ended) this.#body.discard();
  }

  #abort(): void {
    if (!this.#isLive()) return;
    this.#state = "gone";
    this.#stream?.clear();
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
    this.#offers?.stop();
    this.#patience?.stop();
    this.#hub.closed();
    this.#done?.();
  }
}
