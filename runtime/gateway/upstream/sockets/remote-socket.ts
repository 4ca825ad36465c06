// The server's end of a WebSocket that goes through here.

import type { RawData, WebSocket } from "ws";
import type { Socket, SocketEvents } from "../../../../sdk/exchange.ts";

const NO_STATUS = 1_005;
const ABNORMAL = 1_006;
/** Those that RFC 6455 and its registry let an endpoint send. */
const SENDABLE: ReadonlySet<number> = new Set([
  1_000, 1_001, 1_002, 1_003, 1_007, 1_008, 1_009, 1_010, 1_011, 1_012, 1_013, 1_014,
]);
const PRIVATE_MIN = 3_000;
const PRIVATE_MAX = 4_999;

export class RemoteSocket implements Socket {
  /** Something came since the last look. */
  isHeard = true;
  readonly #ws: WebSocket;
  readonly #events: SocketEvents;

  constructor(ws: WebSocket, events: SocketEvents) {
    this.#ws = ws;
    this.#events = events;
    ws.on("message", (data: RawData, isBinary: boolean) => {
      this.isHeard = true;
      const bytes = data as Buffer;
      events.message(isBinary ? new Uint8Array(bytes) : bytes.toString());
    });
    const heard = (): void => {
      this.isHeard = true;
    };
    ws.on("ping", heard);
    ws.on("pong", heard);
    ws.on("close", (code, reason) => events.closed(code, reason.toString()));
  }

  /** What the server has not taken. */
  get waitingBytes(): number {
    return this.#ws.bufferedAmount;
  }

  get isPaused(): boolean {
    return this.#ws.isPaused;
  }

  send(message: string | Uint8Array): boolean {
    const ws = this.#ws;
    if (ws.readyState !== ws.OPEN) return true;
    ws.send(message, { binary: typeof message !== "string" }, () => this.#events.drained());
    return ws.bufferedAmount === 0;
  }

  /** 1006: without a word. */
  close(code: number, reason: string): void {
    const isPrivate = code >= PRIVATE_MIN && code <= PRIVATE_MAX;
    if (code === NO_STATUS) this.#ws.close();
    else if (code === ABNORMAL || !(isPrivate || SENDABLE.has(code))) this.#ws.terminate();
    else this.#ws.close(code, reason);
    // Its answer comes behind what it has sent before.
    this.#ws.resume();
  }

  pause(): void {
    this.#ws.pause();
  }

  resume(): void {
    this.#ws.resume();
  }

  ping(): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.ping();
  }
}
