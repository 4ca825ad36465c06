// An exchange in front of another one, which it hands everything on to. What a policy changes of a request or of its
// reply, it overrides.

import type { BodySink, Exchange, HeaderList, Upgrade } from "../../sdk/exchange.ts";

export class ExchangeLayer implements Exchange {
  readonly method: string;
  readonly host: string;
  readonly authority: string;
  readonly scheme: "http" | "https";
  readonly hasBody: boolean;
  protected readonly inner: Exchange;

  constructor(inner: Exchange) {
    this.method = inner.method;
    this.host = inner.host;
    this.authority = inner.authority;
    this.scheme = inner.scheme;
    this.hasBody = inner.hasBody;
    this.inner = inner;
  }

  get url(): string {
    return this.inner.url;
  }

  get path(): string {
    return this.inner.path;
  }

  get headers(): HeaderList {
    return this.inner.headers;
  }

  get upgrade(): Upgrade | null {
    return this.inner.upgrade;
  }

  get requestId(): string {
    return this.inner.requestId;
  }

  get protocol(): string | undefined {
    return this.inner.protocol;
  }

  adoptRequestId(id: string): void {
    this.inner.adoptRequestId?.(id);
  }

  get state(): Exchange["state"] {
    return this.inner.state;
  }

  get status(): number {
    return this.inner.status;
  }

  get bytesOut(): number {
    return this.inner.bytesOut;
  }

  remoteAddress(): string {
    return this.inner.remoteAddress();
  }

  header(name: string): string | undefined {
    return this.inner.header(name);
  }

  takeWholeBody(): Uint8Array | null {
    return this.inner.takeWholeBody();
  }

  readBody(sink: BodySink): void {
    this.inner.readBody(sink);
  }

  get bodyTrailers(): HeaderList | undefined {
    return this.inner.bodyTrailers;
  }

  pauseBody(): void {
    this.inner.pauseBody();
  }

  resumeBody(): void {
    this.inner.resumeBody();
  }

  limitBody(bytesMax: number): void {
    this.inner.limitBody(bytesMax);
  }

  reply(status: number, headers: HeaderList, body: string | Uint8Array | null): void {
    this.inner.reply(status, headers, body);
  }

  begin(status: number, headers: HeaderList): void {
    this.inner.begin(status, headers);
  }

  write(chunk: Uint8Array): boolean {
    return this.inner.write(chunk);
  }

  onDrained(listener: () => void): void {
    this.inner.onDrained(listener);
  }

  get takesTrailers(): boolean {
    return this.inner.takesTrailers === true;
  }

  finish(trailers?: HeaderList): void {
    this.inner.finish(trailers);
  }

  reset(): void {
    this.inner.reset();
  }

  onGone(listener: () => void): void {
    this.inner.onGone(listener);
  }

  onDone(listener: () => void): void {
    this.inner.onDone(listener);
  }
}
