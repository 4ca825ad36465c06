// Connections that a trusted proxy hands on. Each begins with a header of the PROXY protocol, which is taken off before
// HTTP or TLS sees anything of it; one without it is closed, since whoever is behind it would pass for the proxy.

import type { Server, Socket } from "node:net";
import { parseProxyHeader } from "./proxy-header.ts";

/** A proxy sends it with the first packet. */
export const PROXY_HEADER_MS = 5_000;

export class ProxiedConnections {
  /** Whether connections from this address begin with a header. */
  readonly #isProxy: (address: string) => boolean;
  /** Address of the client, by the connection's own address and port: what TLS makes of a socket has those too. */
  readonly #clients = new Map<string, string>();
  readonly #waiting = new Set<Socket>();

  constructor(isProxy: (address: string) => boolean) {
    this.#isProxy = isProxy;
  }

  /** Stands between the server and whoever takes its connections now. */
  guard(server: Server): void {
    const listeners = server.listeners("connection");
    server.removeAllListeners("connection");
    const accept = (socket: Socket): void => {
      for (const listener of listeners) listener.call(server, socket);
    };
    server.on("connection", (socket: Socket) => {
      if (this.#isProxy(socket.remoteAddress ?? "")) this.#read(socket, accept);
      else accept(socket);
    });
  }

  /** Of whoever has the connection behind it; "" when that is gone. */
  addressOf(socket: Socket | null): string {
    const address = socket?.remoteAddress ?? "";
    if (this.#clients.size === 0) return address;
    return this.#clients.get(`${address} ${socket?.remotePort}`) ?? address;
  }

  /** Those that have said nothing yet. */
  close(): void {
    for (const socket of this.#waiting) socket.destroy();
  }

  #read(socket: Socket, accept: (socket: Socket) => void): void {
    let read: Buffer = Buffer.alloc(0);
    const key = `${socket.remoteAddress} ${socket.remotePort}`;
    const timer = setTimeout(() => socket.destroy(), PROXY_HEADER_MS);
    const over = (): void => {
      clearTimeout(timer);
      this.#waiting.delete(socket);
      socket.off("data", take);
    };
    const take = (chunk: Buffer): void => {
      read = read.length === 0 ? chunk : Buffer.concat([read, chunk]);
      const header = parseProxyHeader(read);
      if (header.kind === "more") return;
      over();
      if (header.kind === "bad") {
        socket.destroy();
        return;
      }
      if (header.address !== null) this.#clients.set(key, header.address);
      socket.pause();
      const rest = read.subarray(header.bytes);
      if (rest.length > 0) socket.unshift(rest);
      accept(socket);
      // TLS takes what is there by itself, and would be kept from the rest.
      if (socket.listenerCount("data") > 0) socket.resume();
    };
    this.#waiting.add(socket);
    // It stays: whoever takes the connection has its own.
    socket.on("error", () => {});
    socket.once("close", () => {
      over();
      this.#clients.delete(key);
    });
    socket.on("data", take);
  }
}
