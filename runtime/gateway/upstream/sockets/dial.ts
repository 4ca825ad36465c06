// The handshake with a server of an upstream, by the package ws, told like any other request to who tries it: when it
// goes out, how it is refused, or that it has become a socket. Frames, masks, UTF-8 and close codes are checked there.
//
// No extension is offered: what is compressed by one side would have to be unpacked here for the other anyway.

import type { ClientRequest, IncomingMessage } from "node:http";
import { connect } from "node:net";
import { WebSocket, type ClientOptions } from "ws";
import { EdgeError } from "../../../../sdk/errors.ts";
import type { SocketEvents } from "../../../../sdk/exchange.ts";
import { HEADER_BYTES_MAX, PROXIED_MESSAGE_BYTES_MAX } from "../../../../sdk/limits.ts";
import type { TlsConfig } from "../../../../sdk/gateway/config.ts";
import type { Dispatcher } from "../connections.ts";
import { RemoteSocket } from "./remote-socket.ts";

export interface DialTarget {
  /** "http://HOST:PORT" or "https://HOST:PORT". */
  readonly origin: string;
  /** null: TCP. */
  readonly socketPath: string | null;
  readonly tls: TlsConfig;
}

export interface DialOptions {
  readonly path: string;
  /** Names and values in turns; without those of the handshake. */
  readonly headers: readonly string[];
  readonly protocols: readonly string[];
  /** After which ws gives up by itself, should nobody have said so before. */
  readonly giveUpMs: number;
}

export interface DialHandler extends Dispatcher.DispatchHandler {
  onUpgraded(raw: readonly string[], open: (events: SocketEvents) => RemoteSocket): void;
}

/** Throws for a list of protocols that is none. */
export function dial(target: DialTarget, options: DialOptions, handler: DialHandler): void {
  const { origin, socketPath, tls } = target;
  const controller = new DialController();
  const client: ClientOptions & { maxHeaderSize: number } = {
    headers: joined(options.headers),
    perMessageDeflate: false,
    maxPayload: PROXIED_MESSAGE_BYTES_MAX,
    maxHeaderSize: HEADER_BYTES_MAX,
    handshakeTimeout: options.giveUpMs,
    // Said here because the environment can turn the default off.
    rejectUnauthorized: tls.verify,
    ...(socketPath !== null && { createConnection: () => connect(socketPath) }),
    ...(tls.ca !== "" && { ca: tls.ca }),
    ...(tls.cert !== "" && { cert: tls.cert, key: tls.key }),
    ...(tls.serverName !== "" && { servername: tls.serverName }),
    finishRequest: (request) => {
      // As it came: ws parses an address, and writes some of it otherwise.
      request.path = options.path;
      whenConnected(request, () => handler.onRequestStart?.(controller, undefined));
      request.end();
    },
  };
  const ws = new WebSocket(origin, [...options.protocols], client);
  controller.ws = ws;
  let raw: readonly string[] = [];
  let isTold = false;
  const failed = (error: Error): void => {
    if (isTold) return;
    isTold = true;
    handler.onResponseError?.(controller, error);
  };
  ws.on("upgrade", (response) => {
    raw = response.rawHeaders;
  });
  ws.on("open", () => {
    isTold = true;
    handler.onUpgraded(raw, (events) => new RemoteSocket(ws, events));
  });
  ws.on("unexpected-response", (_request, response) => {
    isTold = true;
    refused(response, controller, handler);
  });
  ws.on("error", failed);
  ws.on("close", () => failed(lost("the connection was closed")));
}

function lost(reason: string): EdgeError {
  return new EdgeError("UPSTREAM_FAILED", reason);
}

function whenConnected(request: ClientRequest, then: () => void): void {
  request.once("socket", (socket) => {
    socket.once("encrypted" in socket ? "secureConnect" : "connect", then);
  });
}

/** The server has answered with something else: the client's, as any other reply. */
function refused(
  response: IncomingMessage,
  controller: DialController,
  handler: DialHandler,
): void {
  controller.response = response;
  controller.rawHeaders = response.rawHeaders;
  let isOver = false;
  const over = (tell: () => void): void => {
    if (isOver) return;
    isOver = true;
    tell();
  };
  response.on("data", (chunk: Buffer) => handler.onResponseData?.(controller, chunk));
  response.on("end", () => over(() => handler.onResponseEnd?.(controller, {})));
  response.on("error", (error) => over(() => handler.onResponseError?.(controller, error)));
  response.on("close", () => {
    over(() => handler.onResponseError?.(controller, lost("the reply broke off")));
  });
  handler.onResponseStart?.(controller, response.statusCode ?? 0, {}, response.statusMessage);
}

/** Several of a name as one, which is the same to who reads them (RFC 9110, section 5.2; RFC 6265 for cookies). */
function joined(fields: readonly string[]): Record<string, string> {
  const headers = Object.create(null) as Record<string, string>;
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const value = fields[at + 1] ?? "";
    const name = fields[at] ?? "";
    const before = headers[name];
    const comma = name === "cookie" ? "; " : ", ";
    headers[name] = before === undefined ? value : before + comma + value;
  }
  return headers;
}

class DialController implements Dispatcher.DispatchController {
  ws: WebSocket | null = null;
  response: IncomingMessage | null = null;
  rawHeaders: string[] = [];
  aborted = false;
  reason: Error | null = null;

  get paused(): boolean {
    return this.response?.isPaused() === true;
  }

  abort(reason: Error): void {
    this.aborted = true;
    this.reason = reason;
    this.response?.destroy();
    this.ws?.terminate();
  }

  pause(): void {
    this.response?.pause();
  }

  resume(): void {
    this.response?.resume();
  }
}
