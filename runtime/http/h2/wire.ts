// How a request and its reply are on the wire of the node listener: the same exchange over HTTP/1 and HTTP/2.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";

export interface Wire {
  /** The request's body. */
  readonly body: Readable;
  /** The reply's. `finish`: handed to the system whole; `close`: nothing comes or goes any more. */
  readonly reply: Writable;
  /** Fields behind the request's body, as they came, when that has ended: names and values in turns. */
  readonly bodyTrailers: readonly string[];
  /** Before any of the body is read: fields may come behind it. */
  awaitTrailers(): void;
  /** As in a request's first line. */
  readonly version: string;
  /** The connection's; null when it is gone. */
  readonly socket: Socket | null;
  /** The client has broken off: what has come of the body is not all of it. */
  readonly broken: boolean;
  /** Names and values in turns. `closes`: the connection ends after this reply. `isAll`: no body follows. */
  head(status: number, fields: string[], closes: boolean, isAll: boolean): void;
  /** Before `head`: fields may come behind the body. */
  expectTrailers(): void;
  /** Names and values in turns, before the reply's end; over HTTP/1 they go with a body in chunks alone. */
  trailers(fields: readonly string[]): void;
  /** Sends what `head` was given, without waiting for the body. */
  flush(): void;
  /** After the reply's end. */
  finished(): void;
  /** Breaks off what has begun, so that the client sees it. */
  cut(): void;
}

export class Http1Wire implements Wire {
  readonly body: IncomingMessage;
  readonly reply: ServerResponse;

  constructor(req: IncomingMessage, res: ServerResponse) {
    this.body = req;
    this.reply = res;
  }

  get bodyTrailers(): readonly string[] {
    return this.body.rawTrailers;
  }

  awaitTrailers(): void {
    // node:http keeps them by itself.
  }

  get version(): string {
    return `HTTP/${this.body.httpVersion}`;
  }

  get socket(): Socket {
    return this.body.socket;
  }

  get broken(): boolean {
    return !this.body.complete;
  }

  head(status: number, fields: string[], closes: boolean): void {
    if (closes) fields.push("connection", "close");
    this.reply.writeHead(status, fields);
  }

  expectTrailers(): void {
    // Nothing says so in HTTP/1.
  }

  trailers(fields: readonly string[]): void {
    const pairs: [string, string][] = [];
    for (let at = 0; at + 1 < fields.length; at += 2) {
      pairs.push([fields[at] ?? "", fields[at + 1] ?? ""]);
    }
    this.reply.addTrailers(pairs);
  }

  flush(): void {
    this.reply.flushHeaders();
  }

  finished(): void {
    // node:http reads on until the next request by itself.
  }

  cut(): void {
    this.body.socket.destroy();
  }
}
