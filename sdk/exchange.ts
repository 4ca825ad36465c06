// One HTTP request and its reply in the host, the same for both listeners (uws, node). The gateway and the
// isolates know HTTP only through this.
//
// Ownership: the listener owns the socket; whoever handles the exchange owns the duty to end it exactly once
// (reply, or begin … finish, or reset). Every chunk handed over belongs to the receiver. After `gone` fired,
// all reply methods are no-ops and nothing more arrives.

import type { FrontTls } from "./gateway/config.ts";

/** "name\nvalue\n" repeated. Several of one name stay apart, in order. */
export type HeaderList = string;

export interface BodySink {
  chunk(bytes: Uint8Array): void;
  end(): void;
  /** The client broke off, or sent more than the limit (the listener then answered 413 if it still could). */
  fail(message: string): void;
}

/** A connection that was a request: whole messages, both ways. */
export interface Socket {
  /** False: the client does not take more for now; wait for `drained`. The message was taken in any case. */
  send(message: string | Uint8Array): boolean;
  /** 1005: without a code. Idempotent; `closed` follows. */
  close(code: number, reason: string): void;
  /** No more messages for now. Where the listener cannot (uWS), who gets what comes all the same has to bound it. */
  pause(): void;
  resume(): void;
}

export interface SocketEvents {
  /** Belongs to the receiver. */
  message(message: string | Uint8Array): void;
  drained(): void;
  /** Once, and last. 1006: the client went away without a word. */
  closed(code: number, reason: string): void;
}

export interface Upgrade {
  /**
   * Answers 101: the exchange is `streaming` until the socket has closed. A longer message closes it with 1009. null
   * when the client has gone.
   */
  accept(headers: HeaderList, messageBytesMax: number, events: SocketEvents): Socket | null;
}

/** Whom a client has proved to be, with TLS. */
export interface ClientCertificate {
  /** As CN=a,O=b. */
  readonly subject: string;
  readonly commonName: string;
  /** As DNS:a.example, URI:spiffe://b/c, email:d@e.example, IP:10.0.0.1. */
  readonly names: readonly string[];
  /** SHA-256 of the certificate, in hex. */
  readonly fingerprint: string;
}

export interface Exchange {
  /** Upper-case as received. */
  readonly method: string;
  /** Origin-form: path and query, as received; begins with "/". */
  readonly url: string;
  /** Path of `url`, without the query. */
  readonly path: string;
  /** Lower-case, without port and trailing dot; "" when the client sent none (HTTP/1.0). */
  readonly host: string;
  /** Host header as received, for building the absolute address. */
  readonly authority: string;
  readonly scheme: "http" | "https";
  /** Names in lower case, order kept. */
  readonly headers: HeaderList;
  /** Sent with every reply as x-request-id; one that a header list holds is left out. */
  readonly requestId: string;
  /** Takes another in its place, before anything was sent; letters, digits and -._~:+/=@. Where there is a client. */
  adoptRequestId?(id: string): void;
  /** The export of the handler's module that is asked, by another endpoint; absent: the default one. */
  readonly entrypoint?: string;
  /** Of the connection: HTTP's version, a space, TLS's or nothing. Not there where the listener cannot tell. */
  readonly protocol?: string | undefined;
  /** Of the connection, verified; null for none. Not there where no listener can tell. */
  clientCertificate?(): ClientCertificate | null;
  /** Peer's address as text. */
  remoteAddress(): string;
  /** First value of a header, by lower-case name. */
  header(name: string): string | undefined;

  readonly hasBody: boolean;
  /** The whole body, if all of it has arrived already and nobody began to read; else null. Takes it. */
  takeWholeBody(): Uint8Array | null;
  /** Begins to read; at most once, and not after takeWholeBody gave the body. Chunks may come at once. */
  readBody(sink: BodySink): void;
  /** Fields behind the body, when that has ended. Absent: the listener drops them. */
  readonly bodyTrailers?: HeaderList | undefined;
  /** Backpressure towards the client. Nothing is lost while paused; both may be called again and again. */
  pauseBody(): void;
  resumeBody(): void;
  /** Counts the body against this many bytes instead of the node's default. Call before reading. */
  limitBody(bytesMax: number): void;

  /** Not null when the client asks for a WebSocket; it may be answered as any other request instead. */
  readonly upgrade: Upgrade | null;

  /** The whole reply. A HEAD request's and a 204's or 304's body is left out by the listener. */
  reply(status: number, headers: HeaderList, body: string | Uint8Array | null): void;
  /** Head of a streamed reply. */
  begin(status: number, headers: HeaderList): void;
  /** The client wants fields behind a streamed reply's body, and can be sent some. Absent: not. */
  readonly takesTrailers?: boolean;
  /**
   * False: the socket is full; wait for `drained` before the next. The chunk was taken in any case, and is given away:
   * its memory may be gone when this returns.
   */
  write(chunk: Uint8Array): boolean;
  onDrained(listener: () => void): void;
  /** `trailers`: fields behind the body, for a client that takes them. */
  finish(trailers?: HeaderList): void;
  /** Ends a reply that has begun and cannot be completed: the client must see that it is broken. */
  reset(): void;

  readonly state: "open" | "streaming" | "done" | "gone";
  /** Status that was sent, 0 before. */
  readonly status: number;
  readonly bytesOut: number;
  /** Fires once when the client goes away before the reply is complete. One listener; set it at once. */
  onGone(listener: () => void): void;
  /** Fires once when the reply is complete or the client is gone: for the access log and in-flight counts. */
  onDone(listener: () => void): void;
}

export type ExchangeHandler = (exchange: Exchange) => void;

export interface Listener {
  readonly port: number;
  /**
   * Stops accepting. Resolves when every open exchange is done and connections without one were kept so long for what
   * is on its way to them (0 when absent), or cuts what is left after the timeout; then closes all sockets.
   */
  drain(timeoutMs: number, lingerMs?: number): Promise<void>;
}

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  readonly handler: ExchangeHandler;
  readonly bodyBytesMax: number;
  readonly headerBytesMax: number;
  /** Of a WebSocket's message, whatever its endpoint allows. */
  readonly socketBytesMax: number;
  /** Whether connections from an address begin with a PROXY header; of those of the node listener. */
  readonly isProxy?: (address: string) => boolean;
  /** Every connection begins with TLS. */
  readonly tls?: FrontTls;
}

export interface HttpListener extends Listener {
  /** Connections from now on meet these certificates; those there are go on. Only of one that speaks TLS. */
  renew(tls: FrontTls): void;
}

export type Listen = (options: ListenOptions) => Promise<HttpListener>;

/** Of shorter bytes the collector gets rid as quickly. */
export const RELEASED_BYTES_MIN = 16_384;

/**
 * Gives back the memory of bytes at once: V8 lets 64 MB of such garbage lie before it collects, and a process would
 * grow by that for every long body. For whoever owns them and has used them up. Parts of larger buffers are left alone.
 */
export function release({ buffer, byteLength }: Uint8Array): void {
  if (byteLength < RELEASED_BYTES_MIN || byteLength !== buffer.byteLength) return;
  if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
}
