// The other listener, over node:http: the strictest parser, HTTP/1.0, absolute-form and ordered pipelining.
// Slower than uws. The guards run here too, so that both refuse the same requests.

import { randomBytes } from "node:crypto";
import { createServer, ServerResponse, STATUS_CODES } from "node:http";
import type { IncomingMessage, Server, ServerOptions } from "node:http";
import { createServer as createSecureServer, Server as SecureServer } from "node:https";
import type { ServerHttp2Stream } from "node:http2";
import { Server as NetServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { Code } from "../../sdk/errors.ts";
import type { HeaderList, HttpListener, Listen, ListenOptions } from "../../sdk/exchange.ts";
import {
  asciiTarget,
  asksToClose,
  bodyLength,
  decoded,
  hostOf,
  joined,
  refuseHead,
} from "./guards.ts";
import type { Framing, Refusal } from "./guards.ts";
import { Hub, type RequestHead } from "./hub.ts";
import { refuseHandshake } from "./sockets/handshake.ts";
import { NodeExchange } from "./node-exchange.ts";
import { NodeSockets } from "./sockets/node-socket.ts";
import { problem } from "./problem.ts";
import { nextRequestId } from "./request-id.ts";
import type { FrontTls } from "../../sdk/gateway/config.ts";
import { listenFault } from "../../sdk/serve.ts";
import { Http2Sessions } from "./h2/h2-sessions.ts";
import { Http2Wire, streamHead } from "./h2/h2-wire.ts";
import { Http1Wire } from "./h2/wire.ts";
import { NodeTls } from "./tls/node-tls.ts";

/** As long as uWS keeps an idle connection, so that clients meet the same. */
const KEEP_ALIVE_MS = 10_000;

const TICKET_KEY_BYTES = 48;

const HEADERS_TOO_LARGE: Refusal = {
  code: "HEADERS_TOO_LARGE",
  detail: "The headers are larger than the limit.",
};

export const listenNode: Listen = async (options: ListenOptions): Promise<HttpListener> => {
  const listener = new NodeListener(options);
  await listener.listen();
  return listener;
};

class NodeListener implements HttpListener {
  readonly #hub: Hub;
  readonly #sockets: NodeSockets;
  readonly #options: ListenOptions;
  readonly #server: Server | SecureServer;
  readonly #tls: NodeTls | null;
  readonly #http2: Http2Sessions;
  /** Connections that end after a refusal. What comes behind it may be a request hidden in an ambiguous one. */
  readonly #refused = new WeakSet<Duplex>();
  #port = 0;
  #drain: Promise<void> | null = null;

  constructor(options: ListenOptions) {
    this.#hub = new Hub(options);
    this.#options = options;
    this.#sockets = new NodeSockets(options.socketBytesMax);
    const http: ServerOptions = {
      insecureHTTPParser: false,
      maxHeaderSize: options.headerBytesMax,
      // The guards say it as problem+json.
      requireHostHeader: false,
      keepAliveTimeout: KEEP_ALIVE_MS,
      noDelay: true,
    };
    this.#tls = options.tls === undefined ? null : new NodeTls(options.tls);
    this.#server =
      this.#tls === null
        ? createServer(http)
        : createSecureServer({ ...http, ...this.#tls.options() });
    const { headerBytesMax } = options;
    const stream = this.#acceptStream.bind(this);
    this.#http2 = new Http2Sessions({ headerBytesMax, stream });
    if (this.#tls !== null) this.#shareConnections();
    this.#server.on("request", (req, res) => this.#accept(req, res));
    // Any expectation but 100-continue may be ignored (RFC 9110 section 10.1.1), as uWS does.
    this.#server.on("checkExpectation", (req, res) => this.#accept(req, res));
    this.#server.on("upgrade", (req: IncomingMessage, socket: Duplex, first: Buffer) => {
      this.#acceptUpgrade(req, socket, first);
    });
    this.#server.on("clientError", refuseUnparsed);
    this.#hub.proxied?.guard(this.#server);
    this.#server.on("connect", (_req, socket) => {
      refuseSocket(socket, "BAD_REQUEST", "CONNECT is not taken here.");
    });
  }

  get port(): number {
    return this.#port;
  }

  listen(): Promise<void> {
    const { host, port } = this.#options;
    const server = this.#server;
    return new Promise((resolve, reject) => {
      server.once("error", (cause) => reject(listenFault(cause, { host, port })));
      server.listen({ host, port, reusePort: true }, () => {
        this.#port = (server.address() as AddressInfo).port;
        resolve();
      });
    });
  }

  renew(tls: FrontTls): void {
    const fallback = this.#tls?.renew(tls);
    if (fallback === undefined || !(this.#server instanceof SecureServer)) return;
    this.#server.setSecureContext(fallback);
    // A session that is resumed is not verified again: whom former authorities vouched for begins anew.
    this.#server.setTicketKeys(randomBytes(TICKET_KEY_BYTES));
    this.#hub.hsts = tls.hsts;
  }

  drain(timeoutMs: number, lingerMs = 0): Promise<void> {
    this.#drain ??= this.#drainOnce(timeoutMs, lingerMs);
    return this.#drain;
  }

  async #drainOnce(timeoutMs: number, lingerMs: number): Promise<void> {
    this.#sockets.closeAll();
    this.#http2.drain();
    // That of node:http would close connections without a request too.
    const stopAccepting = (): void => void NetServer.prototype.close.call(this.#server);
    await this.#hub.drain({ timeoutMs, lingerMs, stopAccepting });
    this.#http2.end();
    this.#hub.proxied?.close();
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** With an upgrade node:http gives no response to answer with, and reads nothing further from the socket. */
  #acceptUpgrade(req: IncomingMessage, socket: Duplex, first: Buffer): void {
    const res = new ServerResponse(req);
    // It answers this one request; what would follow on the connection is nobody's.
    res.shouldKeepAlive = false;
    res.assignSocket(socket as Socket);
    res.on("finish", () => socket.end());
    this.#accept(req, res, first);
  }

  /** By what TLS has agreed on: to HTTP/2, or to node:https as if nobody stood between. */
  #shareConnections(): void {
    const https = this.#server.listeners("secureConnection");
    this.#server.removeAllListeners("secureConnection");
    this.#server.on("secureConnection", (socket: TLSSocket) => {
      if (socket.alpnProtocol === "h2") this.#http2.take(socket);
      else for (const accept of https) accept.call(this.#server, socket);
    });
  }

  #acceptStream(stream: ServerHttp2Stream, raw: readonly string[], socket: Socket | null): void {
    const { method, url: target, headers, framing, waits } = streamHead(raw);
    const url = asciiTarget(target);
    const refusal =
      headers.length > this.#options.headerBytesMax
        ? HEADERS_TOO_LARGE
        : refuseHead(method, url, headers, framing);
    const length = stream.endAfterHeaders
      ? 0
      : framing.contentLength === null
        ? -1
        : bodyLength(framing);
    const exchange = new NodeExchange(this.#hub, new Http2Wire(stream, socket), {
      ...addressOf(url, framing, refusal),
      method,
      headers,
      length: refusal === null ? length : 0,
      closes: false,
    });
    if (refusal !== null) exchange.refuse(refusal.code, refusal.detail);
    else {
      if (waits) stream.additionalHeaders({ ":status": 100 });
      exchange.dispatch(this.#options.handler);
    }
  }

  #accept(req: IncomingMessage, res: ServerResponse, first: Buffer | null = null): void {
    if (this.#refused.has(req.socket)) return;
    const framing: Framing = {
      host: null,
      contentLength: null,
      transferEncoding: null,
      connection: null,
    };
    const headers = packHeaders(req.rawHeaders, framing);
    const method = req.method ?? "";
    const url = originForm(req.url ?? "", framing);
    // HTTP/1.0 knows no Host header; it may still send one, and then it counts.
    const refusal =
      framing.host === null && req.httpVersion === "1.0"
        ? refuseHead(method, url, headers, { ...framing, host: "localhost" })
        : refuseHead(method, url, headers, framing);
    const exchange = new NodeExchange(this.#hub, new Http1Wire(req, res), {
      ...addressOf(url, framing, refusal),
      method,
      headers,
      length: refusal === null ? bodyLength(framing) : 0,
      closes: refusal !== null || asksToClose(framing.connection),
    });
    if (first !== null && refuseHandshake(exchange) === null) {
      exchange.upgrade = this.#sockets.upgradeOf(exchange, { req, res, first });
    }
    if (refusal === null) exchange.dispatch(this.#options.handler);
    else {
      this.#refused.add(req.socket);
      exchange.refuse(refusal.code, refusal.detail);
    }
  }
}

