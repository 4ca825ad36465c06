// An exchange as targets see it behind policies: the request as policies left it, and replies that pass through
// them on their way out. Everything else is the exchange itself.

import type { BodySink, Exchange, HeaderList, Upgrade } from "../../sdk/exchange.ts";
import { headerOf } from "../../sdk/gateway/header-list.ts";
import type { Pass } from "./pass.ts";

export interface ReplyHead {
  status: number;
  headers: HeaderList;
}

export type ReplyStep = (pass: Pass, head: ReplyHead) => void;

export class FilteredExchange implements Exchange {
  readonly method: string;
  readonly host: string;
  readonly authority: string;
  readonly scheme: "http" | "https";
  readonly hasBody: boolean;
  readonly #inner: Exchange;
  readonly #pass: Pass;
  readonly #steps: readonly ReplyStep[];

  constructor(pass: Pass, steps: readonly ReplyStep[]) {
    const inner = pass.exchange;
    this.method = inner.method;
    this.host = inner.host;
    this.authority = inner.authority;
    this.scheme = inner.scheme;
    this.hasBody = inner.hasBody;
    this.#inner = inner;
    this.#pass = pass;
    this.#steps = steps;
  }

  get url(): string {
    return this.#pass.url;
  }

  get path(): string {
    const { url } = this.#pass;
    const query = url.indexOf("?");
    return query < 0 ? url : url.slice(0, query);
  }

  get headers(): HeaderList {
    return this.#pass.headers;
  }

  get upgrade(): Upgrade | null {
    return this.#inner.upgrade;
  }

  get requestId(): string {
    return this.#inner.requestId;
  }

  get state(): "open" | "streaming" | "done" | "gone" {
    return this.#inner.state;
  }

  get status(): number {
    return this.#inner.status;
  }

  get bytesOut(): number {
    return this.#inner.bytesOut;
  }

  remoteAddress(): string {
    return this.#inner.remoteAddress();
  }

  header(name: string): string | undefined {
    return headerOf(this.#pass.headers, name);
  }

  takeWholeBody(): Uint8Array | null {
    return this.#inner.takeWholeBody();
  }

  readBody(sink: BodySink): void {
    this.#inner.readBody(sink);
  }

  pauseBody(): void {
    this.#inner.pauseBody();
  }

  resumeBody(): void {
    this.#inner.resumeBody();
  }

  limitBody(bytesMax: number): void {
    this.#inner.limitBody(Math.min(bytesMax, this.#pass.bodyBytesMax));
  }

  reply(status: number, headers: HeaderList, body: string | Uint8Array | null): void {
    const head = this.#filter(status, headers);
    this.#inner.reply(head.status, head.headers, body);
  }

  begin(status: number, headers: HeaderList): void {
    const head = this.#filter(status, headers);
    this.#inner.begin(head.status, head.headers);
  }

  write(chunk: Uint8Array): boolean {
    return this.#inner.write(chunk);
  }

  onDrained(listener: () => void): void {
    this.#inner.onDrained(listener);
  }

  finish(): void {
    this.#inner.finish();
  }

  reset(): void {
    this.#inner.reset();
  }

  onGone(listener: () => void): void {
    this.#inner.onGone(listener);
  }

  onDone(listener: () => void): void {
    this.#inner.onDone(listener);
  }

  #filter(status: number, headers: HeaderList): ReplyHead {
    const head = { status, headers };
    // From the target outwards: the first policy has the last word.
    for (let index = this.#steps.length - 1; index >= 0; index--) {
      this.#steps[index]?.(this.#pass, head);
    }
    return head;
  }
}
