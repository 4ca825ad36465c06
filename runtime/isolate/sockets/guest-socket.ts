// A request that has become a WebSocket, between the client's end in a listener and the handler's in the isolate.
//
// What waits for the handler, and what waits for the client, is held for the isolate like all else (held.ts). Neither
// end can be told to wait (the handler's `send` promises nothing, uWS reads on), so who does not keep up is closed.

import { ENTER } from "../../../sdk/bridge.ts";
import { infoOf, type Code } from "../../../sdk/errors.ts";
import type { Socket, SocketEvents, Upgrade } from "../../../sdk/exchange.ts";
import { SOCKET_MESSAGES_WAITING_MAX } from "../../../sdk/limits.ts";
import type { Held } from "../held.ts";
import { exactBuffer } from "../request-body.ts";

const SERVER_ERROR = 1_011;
const SERVICE_RESTART = 1_012;
/** A control frame has 125 bytes, and two of them are the code. */
const REASON_CHARS_MAX = 123;
const TRY_AGAIN_LATER = 1_013;
const ABNORMAL = 1_006;
/** What a message costs beside its bytes. */
const RECORD_BYTES = 64;

interface SocketJob {
  socket: GuestSocket | null;
}

export interface GuestSocketHost {
  readonly held: Held;
  /** To the guest. A message begins the request's CPU time anew. */
  readonly push: (op: string, payload: string, buffer: ArrayBuffer | null) => void;
  /** It is over. */
  readonly onClosed: () => void;
}

export class GuestSocket implements SocketEvents {
  readonly #host: GuestSocketHost;
  #socket: Socket | null = null;
  /** Sizes of what the guest has not taken, oldest first. */
  readonly #waiting: number[] = [];
  /** What the client has not taken. */
  #sentBytes = 0;
  #over = false;

  constructor(host: GuestSocketHost) {
    this.#host = host;
  }

  /** False when the client has gone. */
  open(upgrade: Upgrade, headers: string, messageBytesMax: number): boolean {
    this.#socket = upgrade.accept(headers, messageBytesMax, this);
    return this.#socket !== null;
  }

  /** Of the handler's. */
  send(message: string | Uint8Array): void {
    if (this.#over || this.#socket === null) return;
    const size = message.length + RECORD_BYTES;
    if (!this.#host.held.take(size))
      return this.close(TRY_AGAIN_LATER, "Too much waits for the client.");
    this.#sentBytes += size;
    if (this.#socket.send(message)) this.#giveSent();
  }

  close(code: number, reason: string): void {
    this.#socket?.close(code, reason);
  }

  /** The handler has taken the oldest message. */
  taken(): void {
    this.#host.held.give(this.#waiting.shift() ?? 0);
  }

  message(message: string | Uint8Array): void {
    if (this.#over) return;
    const { held, push } = this.#host;
    const size = message.length + RECORD_BYTES;
    if (this.#waiting.length >= SOCKET_MESSAGES_WAITING_MAX || !held.take(size)) {
      return this.close(TRY_AGAIN_LATER, "The handler does not keep up.");
    }
    this.#waiting.push(size);
    if (typeof message === "string") push(ENTER.SOCKET_TEXT, message, null);
    else push(ENTER.SOCKET_BYTES, "", exactBuffer(message));
  }

  drained(): void {
    this.#giveSent();
  }

  closed(code: number, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#give();
    this.#host.push(ENTER.SOCKET_CLOSED, `${code}\n${reason}`, null);
    this.#host.onClosed();
  }

  /** The handler's end is gone or has lost its right to go on. The client is told `code`. */
  end(code: number, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#give();
    this.#host.push(ENTER.SOCKET_CLOSED, `${ABNORMAL}\n${reason}`, null);
    this.#socket?.close(code, reason);
  }

  #giveSent(): void {
    this.#host.held.give(this.#sentBytes);
    this.#sentBytes = 0;
  }

  #give(): void {
    this.#giveSent();
    for (const size of this.#waiting.splice(0)) this.#host.held.give(size);
  }
}

/** As the guest's record says: code \n reason. */
export function closeSocket({ socket }: SocketJob, payload: string): void {
  const end = payload.indexOf("\n");
  const code = Number(payload.slice(0, end));
  const isCode = Number.isInteger(code) && code >= 1_000 && code <= 4_999 && code !== ABNORMAL;
  socket?.close(isCode ? code : SERVER_ERROR, payload.slice(end + 1, end + 1 + REASON_CHARS_MAX));
}

/** The request was ended by the host. Clients of a version that was replaced may come again at once. */
export function endSocket(job: SocketJob, code: Code): void {
  job.socket?.end(infoOf(code).retry ? SERVICE_RESTART : SERVER_ERROR, code);
  job.socket = null;
}