function addressOf(
  url: string,
  framing: Framing,
  refusal: object | null,
): Pick<RequestHead, "url" | "path" | "host" | "authority"> {
  const query = url.indexOf("?");
  const authority = framing.host ?? "";
  const path = query < 0 ? url : url.slice(0, query);
  return { url, path, host: refusal === null ? (hostOf(authority) ?? "") : "", authority };
}

function packHeaders(raw: readonly string[], framing: Framing): HeaderList {
  let list = "";
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? "").toLowerCase();
    const value = decoded(raw[i + 1] ?? "");
    list += `${name}\n${value}\n`;
    if (name === "host") framing.host = joined(framing.host, value);
    else if (name === "connection") framing.connection = joined(framing.connection, value);
    else if (name === "content-length")
      framing.contentLength = joined(framing.contentLength, value);
    else if (name === "transfer-encoding") {
      framing.transferEncoding = joined(framing.transferEncoding, value);
    }
  }
  return list;
}

/** Absolute-form carries its own host, which beats the Host header (RFC 9112 section 3.2.2). */
function originForm(target: string, framing: Framing): string {
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/is.exec(target);
  if (absolute === null) return asciiTarget(decoded(target));
  framing.host = absolute[1] ?? "";
  const rest = absolute[2] ?? "";
  return asciiTarget(decoded(rest.startsWith("/") ? rest : `/${rest}`));
}

/** What node's parser itself refused: there is no request, only a socket. */
function refuseUnparsed(error: NodeJS.ErrnoException, socket: Duplex): void {
  // A reply is under way on it, or the client is gone: nothing can be said any more.
  if (!socket.writable || ("_httpMessage" in socket && socket._httpMessage !== null)) {
    socket.destroy();
  } else if (error.code === "HPE_HEADER_OVERFLOW") {
    refuseSocket(socket, "HEADERS_TOO_LARGE", "The headers are larger than the limit.");
  } else if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") {
    refuseSocket(socket, "REQUEST_TIMEOUT", "The request did not arrive in time.");
  } else {
    refuseSocket(socket, "BAD_REQUEST", "The request could not be read.");
  }
}

function refuseSocket(socket: Duplex, code: Code, detail: string): void {
  const requestId = nextRequestId();
  const answer = problem(code, { requestId, detail });
  const fields = answer.headers.replace(/^(.*)\n(.*)\n/gm, "$1: $2\r\n");
  socket.end(
    `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status]}\r\n${fields}x-request-id: ${requestId}\r\n` +
      `Content-Length: ${Buffer.byteLength(answer.body)}\r\nConnection: close\r\n\r\n${answer.body}`,
  );
}
