// A request to an upstream that the gateway makes by itself, on behalf of one of a client's: it is balanced, tried
// again and timed as those of clients are, and its reply comes whole.

import type { BodySink, Exchange, HeaderList } from "../../../sdk/exchange.ts";
import { headerOf } from "../../../sdk/gateway/header-list.ts";
import type { Code } from "../../../sdk/errors.ts";
import { Pass, type GateTicket } from "../pass.ts";

export interface OwnHead {
  readonly method: string;
  readonly url: string;
  readonly headers: HeaderList;
  readonly body: Uint8Array | null;
  /** Of the whole exchange. */
  readonly totalMs: number;
  /** Of the reply's body; a longer one is cut. */
  readonly replyBytesMax: number;
}

export type OwnReply =
  | {
      readonly kind: "replied";
      readonly status: number;
      readonly headers: HeaderList;
      readonly body: Buffer;
    }
  /** Its body was longer than it may be. */
  | { readonly kind: "cut" }
  | { readonly kind: "failed"; readonly code: Code; readonly reason: string };

/** For `Upstream.proxy`. `client`: whose request it is about. */
export function ownPass(
  client: Pass,
  head: OwnHead,
): { readonly pass: Pass; readonly reply: Promise<OwnReply> } {
  const { promise, resolve } = Promise.withResolvers<OwnReply>();
  const exchange = new OwnExchange(client.exchange, head, resolve);
  const ticket: GateTicket = {
    exchange,
    startedMs: performance.now(),
    failure: null,
    fail: (code, reason = "") => exchange.fail(code, reason),
    whenDone: (listener) => void promise.then(listener),
    answered: () => {},
    consumer: "",
    log: (level, text) => client.ticket.log(level, text),
  };
  const { params, trusted } = client;
  const bodyBytesMax = Number.MAX_SAFE_INTEGER;
  const pass = new Pass({ ticket, enter: () => {}, params, trusted, bodyBytesMax });
  pass.totalMs = head.totalMs;
  // Nothing of it is named by Connection any more, however that reads.
  pass.headers = head.headers;
  return { pass, reply: promise };
}

class OwnExchange implements Exchange {
  readonly method: string;
  readonly url: string;
  readonly path: string;
  readonly host: string;
  readonly authority: string;
  readonly scheme: "http" | "https";
  readonly headers: HeaderList;
  readonly requestId: string;
  readonly hasBody: boolean;
  readonly upgrade = null;
  readonly #address: string;
  readonly #bytesMax: number;
  readonly #resolve: (reply: OwnReply) => void;
  #body: Uint8Array | null;
  #state: Exchange["state"] = "open";
  #status = 0;
  #replyHeaders: HeaderList = "";
  #pieces: Buffer[] = [];
  #bytes = 0;
  #gone: () => void = () => {};

  constructor(client: Exchange, head: OwnHead, resolve: (reply: OwnReply) => void) {
    this.method = head.method;
    this.url = head.url;
    this.path = head.url.replace(/\?.*$/s, "");
    this.host = client.host;
    this.authority = client.authority;
    this.scheme = client.scheme;
    this.headers = head.headers;
    this.requestId = client.requestId;
    this.hasBody = head.body !== null;
    this.#body = head.body;
    this.#address = client.remoteAddress();
    this.#bytesMax = head.replyBytesMax;
    this.#resolve = resolve;
  }

  get state(): Exchange["state"] {
    return this.#state;
  }

  get status(): number {
    return this.#status;
  }

  get bytesOut(): number {
    return this.#bytes;
  }

  remoteAddress(): string {
    return this.#address;
  }

  header(name: string): string | undefined {
    return headerOf(this.headers, name);
  }

  takeWholeBody(): Uint8Array | null {
    const body = this.#body;
    this.#body = null;
    return body;
  }

  readBody(sink: BodySink): void {
    sink.end();
  }

  pauseBody(): void {}

  resumeBody(): void {}

  limitBody(): void {}

  reply(status: number, headers: HeaderList, body: string | Uint8Array | null): void {
    this.begin(status, headers);
    if (body !== null) this.write(Buffer.from(body));
    this.finish();
  }

  begin(status: number, headers: HeaderList): void {
    if (this.#state !== "open") return;
    this.#state = "streaming";
    this.#status = status;
    this.#replyHeaders = headers;
  }

  write(chunk: Uint8Array): boolean {
    if (this.#state !== "streaming") return true;
    this.#bytes += chunk.byteLength;
    if (this.#bytes <= this.#bytesMax) {
      this.#pieces.push(Buffer.from(chunk));
    } else {
      this.#end("gone", { kind: "cut" });
      this.#gone();
    }
    return true;
  }

  finish(): void {
    if (this.#state !== "streaming") return;
    const headers = this.#replyHeaders;
    const body = Buffer.concat(this.#pieces);
    this.#end("done", { kind: "replied", status: this.#status, headers, body });
  }

  reset(): void {
    this.fail("UPSTREAM_FAILED", "the reply broke off");
  }

  fail(code: Code, reason: string): void {
    this.#end("done", { kind: "failed", code, reason });
  }

  onGone(listener: () => void): void {
    this.#gone = listener;
  }

  onDrained(): void {}

  onDone(): void {}

  #end(state: "done" | "gone", reply: OwnReply): void {
    if (this.#state === "done" || this.#state === "gone") return;
    this.#state = state;
    this.#pieces = [];
    this.#resolve(reply);
  }
}
