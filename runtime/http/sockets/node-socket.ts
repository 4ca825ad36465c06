// WebSockets on the node listener, by the package ws.

import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket as TcpSocket } from "node:net";
import { WebSocketServer, type RawData, type WebSocket } from "ws";
import type { HeaderList, Socket, SocketEvents, Upgrade } from "../../../sdk/exchange.ts";
import { SOCKET_IDLE_SECONDS } from "../../../sdk/limits.ts";
import { headerOf, withoutHeaders } from "../../../sdk/gateway/header-list.ts";
import type { NodeExchange } from "../node-exchange.ts";
import { replyFields } from "../reply-head.ts";

const PROTOCOL = "sec-websocket-protocol";
const PROTOCOL_FIELD: ReadonlySet<string> = new Set([PROTOCOL]);
const GOING_AWAY = 1_001;
const TOO_BIG = 1_009;
const NO_STATUS = 1_005;
/** A client that has not answered the ping of one look is gone at the next. */
const LOOK_MS: number = (SOCKET_IDLE_SECONDS * 1_000) / 2;

export interface Handshake {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** What came behind the head. */
  readonly first: Buffer;
}

/** The sockets of one listener. */
export class NodeSockets {
  readonly #server: WebSocketServer;
  readonly #open = new Set<NodeSocket>();

  constructor(messageBytesMax: number) {
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: messageBytesMax,
      perMessageDeflate: false,
    });
  }

  upgradeOf(exchange: NodeExchange, handshake: Handshake): Upgrade {
    return {
      accept: (headers, messageBytesMax, events) => {
        if (exchange.state !== "open") return null;
        exchange.becomeSocket();
        const ws = this.#switchProtocols(exchange, headers, handshake);
        const socket = new NodeSocket(ws, messageBytesMax, events);
        this.#open.add(socket);
        ws.on("close", (code, reason) => {
          this.#open.delete(socket);
          socket.ended(code, reason.toString());
          exchange.socketEnded();
        });
        return socket;
      },
    };
  }

  /** The node goes out of service. */
  closeAll(): void {
    for (const socket of this.#open) socket.close(GOING_AWAY, "The node is going out of service.");
  }

  #switchProtocols(
    exchange: NodeExchange,
    headers: HeaderList,
    { req, res, first }: Handshake,
  ): WebSocket {
    const { socket } = req;
    res.detachSocket(socket);
    const chosen = headerOf(headers, PROTOCOL);
    const { fields } = replyFields(withoutHeaders(headers, PROTOCOL_FIELD));
    fields.push("x-request-id", exchange.requestId);
    if (chosen !== undefined) fields.push(PROTOCOL, chosen);
    // The package picks a protocol by itself, and knows no header of ours but by this event.
    delete req.headers[PROTOCOL];
    this.#server.once("headers", (lines: string[]) => {
      for (let at = 0; at + 1 < fields.length; at += 2)
        lines.push(`${fields[at]}: ${fields[at + 1]}`);
    });
    return open(this.#server, req, socket, first);
  }
}

/** ws calls back before it returns, the handshake having been checked. */
function open(
  server: WebSocketServer,
  req: IncomingMessage,
  socket: TcpSocket,
  first: Buffer,
): WebSocket {
  const opened: WebSocket[] = [];
  server.handleUpgrade(req, socket, first, (ws) => opened.push(ws));
  const [ws] = opened;
  assert(ws !== undefined, "a handshake that was checked is refused");
  return ws;
}

class NodeSocket implements Socket {
  readonly #ws: WebSocket;
  readonly #events: SocketEvents;
  readonly #looks: NodeJS.Timeout;
  #answered = true;

  constructor(ws: WebSocket, messageBytesMax: number, events: SocketEvents) {
    this.#ws = ws;
    this.#events = events;
    ws.on("message", (data: RawData, isBinary: boolean) => {
      const bytes = data as Buffer;
      if (bytes.byteLength > messageBytesMax) {
        this.close(TOO_BIG, `A message may have ${messageBytesMax} bytes.`);
      } else {
        events.message(isBinary ? new Uint8Array(bytes) : bytes.toString());
      }
    });
    ws.on("pong", () => {
      this.#answered = true;
    });
    // Said again by close.
    ws.on("error", () => undefined);
    this.#looks = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  send(message: string | Uint8Array): boolean {
    const ws = this.#ws;
    if (ws.readyState !== ws.OPEN) return true;
    ws.send(message, { binary: typeof message !== "string" }, () => {
      if (ws.bufferedAmount === 0) this.#events.drained();
    });
    return ws.bufferedAmount === 0;
  }

  close(code: number, reason: string): void {
    if (code === NO_STATUS) this.#ws.close();
    else this.#ws.close(code, reason);
    // Its answer lies behind what was not read.
    this.#ws.resume();
  }

  pause(): void {
    this.#ws.pause();
  }

  resume(): void {
    this.#ws.resume();
  }

  ended(code: number, reason: string): void {
    clearInterval(this.#looks);
    this.#events.closed(code, reason);
  }

  #look(): void {
    // Its answer lies among what is not read.
    if (this.#ws.isPaused) return;
    if (!this.#answered) return this.#ws.terminate();
    this.#answered = false;
    this.#ws.ping();
  }
}
