// How a cordon is reached: a Unix socket in a folder that nobody but the node's own processes can enter. Each worker
// holds one connection and sends all its requests over it.
//
// A cordon that takes another's place moves its socket over the other's path, so that who dials from then on meets
// it. Going out of service loses nothing: workers are told, send no more, and close when their last reply is there.

import { chmodSync, renameSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { EdgeError } from "../../../sdk/errors.ts";
import type { Listener } from "../../../sdk/exchange.ts";
import { CordonExchange } from "./cordon-exchange.ts";
import { FrameWriter, OP, parseRequest, readFrames, type RequestHead } from "./frames.ts";

const MODE = 0o600;

export type CordonHandler = (exchange: CordonExchange, head: RequestHead) => void;

export interface CordonListenOptions {
  /** Where workers dial. */
  readonly path: string;
  readonly handler: CordonHandler;
  readonly bodyBytesMax: number;
}

export async function listenCordon(options: CordonListenOptions): Promise<Listener> {
  const listener = new CordonListener(options);
  await listener.listen();
  return listener;
}

class CordonListener implements Listener {
  readonly port = 0;
  readonly #options: CordonListenOptions;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  #onEmpty: () => void = () => {};
  #leaving = false;

  constructor(options: CordonListenOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#connected(socket));
  }

  async listen(): Promise<void> {
    const { path } = this.#options;
    const own = `${path}.${process.pid}`;
    rmSync(own, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (cause) => {
        reject(new EdgeError("DATA_UNWRITABLE", `Cannot listen on ${own}.`, { cause }));
      });
      this.#server.listen(own, resolve);
    });
    chmodSync(own, MODE);
    // Closing it unlinks the path it was bound to, which is nobody's any more: never a successor's.
    renameSync(own, path);
  }

  async drain(timeoutMs: number): Promise<void> {
    this.#server.close();
    this.#leaving = true;
    for (const connection of this.#connections) connection.leave();
    if (this.#connections.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onEmpty = resolve;
    const timer = setTimeout(resolve, timeoutMs);
    await promise;
    clearTimeout(timer);
    for (const connection of this.#connections) connection.cut();
  }

  #connected(socket: Socket): void {
    const connection = new Connection(socket, this.#options, () => {
      this.#connections.delete(connection);
      if (this.#connections.size === 0) this.#onEmpty();
    });
    this.#connections.add(connection);
    if (this.#leaving) connection.leave();
  }
}

class Connection {
  readonly #socket: Socket;
  readonly #options: CordonListenOptions;
  readonly #out: FrameWriter;
  readonly #open = new Map<number, CordonExchange>();
  readonly #over = (id: number): void => void this.#open.delete(id);

  constructor(socket: Socket, options: CordonListenOptions, onClosed: () => void) {
    this.#socket = socket;
    this.#options = options;
    this.#out = new FrameWriter(socket, () => {
      for (const exchange of this.#open.values()) exchange.drained();
    });
    readFrames(socket, (op, id, text, bytes) => this.#take(op, id, text, bytes));
    this.#out.push(OP.READY, 0);
    socket.on("close", () => {
      for (const exchange of this.#open.values()) exchange.abort();
      onClosed();
    });
  }

  leave(): void {
    this.#out.push(OP.LEAVING, 0);
  }

  cut(): void {
    this.#socket.destroy();
  }

  #take(op: number, id: number, text: string, bytes: Buffer): void {
    if (op !== OP.REQUEST) {
      this.#open.get(id)?.take(op, text, bytes);
      return;
    }
    const head = parseRequest(text);
    const exchange = new CordonExchange({
      id,
      head,
      whole: bytes,
      out: this.#out,
      bodyBytesMax: this.#options.bodyBytesMax,
      onOver: this.#over,
    });
    this.#open.set(id, exchange);
    this.#options.handler(exchange, head);
  }
}
