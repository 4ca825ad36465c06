// One request on the node listener. Slower than its uws twin, and simple: Node keeps the order of
// pipelined replies, frames bodies and notices a client that goes away, also while its body is held up.

import type { Code } from "../../sdk/errors.ts";
import { addressText } from "./address.ts";
import { DISCARD_BYTES_MAX, InboundBody } from "./body.ts";
import type { BodySource } from "./body.ts";
import type {
  BodySink,
  ClientCertificate,
  Exchange,
  ExchangeHandler,
  HeaderList,
  Upgrade,
} from "../../sdk/exchange.ts";
import { headerOf } from "../../sdk/gateway/header-list.ts";
import { decoded } from "./guards.ts";
import type { Hub, RequestHead } from "./hub.ts";
import { problem } from "./problem.ts";
import { hasNoBody, replyFields } from "./reply-head.ts";
import { nextRequestId } from "./request-id.ts";
import type { Wire } from "./h2/wire.ts";
import { protocolOf } from "./h2/protocol.ts";
import { clientCertificateOf } from "./tls/client-certificate.ts";

/** RFC 9110, section 10.1.4. */
const TE_TRAILERS = /(?:^|,)[ \t]*trailers[ \t]*(?:,|$)/i;

const ASCII = /^[\0-\x7f]*$/;

export class NodeExchange implements Exchange, BodySource {
  readonly method: string;
  readonly url: string;
  readonly path: string;
  readonly host: string;
  readonly authority: string;
  readonly scheme: "http" | "https";
  readonly headers: HeaderList;
  readonly hasBody: boolean;
  upgrade: Upgrade | null = null;
  requestId: string = nextRequestId();
  readonly #hub: Hub;
  readonly #wire: Wire;
  readonly #body: InboundBody | null;
  readonly #closes: boolean;
  #state: "open" | "streaming" | "done" | "gone" = "open";
  #dispatched = false;
  #takesTrailers: boolean | null = null;
  #finishing = false;
  #status = 0;
  #bytesOut = 0;
  /** Bytes the reply's Content-Length leaves to send; -1: chunked. */
  #left = -1;
  #gone: (() => void) | null = null;
  #done: (() => void) | null = null;
  #drained: (() => void) | null = null;

