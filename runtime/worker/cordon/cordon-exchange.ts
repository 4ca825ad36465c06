// One request in a cordon: the exchange whose client is on a socket of another worker. What it is told goes to that
// worker in frames; limits, isolates and outcomes work as on any other.

import { InboundBody, type BodySource } from "../../http/body.ts";
import { headerOf } from "../../../sdk/gateway/header-list.ts";
import { problem } from "../../http/problem.ts";
import { hasNoBody } from "../../http/reply-head.ts";
import type {
  BodySink,
  Exchange,
  HeaderList,
  Socket,
  SocketEvents,
  Upgrade,
} from "../../../sdk/exchange.ts";
import { CordonSocket } from "./cordon-socket.ts";
import type { Outcome } from "../../../sdk/outcome.ts";
import { OP, type FrameWriter, type RequestHead } from "./frames.ts";

/** Larger replies go in pieces, so that none holds up the others on the socket for long. */
const PIECE_BYTES: number = 64 * 1024;
/** Chunked, or a length that the worker's listener has not let through anyway. */
const LENGTH_UNKNOWN = -1;

export interface CordonExchangeOptions {
  readonly id: number;
  readonly head: RequestHead;
  /** The body that came with the head. */
  readonly whole: Uint8Array;
  readonly out: FrameWriter;
  readonly bodyBytesMax: number;
  /** Nothing more is sent for it. */
  readonly onOver: (id: number) => void;
}

export class CordonExchange implements Exchange, BodySource {
  readonly method: string;
  readonly url: string;
  readonly path: string;
  readonly host: string;
  readonly authority: string;
  readonly scheme: "http" | "https";
  readonly headers: HeaderList;
  readonly requestId: string;
  readonly entrypoint: string;
  readonly protocol: string | undefined;
  readonly hasBody: boolean;
  readonly upgrade: Upgrade | null;
  /** Whoever decides the outcome: it goes with the reply. */
  verdict: { readonly outcome: Outcome } = { outcome: "ok" };
  readonly #id: number;
  readonly #address: string;
  readonly #out: FrameWriter;
  readonly #onOver: (id: number) => void;
  readonly #body: InboundBody | null;
  #bodyWaits: boolean;
  #state: "open" | "streaming" | "done" | "gone" = "open";
  #status = 0;
  #bytesOut = 0;
  #queue: Uint8Array[] = [];
  /** The client does not keep up. */
  #held = false;
  #finishing = false;
  #gone: (() => void) | null = null;
  #done: (() => void) | null = null;
  #drained: (() => void) | null = null;
  #socket: CordonSocket | null = null;

