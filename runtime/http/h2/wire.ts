// How a request and its reply are on the wire of the node listener: the same exchange over HTTP/1 and HTTP/2.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";

export interface Wire {
  /** The request's body. */
  readonly body: Readable;
  /** The reply's. `finish`: handed to the system whole; `close`: nothing comes or goes any more. */
  readonly reply: Writable;
  /** The connection's; null when it is gone. */
  readonly socket: Socket | null;
  /** The client has broken off: what has come of the body is not all of it. */
  readonly broken: boolean;
  /** Names and values in turns. `closes`: the connection ends after this reply. */
  head(status: number, fields: string[], closes: boolean): void;
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
