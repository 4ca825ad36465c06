// A WebSocket whose client is on this worker, and whose handler is in a cordon. What the cordon sends is checked: its
// process may be in the hands of the code it runs.

import type { Socket, SocketEvents, Upgrade } from "../../../sdk/exchange.ts";
import { LIMITS } from "../../../sdk/limits.ts";
import { OP, type FrameWriter } from "./frames.ts";
import { MessageParts, packClose, parseClose, pushMessage } from "./socket-frames.ts";

const SERVICE_RESTART = 1_012;
/** What may still come after the cordon was told to hold: what was under way. */
const OVERRUN_BYTES_MAX: number = 4 * 1024 * 1024 + LIMITS.socketBytes.max;

export interface ForwardedSocketOptions {
  readonly id: number;
  readonly out: FrameWriter;
  /** It has closed. */
  readonly onClosed: () => void;
}

export class ForwardedSocket implements SocketEvents {
  readonly #options: ForwardedSocketOptions;
  readonly #parts = new MessageParts(LIMITS.socketBytes.max);
  #socket: Socket | null = null;
  #full = false;
  #overrun = 0;

  constructor(options: ForwardedSocketOptions) {
    this.#options = options;
  }

  /** False when the client has gone. */
  open(upgrade: Upgrade, headers: string, messageBytesMax: number): boolean {
    this.#socket = upgrade.accept(headers, messageBytesMax, this);
    return this.#socket !== null;
  }

  /** False: no cordon of this release sends this. */
  take(op: number, text: string, bytes: Uint8Array): boolean {
    if (op === OP.SOCKET_CLOSE) {
      const close = parseClose(text);
      if (close !== null) this.#socket?.close(close.code, close.reason);
      return close !== null;
    }
    const message = this.#parts.take(op, bytes);
    if (message !== null) this.#send(message);
    this.#overrun += this.#full ? bytes.byteLength : 0;
    return this.#overrun <= OVERRUN_BYTES_MAX;
  }

  /** The cordon is gone, or has lost its right to go on. */
  lost(): void {
    this.#socket?.close(SERVICE_RESTART, "The endpoint's process was replaced.");
  }

  message(message: string | Uint8Array): void {
    pushMessage(this.#options.out, this.#options.id, message);
  }

  drained(): void {
    if (!this.#full) return;
    this.#full = false;
    this.#overrun = 0;
    this.#options.out.push(OP.GO, this.#options.id);
  }

  closed(code: number, reason: string): void {
    this.#options.out.push(OP.SOCKET_CLOSE, this.#options.id, packClose(code, reason));
    this.#options.onClosed();
  }

  #send(message: string | Uint8Array): void {
    if (this.#socket?.send(message) !== false || this.#full) return;
    this.#full = true;
    this.#options.out.push(OP.HOLD, this.#options.id);
  }
}
