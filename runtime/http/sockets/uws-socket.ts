// WebSockets on uWS. It checks frames and UTF-8, answers pings, sends its own, and closes what is idle for two minutes.
//
// uWS reads on whatever we do, so a client that sends faster than its handler takes is only bounded by what the
// handler's end makes of it (runtime/isolate/sockets/). It loses the first frame of a client that sends it along with
// its handshake; the node listener does not.

import type { HeaderList, Socket, SocketEvents, Upgrade } from "../../../sdk/exchange.ts";
import { SOCKET_BACKLOG_BYTES_MAX, SOCKET_IDLE_SECONDS } from "../../../sdk/limits.ts";
import { headerOf, withoutHeaders } from "../../../sdk/gateway/header-list.ts";
import type { UwsExchange } from "../uws-exchange.ts";
import { writeHead } from "../uws-head.ts";
import { ForeignCork } from "../uws/foreign-cork.ts";
import type {
  Uws,
  UwsBehavior,
  UwsContext,
  UwsRequest,
  UwsResponse,
  UwsWebSocket,
} from "../uws.ts";

const PROTOCOL = "sec-websocket-protocol";
const PROTOCOL_FIELD: ReadonlySet<string> = new Set([PROTOCOL]);
const GOING_AWAY = 1_001;
const TOO_BIG = 1_009;
const NO_STATUS = 1_005;
const ABNORMAL = 1_006;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** What of a handshake has to be kept for `upgrade`. */
export interface Handshake {
  readonly key: string;
  readonly extensions: string;
  readonly context: UwsContext;
}

export function readHandshake(req: UwsRequest, context: UwsContext): Handshake {
  return {
    key: req.getHeader("sec-websocket-key"),
    extensions: req.getHeader("sec-websocket-extensions"),
    context,
  };
}

/** uWS copies its fields to an object of its own. */
interface SocketData {
  readonly socket: UwsSocket;
}

/** The sockets of one listener. */
export class UwsSockets {
  readonly #open = new Set<UwsSocket>();
  readonly #cork: ForeignCork;

  constructor(uws: Uws) {
    this.#cork = new ForeignCork(uws);
  }

  /** `upgrade`: what the listener does with a request that asks for a WebSocket. */
  behavior(
    upgrade: (res: UwsResponse, req: UwsRequest, context: UwsContext) => void,
    messageBytesMax: number,
  ): UwsBehavior<SocketData> {
    return {
      maxPayloadLength: messageBytesMax,
      maxBackpressure: SOCKET_BACKLOG_BYTES_MAX,
      closeOnBackpressureLimit: true,
      idleTimeout: SOCKET_IDLE_SECONDS,
      sendPingsAutomatically: true,
      upgrade,
      open: (ws) => {
        const { socket } = ws.getUserData();
        socket.opened(ws);
        this.#open.add(socket);
      },
      message: (ws, message, isBinary) => ws.getUserData().socket.received(message, isBinary),
      drain: (ws) => ws.getUserData().socket.drained(),
      close: (ws, code, reason) => {
        const { socket } = ws.getUserData();
        this.#open.delete(socket);
        socket.ended(code, decoder.decode(reason));
      },
    };
  }

  upgradeOf(exchange: UwsExchange, res: UwsResponse, handshake: Handshake): Upgrade {
    return {
      accept: (headers, messageBytesMax, events) => {
        if (exchange.state !== "open") return null;
        const socket = new UwsSocket(exchange, events, messageBytesMax);
        exchange.becomeSocket((isLive) => {
          this.#cork.use((cork) => {
            if (isLive() && cork !== null) {
              switchProtocols(res, { cork, exchange, headers, handshake, socket });
            } else {
              if (isLive()) res.close();
              socket.ended(ABNORMAL, "");
            }
          });
        });
        return socket;
      },
    };
  }

  /** The node goes out of service. */
  closeAll(): void {
    for (const socket of this.#open) socket.close(GOING_AWAY, "The node is going out of service.");
  }

  /** All connections are closed. */
  dispose(): void {
    this.#cork.close();
  }
}

function switchProtocols(
  res: UwsResponse,
  {
    cork,
    exchange,
    headers,
    handshake,
    socket,
  }: {
    readonly cork: UwsResponse;
    readonly exchange: UwsExchange;
    readonly headers: HeaderList;
    readonly handshake: Handshake;
    readonly socket: UwsSocket;
  },
): void {
  const { key, extensions, context } = handshake;
  const protocol = headerOf(headers, PROTOCOL) ?? "";
  res.cork(() => {
    writeHead(res, 101, withoutHeaders(headers, PROTOCOL_FIELD), exchange.requestId);
  });
  cork.cork(() => res.upgrade<SocketData>({ socket }, key, protocol, extensions, context));
}

class UwsSocket implements Socket {
  readonly #exchange: UwsExchange;
  readonly #events: SocketEvents;
  readonly #messageBytesMax: number;
  /** Not before uWS has opened it, nor after its end: it may not be touched then. */
  #ws: UwsWebSocket<SocketData> | null = null;
  /** What is to be done when it is open; null from then on. */
  #waiting: (() => void)[] | null = [];
  /** Whoever waits for `drained` is about to be told. */
  #tells = false;

  constructor(exchange: UwsExchange, events: SocketEvents, messageBytesMax: number) {
    this.#exchange = exchange;
    this.#events = events;
    this.#messageBytesMax = messageBytesMax;
  }

  send(message: string | Uint8Array): boolean {
    const ws = this.#ws;
    if (this.#waiting !== null) {
      this.#waiting.push(() => this.send(message));
      return false;
    }
    if (ws === null) return true;
    ws.send(message, typeof message !== "string");
    // Sending may have closed it.
    return this.#ws === null || ws.getBufferedAmount() === 0;
  }

  close(code: number, reason: string): void {
    if (this.#waiting !== null) this.#waiting.push(() => this.close(code, reason));
    else if (code === NO_STATUS) this.#ws?.end();
    else this.#ws?.end(code, reason);
  }

  /** uWS cannot. */
  pause(): void {}

  resume(): void {}

  opened(ws: UwsWebSocket<SocketData>): void {
    this.#ws = ws;
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const act of waiting) act();
    if (waiting.length > 0) this.drained();
  }

  /** `message` is taken away when this returns. */
  received(message: ArrayBuffer, isBinary: boolean): void {
    if (message.byteLength > this.#messageBytesMax) {
      this.close(TOO_BIG, `A message may have ${this.#messageBytesMax} bytes.`);
    } else {
      this.#events.message(isBinary ? new Uint8Array(message.slice(0)) : decoder.decode(message));
    }
  }

  /**
   * Told in a turn of its own: when uWS's callback returns it waits no more for the client to take something, even if
   * a long message was sent within and only part of it has left.
   */
  drained(): void {
    if (this.#tells) return;
    this.#tells = true;
    setImmediate(() => {
      this.#tells = false;
      if (this.#ws?.getBufferedAmount() === 0) this.#events.drained();
    });
  }

  ended(code: number, reason: string): void {
    this.#ws = null;
    this.#waiting = null;
    // For this code uWS writes what it knows; the client has said nothing.
    this.#events.closed(code, code === ABNORMAL ? "" : reason);
    this.#exchange.socketEnded();
  }
}
