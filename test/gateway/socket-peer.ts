// A server of an upstream that speaks WebSocket, and behaves as its path says.

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { WebSocketServer, type WebSocket } from "ws";

export interface Seen {
  readonly request: IncomingMessage;
  readonly socket: WebSocket;
  readonly closed: Promise<[number, string]>;
}

type Raw = (socket: Socket) => void;

/** Instead of a handshake. */
const RAW: Readonly<Record<string, Raw>> = {
  "/reset": (socket) => socket.resetAndDestroy(),
  "/hang": () => {},
  "/refuse": (socket) =>
    void socket.end("HTTP/1.1 403 Forbidden\r\nx-why: no\r\ncontent-length: 4\r\n\r\nno!\n"),
  "/busy": (socket) =>
    void socket.end("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"),
  "/wrong": (socket) =>
    void socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: x\r\n\r\n",
    ),
};

const OPEN: Readonly<Record<string, (ws: WebSocket, peer: SocketPeer, raw: Socket) => void>> = {
  "/echo": (ws) =>
    ws.on("message", (data: Buffer, isBinary) => ws.send(data, { binary: isBinary })),
  "/greet": (ws) => ws.send("first"),
  "/close": (ws) => ws.close(4001, "enough"),
  "/bare": (ws) => ws.close(),
  "/die": (ws) => ws.on("message", () => ws.terminate()),
  // A text message that is no UTF-8.
  "/garbled": (_ws, _peer, raw) => void raw.write(Buffer.from([0x81, 0x02, 0xc3, 0x28])),
  "/deaf": (ws) => ws.pause(),
  "/dead": (_ws, _peer, raw) => void raw.pause(),
  "/flood": (ws, peer) => {
    const chunk = Buffer.alloc(64 * 1024);
    const more = (): void => {
      if (ws.readyState !== ws.OPEN || peer.flooded > 400 * 1024 * 1024) return;
      peer.flooded += chunk.byteLength;
      ws.send(chunk, more);
    };
    more();
  },
};

export class SocketPeer implements AsyncDisposable {
  readonly name: string;
  readonly seen: Seen[] = [];
  readonly asked: string[] = [];
  flooded = 0;
  readonly #server: Server = createServer((_request, response) => response.end("plain"));
  readonly #sockets = new Set<Socket>();

  constructor(name: string) {
    this.name = name;
    const wss = new WebSocketServer({ noServer: true, perMessageDeflate: true });
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
    });
    this.#server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
      const path = request.url?.split("?")[0] ?? "";
      this.asked.push(path);
      const raw = RAW[path];
      if (raw !== undefined) return raw(socket);
      wss.handleUpgrade(request, socket, head, (ws) => {
        ws.on("error", () => {});
        const closed = once(ws, "close").then(
          ([code, reason]) => [code as number, String(reason)] as [number, string],
        );
        this.seen.push({ request, socket: ws, closed });
        OPEN[path]?.(ws, this, socket);
      });
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async listen(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}
