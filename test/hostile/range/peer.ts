// What handlers of attacks fetch from: a server that answers, never answers, never stops answering, or dribbles. Its WebSockets
// read nothing, never stop talking, or only listen.

import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocket, WebSocketServer } from "ws";

const CHUNK: Buffer = Buffer.alloc(64 * 1024, "x");
const CRUMBS: Buffer = Buffer.from("1\r\nx\r\n".repeat(200_000));

export class HostilePeer implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets: WebSocketServer;

  private constructor(server: Server, sockets: WebSocketServer) {
    this.#server = server;
    this.#sockets = sockets;
  }

  static async start(): Promise<HostilePeer> {
    const server = createServer((request, response) => {
      response.on("error", () => {});
      request.on("error", () => {}).resume();
      answer(request.url ?? "/", response);
    });
    const sockets = new WebSocketServer({ server }).on("connection", (socket, { url }) => {
      socket.on("error", () => {});
      if (url === "/hang") socket.pause();
      if (url === "/endless") talk(socket);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new HostilePeer(server, sockets);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    for (const socket of this.#sockets.clients) socket.terminate();
    await once(this.#server, "close");
  }
}

function talk(socket: WebSocket): void {
  if (socket.readyState === WebSocket.OPEN) socket.send(CHUNK, () => talk(socket));
}

function answer(path: string, response: ServerResponse): void {
  if (path === "/hang") return;
  if (path === "/loop") {
    response.writeHead(302, { location: "/loop" }).end();
  } else if (path === "/crumbs") {
    response.socket?.end(
      Buffer.concat([Buffer.from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), CRUMBS]),
    );
  } else if (path === "/endless") {
    const pour = (): void => {
      while (!response.destroyed && response.write(CHUNK));
    };
    response.on("drain", pour);
    pour();
  } else {
    response.end("peer");
  }
}
