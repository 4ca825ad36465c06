// The default listener, over uWebSockets.js. What stands here: accepting, reading and checking a request's
// head, and going out of service. The exchange itself is uws-exchange.ts.
//
// What uWS decides below us and nobody above can change: HTTP/1.0, absolute-form, asterisk-form and trailers
// are answered 505, its own 400 and 431 are HTML without a request id, a second request pipelined behind one
// whose reply is not out yet closes the connection without an answer to either (they are never mixed up),
// header values lose bytes beyond ASCII at their end, and fields that follow one with an empty name are seen
// by nobody, neither uWS nor us. While an upload is held up, a client that goes away is not noticed.
// The node listener has none of these.

import { EdgeError } from "../../sdk/errors.ts";
import type { Listen, ListenOptions, Listener } from "../../sdk/exchange.ts";
import { asciiTarget, asksToClose, bodyLength, hostOf, joined, refuseHead } from "./guards.ts";
import type { Framing } from "./guards.ts";
import { Hub } from "./hub.ts";
import { probePort } from "./port.ts";
import { UwsExchange } from "./uws-exchange.ts";
import { refuseHandshake } from "./sockets/handshake.ts";
import { readHandshake, UwsSockets, type Handshake } from "./sockets/uws-socket.ts";
import { loadUws } from "./uws.ts";
import type { UwsApp, UwsListenSocket, UwsRequest, UwsResponse } from "./uws.ts";

/** The head being read. One for the process: reading is synchronous, and the callback allocates nothing. */
const framing: Framing = {
  host: null,
  contentLength: null,
  transferEncoding: null,
  connection: null,
};
let packed = "";

function collect(name: string, value: string): void {
  packed += `${name}\n${value}\n`;
  switch (name.length) {
    case 4:
      if (name === "host") framing.host = joined(framing.host, value);
      break;
    case 10:
      if (name === "connection") framing.connection = joined(framing.connection, value);
      break;
    case 14:
      if (name === "content-length") framing.contentLength = joined(framing.contentLength, value);
      break;
    case 17:
      if (name === "transfer-encoding") {
        framing.transferEncoding = joined(framing.transferEncoding, value);
      }
      break;
  }
}

export const listenUws: Listen = async (options: ListenOptions): Promise<Listener> => {
  const uws = loadUws();
  // Given port 0, uWS sets neither SO_REUSEPORT nor SO_REUSEADDR: nobody could share the port it gets.
  const { host } = options;
  const port = options.port === 0 ? await probePort({ host, port: 0 }) : options.port;
  const listener = new UwsListener({ ...options, port }, uws.App(), uws.us_listen_socket_close);
  await listener.listen(uws.us_socket_local_port);
  return listener;
};

class UwsListener implements Listener {
  readonly #hub: Hub;
  readonly #sockets = new UwsSockets();
  readonly #options: ListenOptions;
  readonly #app: UwsApp;
  readonly #closeSocket: (socket: UwsListenSocket) => void;
  #socket: UwsListenSocket | null = null;
  #port = 0;
  #drain: Promise<void> | null = null;
  /** Requests whose body may come in this very tick; handed on at its end at the latest. */
  #waiting: UwsExchange[] = [];

  readonly #dispatchWaiting = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const exchange of waiting) exchange.dispatchOnce(this.#options.handler);
  };

  constructor(options: ListenOptions, app: UwsApp, closeSocket: (socket: UwsListenSocket) => void) {
    this.#hub = new Hub(options.bodyBytesMax);
    this.#options = options;
    this.#app = app;
    this.#closeSocket = closeSocket;
    const { socketBytesMax } = options;
    const behavior = this.#sockets.behavior((res, req, context) => {
      this.#accept(res, req, readHandshake(req, context));
    }, socketBytesMax);
    app.ws("/*", behavior);
    app.any("/*", (res, req) => this.#accept(res, req, null));
  }

  get port(): number {
    return this.#port;
  }

  listen(localPort: (socket: UwsListenSocket) => number): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#app.listen(host, port, (socket) => {
        if (socket === false) {
          const message = `Cannot listen on ${host}, port ${port}.`;
          reject(new EdgeError("PORT_IN_USE", message, { detail: { host, port } }));
          return;
        }
        this.#socket = socket;
        this.#port = localPort(socket);
        resolve();
      });
    });
  }

  stopAccepting(): void {
    if (this.#socket !== null) this.#closeSocket(this.#socket);
    this.#socket = null;
  }

  drain(timeoutMs: number): Promise<void> {
    this.#drain ??= this.#drainOnce(timeoutMs);
    return this.#drain;
  }

  async #drainOnce(timeoutMs: number): Promise<void> {
    this.stopAccepting();
    this.#sockets.closeAll();
    await this.#hub.drain(timeoutMs);
    // The last reply is corked until its callback is over: let it out before the sockets are closed.
    await new Promise((resolve) => setImmediate(resolve));
    this.#app.close();
  }

  #accept(res: UwsResponse, req: UwsRequest, handshake: Handshake | null): void {
    framing.host = framing.contentLength = framing.transferEncoding = framing.connection = null;
    packed = "";
    req.forEach(collect);
    const method = req.getCaseSensitiveMethod();
    const path = asciiTarget(req.getUrl());
    const query = req.getQuery();
    const url = query === undefined ? path : `${path}?${asciiTarget(query)}`;
    const refusal = refuseHead(method, url, packed, framing);
    const authority = framing.host ?? "";
    const exchange = new UwsExchange(this.#hub, res, {
      method,
      url,
      path,
      host: refusal === null ? (hostOf(authority) ?? "") : "",
      authority,
      headers: packed,
      length: refusal === null ? bodyLength(framing) : 0,
      closes: refusal !== null || asksToClose(framing.connection),
    });
    if (handshake !== null && refuseHandshake(exchange) === null) {
      exchange.upgrade = this.#sockets.upgradeOf(exchange, res, handshake);
    }
    if (refusal !== null) {
      // Not at once: uWS would go on with the bytes behind this head, where another request may hide. While a reply
      // is owed it closes the connection instead.
      exchange.watchAbort();
      setImmediate(() => exchange.refuse(refusal.code, refusal.detail));
    } else if (!exchange.hasBody) {
      exchange.dispatch(this.#options.handler);
    } else {
      this.#acceptBody(exchange, res);
    }
  }

  /**
   * Most bodies arrive with their heads, and uWS hands them over right after this callback. So the handler is
   * called with the last chunk, when the body can be had whole, or at the end of the tick.
   */
  #acceptBody(exchange: UwsExchange, res: UwsResponse): void {
    exchange.watchAbort();
    res.onData((chunk, last) => {
      exchange.receive(chunk, last);
      if (last) exchange.dispatchOnce(this.#options.handler);
    });
    this.#waiting.push(exchange);
    if (this.#waiting.length === 1) setImmediate(this.#dispatchWaiting);
  }
}