  constructor(hub: Hub, wire: Wire, request: RequestHead) {
    hub.opened();
    this.#hub = hub;
    this.scheme = hub.scheme;
    this.#wire = wire;
    this.method = request.method;
    this.url = request.url;
    this.path = request.path;
    this.host = request.host;
    this.authority = request.authority;
    this.headers = request.headers;
    this.#closes = request.closes;
    this.hasBody = request.length !== 0;
    this.#body = this.hasBody ? new InboundBody(this, request.length, hub.bodyBytesMax) : null;
    const { body, reply } = wire;
    reply.on("drain", () => this.#drained?.());
    reply.on("finish", () => {
      // HTTP/2 ends a stream by itself when its client resets it, or when the status has no body.
      if (!this.#finishing && this.#carriesBody()) return;
      wire.finished();
      this.#settle("done");
    });
    reply.on("close", () => this.#settle("gone"));
    // Said again by close; without a listener it would end the process.
    body.on("error", () => {});
    reply.on("error", () => {});
  }

  adoptRequestId(id: string): void {
    this.requestId = id;
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

  remoteAddress(): string {
    const { socket } = this.#wire;
    const { proxied } = this.#hub;
    return addressText(proxied?.addressOf(socket) ?? socket?.remoteAddress ?? "");
  }

  get protocol(): string {
    return protocolOf(this.#wire);
  }

  clientCertificate(): ClientCertificate | null {
    const { socket } = this.#wire;
    return socket === null ? null : clientCertificateOf(socket);
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

  get bodyTrailers(): HeaderList {
    const raw = this.#wire.bodyTrailers;
    let list = "";
    for (let at = 0; at + 1 < raw.length; at += 2) {
      list += `${(raw[at] ?? "").toLowerCase()}\n${decoded(raw[at + 1] ?? "")}\n`;
    }
    return list;
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
    const bytes = body === null ? 0 : Buffer.byteLength(body);
    const known = body === null && this.method === "HEAD" ? null : bytes;
    this.#writeHead(status, headers, known);
    this.#dropBody();
    this.#finishing = true;
    if (this.#carriesBody() && body !== null) {
      this.#bytesOut = bytes;
      // Node writes the head together with a text, and in its encoding.
      this.#wire.reply.end(ASCII.test(headers) ? body : Buffer.from(body));
    } else this.#wire.reply.end();
  }

  begin(status: number, headers: HeaderList): void {
    if (this.#state !== "open") return;
    const hasBody = this.method !== "HEAD" && !hasNoBody(status);
    if (hasBody && this.takesTrailers) this.#wire.expectTrailers();
    this.#left = this.#writeHead(status, headers, null);
    this.#wire.flush();
  }

  write(chunk: Uint8Array): boolean {
    if (this.#state !== "streaming" || this.#finishing || !this.#carriesBody()) return true;
    if (this.#left >= 0) {
      chunk = chunk.subarray(0, this.#left);
      this.#left -= chunk.byteLength;
    }
    this.#bytesOut += chunk.byteLength;
    return this.#wire.reply.write(chunk);
  }

  /** TE is one of few fields that ask for something of the connection and are not of it alone. */
  get takesTrailers(): boolean {
    this.#takesTrailers ??= TE_TRAILERS.test(this.header("te") ?? "");
    return this.#takesTrailers;
  }

  finish(trailers: HeaderList = ""): void {
    if (this.#state !== "streaming" || this.#finishing) return;
    // Less than the Content-Length promised: the client must see that it is broken.
    if (this.#left > 0 && this.#carriesBody()) return this.reset();
    this.#finishing = true;
    this.#dropBody();
    if (trailers !== "") this.#wire.trailers(replyFields(trailers).fields);
    this.#wire.reply.end();
  }

  reset(): void {
    if (this.#state !== "open" && this.#state !== "streaming") return;
    const isSocket = this.#status === 101;
    this.#settle("done");
    // Whoever has the WebSocket closes it.
    if (!isSocket) this.#wire.cut();
  }

  /** The connection is a WebSocket's from now on; its end is told by `socketEnded`. */
  becomeSocket(): void {
    this.#state = "streaming";
    this.#status = 101;
  }

  socketEnded(): void {
    this.#settle("done");
  }

  hold(): void {
    this.#wire.body.pause();
  }

  release(): void {
    this.#wire.body.resume();
  }

  overflow(bytesMax: number): void {
    this.refuse("BODY_TOO_LARGE", `The body may have ${bytesMax} bytes.`);
  }

  refuse(code: Code, detail: string): void {
    const answer = problem(code, { requestId: this.requestId, detail });
    this.reply(answer.status, answer.headers, answer.body);
  }

  /** Reads on from the socket at once; the handler is called when the body is whole or the tick is over. */
  dispatch(handler: ExchangeHandler): void {
    const body = this.#body;
    if (body === null) {
      handler(this);
      return;
    }
    const once = (): void => {
      if (this.#dispatched || this.#state !== "open") return;
      this.#dispatched = true;
      handler(this);
    };
    if (this.header("trailer") !== undefined) this.#wire.awaitTrailers();
    this.#wire.body.on("data", (chunk: Uint8Array) => body.push(chunk));
    this.#wire.body.on("end", () => {
      // Then `close` follows.
      if (this.#wire.broken) return;
      body.end();
      once();
    });
    setImmediate(once);
  }

  #carriesBody(): boolean {
    return this.method !== "HEAD" && !hasNoBody(this.#status);
  }

  /** `known`: the whole body's length. Answers with the handler's own Content-Length or -1. */
  #writeHead(status: number, headers: HeaderList, known: number | null): number {
    this.#state = "streaming";
    this.#status = status;
    const { length, fields } = replyFields(this.#hub.outgoing(headers));
    fields.push("x-request-id", this.requestId);
    const bytes = known ?? length;
    if (bytes >= 0 && !hasNoBody(status)) fields.push("content-length", String(bytes));
    this.#wire.head(status, fields, this.#closesAfter(), known === 0);
    return length;
  }

  #closesAfter(): boolean {
    if (this.#closes || this.#hub.draining) return true;
    return this.#body !== null && this.#body.missing > DISCARD_BYTES_MAX;
  }

  #dropBody(): void {
    if (this.#body !== null && !this.#body.ended) this.#body.discard();
  }

  /** The first of finish, close and reset says how it ended. */
  #settle(state: "done" | "gone"): void {
    if (this.#state === "done" || this.#state === "gone") return;
    this.#state = state;
    if (state === "gone") {
      this.#body?.fail("The client went away.");
      this.#gone?.();
    }
    this.#hub.closed();
    this.#done?.();
  }
}