  constructor({ id, head, whole, out, bodyBytesMax, onOver }: CordonExchangeOptions) {
    this.#id = id;
    this.#out = out;
    this.#onOver = onOver;
    this.method = head.method;
    this.url = head.url;
    const query = head.url.indexOf("?");
    this.path = query < 0 ? head.url : head.url.slice(0, query);
    this.host = head.host;
    this.authority = head.authority;
    this.scheme = head.scheme === "https" ? "https" : "http";
    this.headers = head.headers;
    this.requestId = head.requestId;
    this.entrypoint = head.entrypoint;
    this.protocol = head.protocol === "" ? undefined : head.protocol;
    this.#address = head.address;
    this.hasBody = head.body !== "none";
    this.upgrade = head.asksSocket ? { accept: (...asked) => this.#becomeSocket(...asked) } : null;
    this.#bodyWaits = head.body === "later";
    this.#body = this.hasBody ? this.#openBody(head, whole, bodyBytesMax) : null;
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
    return this.#address;
  }

  header(name: string): string | undefined {
    return headerOf(this.headers, name);
  }

  takeWholeBody(): Uint8Array | null {
    return this.#body === null ? null : this.#body.take();
  }

  readBody(sink: BodySink): void {
    if (this.#body === null) {
      sink.end();
      return;
    }
    this.#body.read(sink);
    if (this.#bodyWaits && this.#isLive()) this.#out.push(OP.READ, this.#id);
    this.#bodyWaits = false;
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
    let bytes = typeof body === "string" ? Buffer.from(body) : body;
    let list = headers;
    if (bytes !== null && this.method === "HEAD") {
      list += `content-length\n${bytes.byteLength}\n`;
      bytes = null;
    }
    if (bytes === null || bytes.byteLength <= PIECE_BYTES) {
      this.#bytesOut = bytes?.byteLength ?? 0;
      this.#out.push(OP.REPLY, this.#id, this.#headText(list), bytes ?? undefined);
      this.#settle();
      return;
    }
    this.begin(status, `${list}content-length\n${bytes.byteLength}\n`);
    this.#queue.push(bytes);
    this.finish();
  }

  begin(status: number, headers: HeaderList): void {
    if (this.#state !== "open") return;
    this.#state = "streaming";
    this.#status = status;
    this.#out.push(OP.BEGIN, this.#id, this.#headText(headers));
  }

  write(chunk: Uint8Array): boolean {
    if (this.#state !== "streaming" || this.#finishing) return true;
    if (this.method === "HEAD" || hasNoBody(this.#status)) return true;
    if (chunk.byteLength > 0) this.#queue.push(chunk);
    return this.#pump();
  }

  finish(): void {
    if (this.#state !== "streaming" || this.#finishing) return;
    this.#finishing = true;
    this.#pump();
  }

  reset(): void {
    // Whoever has the WebSocket closes it, with a code.
    if (!this.#isLive() || this.#socket !== null) return;
    this.#out.push(OP.BROKEN, this.#id, this.verdict.outcome);
    this.#settle();
  }

  hold(): void {
    if (this.#isLive()) this.#out.push(OP.BODY_HOLD, this.#id);
  }

  release(): void {
    if (this.#isLive()) this.#out.push(OP.BODY_GO, this.#id);
  }

  overflow(bytesMax: number): void {
    const detail = `The body may have ${bytesMax} bytes.`;
    const answer = problem("BODY_TOO_LARGE", { requestId: this.requestId, detail });
    this.reply(answer.status, answer.headers, answer.body);
  }

  /** A frame of the worker's about this request. */
  take(op: number, text: string, bytes: Uint8Array): void {
    if (this.#socket !== null && op !== OP.ABORT) {
      if (this.#socket.take(op, text, bytes) && this.#isLive()) this.#settle();
    } else if (op === OP.BODY) this.#body?.push(bytes);
    else if (op === OP.BODY_END) this.#body?.end();
    else if (op === OP.BODY_FAIL) this.#body?.fail(text);
    else if (op === OP.ABORT) this.abort();
    else if (op === OP.HOLD) this.#held = true;
    else if (op === OP.GO) {
      this.#held = false;
      this.drained();
    }
  }

  /** The client is gone, or the worker that it was on. */
  abort(): void {
    if (!this.#isLive()) return;
    this.#state = "gone";
    this.#queue = [];
    this.#body?.fail("The client went away.");
    this.#socket?.gone();
    this.#gone?.();
    this.#onOver(this.#id);
    this.#done?.();
  }

  /** The socket takes more. */
  drained(): void {
    this.#socket?.drained();
    if (this.#state !== "streaming" || !this.#pump() || this.#finishing) return;
    this.#drained?.();
  }

  /** False: it waits for the client or for the socket. */
  #pump(): boolean {
    while (!this.#held && !this.#out.full) {
      const chunk = this.#queue.shift();
      if (chunk === undefined) {
        if (this.#finishing) {
          this.#out.push(OP.END, this.#id, this.verdict.outcome);
          this.#settle();
        }
        return true;
      }
      const piece = chunk.subarray(0, PIECE_BYTES);
      if (piece.byteLength < chunk.byteLength) this.#queue.unshift(chunk.subarray(PIECE_BYTES));
      this.#bytesOut += piece.byteLength;
      this.#out.push(OP.CHUNK, this.#id, "", piece);
    }
    return false;
  }

  #becomeSocket(headers: HeaderList, bytesMax: number, events: SocketEvents): Socket | null {
    if (this.#state !== "open") return null;
    this.#state = "streaming";
    this.#status = 101;
    const { outcome } = this.verdict;
    this.#socket = new CordonSocket({ id: this.#id, out: this.#out, events, outcome });
    this.#socket.accept(headers, bytesMax);
    return this.#socket;
  }

  #headText(headers: HeaderList): string {
    return `${this.#status}\n${this.verdict.outcome}\n${headers}`;
  }

  #openBody(head: RequestHead, whole: Uint8Array, bytesMax: number): InboundBody {
    const length = Number(headerOf(head.headers, "content-length") ?? LENGTH_UNKNOWN);
    const body = new InboundBody(this, head.body === "whole" ? whole.byteLength : length, bytesMax);
    if (head.body === "whole") {
      if (whole.byteLength > 0) body.push(whole);
      body.end();
    }
    return body;
  }

  #isLive(): boolean {
    return this.#state === "open" || this.#state === "streaming";
  }

  #settle(): void {
    this.#state = "done";
    // What nobody has read is the worker's to drop.
    this.#body?.discard();
    this.#onOver(this.#id);
    this.#done?.();
  }
}
