// The default listener, over uWebSockets.js. What stands here: accepting, reading and checking a request's
// head, and going out of service. The exchange itself is uws-exchange.ts.
//
// What uWS decides below us and nobody above can change: HTTP/1.0, absolute-form, asterisk-form and trailers
// are answered 505, its own 400 and 431 are HTML without a request id, a second request pipelined behind one
// whose reply is not out yet closes the connection without an answer to either (they are never mixed up),
// header values lose bytes beyond ASCII at both ends, and fields that follow one with an empty name are seen
// by nobody, neither uWS nor us. While an upload is held up, a client that goes away is not noticed.
// The node listener has none of these.

import { EdgeError } from "../../sdk/errors.ts";
import type { HttpListener, Listen, ListenOptions } from "../../sdk/exchange.ts";
import { asciiTarget, asksToClose, bodyLength, hostOf, joined, refuseHead } from "./guards.ts";
import type { Framing } from "./guards.ts";
import { Hub } from "./hub.ts";
import { probePort } from "./port.ts";
import type { FrontTls } from "../../sdk/gateway/config.ts";
import { createSecureApp } from "./tls/uws-tls.ts";
import { UwsExchange } from "./uws-exchange.ts";
import { refuseHandshake } from "./sockets/handshake.ts";
import { readHandshake, UwsSockets, type Handshake } from "./sockets/uws-socket.ts";
import { loadUws } from "./uws.ts";
import type { Uws, UwsApp, UwsListenSocket, UwsRequest, UwsResponse } from "./uws.ts";

/** The head being read. One for the process: reading is synchronous, and the callback allocates nothing. */
const framing: Framing = {
  host: null,
  contentLength: null,
  transferEncoding: null,
  connection: null,
};
let packed = "";
/** resume() polls for what the socket that was paused last had polled for, which is nothing before the first. */
let hasPaused = false;

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

export const listenUws: Listen = async (options: ListenOptions): Promise<HttpListener> => {
  const uws = loadUws();
  // Given port 0, uWS sets neither SO_REUSEPORT nor SO_REUSEADDR: nobody could share the port it gets.
  const { host } = options;
  const port = options.port === 0 ? await probePort({ host, port: 0 }) : options.port;
  return new UwsListener({ ...options, port }, uws);
};

/**
 * In one turn: what is answered at once (from a policy, or that there is nothing) can be asked for 20 000 times in one
 * read of a socket, which is a second of this thread and more. Beyond this replies end their connections, and uWS stops
 * reading: after an eighth of a second. As many connections as one poll tells of may have one request each.
 */
export const TURN_REQUESTS_MAX = 1_024;

/** An app and where it listens. One after the other as certificates change; each serves whom it has accepted. */
interface Front {
  readonly app: UwsApp;
  readonly socket: UwsListenSocket;
}

class UwsListener implements HttpListener {
  readonly #hub: Hub;
  readonly #sockets: UwsSockets;
  readonly #options: ListenOptions;
  readonly #uws: Uws;
  readonly port: number;
  /** Null: out of service. */
  #front: Front | null;
  /** Apps that have no socket any more but may have connections. */
  readonly #former: UwsApp[] = [];
  #drain: Promise<void> | null = null;
  /** Requests whose body may come in this very tick; handed on at its end at the latest. */
  #waiting: UwsExchange[] = [];

  /** In this turn. */
  #requests = 0;

  readonly #endTurn = (): void => {
    this.#requests = 0;
  };

  readonly #dispatchWaiting = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const exchange of waiting) exchange.dispatchOnce(this.#options.handler);
  };

  constructor(options: ListenOptions, uws: Uws) {
    this.#hub = new Hub(options);
    this.#options = options;
    this.#uws = uws;
    this.#sockets = new UwsSockets(uws);
    this.#front = this.#listen(options.tls);
    this.port = uws.us_socket_local_port(this.#front.socket);
  }

  /** The new one listens before the old one stops, so that nobody is refused. */
  renew(tls: FrontTls): void {
    const before = this.#front;
    if (before === null) return;
    this.#front = this.#listen(tls);
    this.#hub.hsts = tls.hsts;
    this.#uws.us_listen_socket_close(before.socket);
    this.#former.push(before.app);
  }

  #listen(tls: FrontTls | undefined): Front {
    const { host, port } = this.#options;
    const addRoutes = (app: UwsApp): void => this.#addRoutes(app);
    const app = tls === undefined ? this.#uws.App() : createSecureApp(this.#uws, tls, addRoutes);
    if (tls === undefined) addRoutes(app);
    let socket: UwsListenSocket | false = false;
    // Calls back before it returns.
    app.listen(host, port, (opened) => {
      socket = opened;
    });
    if (socket !== false) return { app, socket };
    const message = `Cannot listen on ${host}, port ${port}.`;
    throw new EdgeError("PORT_IN_USE", message, { detail: { host, port } });
  }

  #addRoutes(app: UwsApp): void {
    const { socketBytesMax } = this.#options;
    const behavior = this.#sockets.behavior((res, req, context) => {
      this.#accept(res, req, readHandshake(req, context));
    }, socketBytesMax);
    app.ws("/*", behavior);
    app.any("/*", (res, req) => this.#accept(res, req, null));
  }

  #stopAccepting(): void {
    if (this.#front === null) return;
    this.#uws.us_listen_socket_close(this.#front.socket);
    this.#former.push(this.#front.app);
    this.#front = null;
  }

  drain(timeoutMs: number, lingerMs = 0): Promise<void> {
    this.#drain ??= this.#drainOnce(timeoutMs, lingerMs);
    return this.#drain;
  }

  async #drainOnce(timeoutMs: number, lingerMs: number): Promise<void> {
    this.#sockets.closeAll();
    const stopAccepting = (): void => this.#stopAccepting();
    await this.#hub.drain({ timeoutMs, lingerMs, stopAccepting });
    // The last reply is corked until its callback is over: let it out before the sockets are closed.
    await new Promise((resolve) => setImmediate(resolve));
    for (const app of this.#former) app.close();
    this.#sockets.dispose();
  }

  #accept(res: UwsResponse, req: UwsRequest, handshake: Handshake | null): void {
    if (this.#requests++ === 0) setImmediate(this.#endTurn);
    framing.host = framing.contentLength = framing.transferEncoding = framing.connection = null;
    packed = "";
    req.forEach(collect);
    const method = req.getCaseSensitiveMethod();
    const path = asciiTarget(req.getUrl());
    const query = req.getQuery();
    const url = query === undefined ? path : `${path}?${asciiTarget(query)}`;
    const refusal = refuseHead(method, url, packed, framing);
    const authority = framing.host ?? "";
    const isTooMany = this.#requests > TURN_REQUESTS_MAX;
    const exchange = new UwsExchange(this.#hub, res, {
      method,
      url,
      path,
      host: refusal === null ? (hostOf(authority) ?? "") : "",
      authority,
      headers: packed,
      length: refusal === null ? bodyLength(framing) : 0,
      closes: refusal !== null || isTooMany || asksToClose(framing.connection),
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
    if (!hasPaused) {
      hasPaused = true;
      res.pause();
      res.resume();
    }
    res.onData((chunk, last) => {
      exchange.receive(chunk, last);
      if (last) exchange.dispatchOnce(this.#options.handler);
    });
    this.#waiting.push(exchange);
    if (this.#waiting.length === 1) setImmediate(this.#dispatchWaiting);
  }
}
