// A WebSocket whose handler is in this cordon, and whose client is on a worker.

import type { HeaderList, Socket, SocketEvents } from "../../../sdk/exchange.ts";
import { LIMITS } from "../../../sdk/limits.ts";
import { OP, type FrameWriter } from "./frames.ts";
import { MessageParts, packClose, parseClose, pushMessage } from "./socket-frames.ts";

const ABNORMAL = 1_006;

export interface CordonSocketOptions {
  readonly id: number;
  readonly out: FrameWriter;
  readonly events: SocketEvents;
  /** Of the verdict, for the worker's log. */
  readonly outcome: string;
}

export class CordonSocket implements Socket {
  readonly #options: CordonSocketOptions;
  readonly #parts = new MessageParts(LIMITS.socketBytes.max);
  /** The client does not keep up. */
  #held = false;
  #over = false;

  constructor(options: CordonSocketOptions) {
    this.#options = options;
  }

  accept(headers: HeaderList, messageBytesMax: number): void {
    const { out, id, outcome } = this.#options;
    out.push(OP.SOCKET_ACCEPT, id, `${outcome}\n${messageBytesMax}\n${headers}`);
  }

  send(message: string | Uint8Array): boolean {
    const { out, id } = this.#options;
    if (!this.#over) pushMessage(out, id, message);
    return !this.#held && !out.full;
  }

  close(code: number, reason: string): void {
    const { out, id } = this.#options;
    if (!this.#over) out.push(OP.SOCKET_CLOSE, id, packClose(code, reason));
  }

  /** Who needs this bounds what comes by itself. */
  pause(): void {}

  resume(): void {}

  /** A frame of the worker's. True: the socket is over. */
  take(op: number, text: string, bytes: Uint8Array): boolean {
    if (op === OP.SOCKET_CLOSE) {
      const { code, reason } = parseClose(text) ?? { code: ABNORMAL, reason: "" };
      this.end(code, reason);
    } else if (op === OP.HOLD) this.#held = true;
    else if (op === OP.GO) {
      this.#held = false;
      this.drained();
    } else {
      const message = this.#parts.take(op, bytes);
      if (message !== null) this.#options.events.message(message);
    }
    return this.#over;
  }

  drained(): void {
    if (!this.#over && !this.#held && !this.#options.out.full) this.#options.events.drained();
  }

  end(code: number, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#options.events.closed(code, reason);
  }

  gone(): void {
    this.end(ABNORMAL, "");
  }
}
