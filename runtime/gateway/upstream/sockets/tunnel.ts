// A WebSocket that goes through: the client's end in the listener, the server's end in ws. Whole messages go both ways;
// pings are answered by whoever gets them, so each connection shows by itself that it lives.
//
// Who does not take what the other sends makes it wait: the server always can be told, a client on the node listener
// too. uWS reads on whatever we do, so beyond a bound its client is closed with 1013.

import type { HeaderList, Socket, SocketEvents, Upgrade } from "../../../../sdk/exchange.ts";
import {
  PROXIED_BACKLOG_BYTES_MAX,
  PROXIED_MESSAGE_BYTES_MAX,
  SOCKET_IDLE_SECONDS,
} from "../../../../sdk/limits.ts";
import type { RemoteSocket } from "./remote-socket.ts";

const ABNORMAL = 1_006;
const SERVER_ERROR = 1_011;
const TRY_AGAIN_LATER = 1_013;
/** Of what the server has not taken, before the client is asked to wait: about what its socket takes at once. */
const WINDOW_BYTES: number = 256 * 1024;
/** A server that has not answered the ping of one look is gone at the next. */
const LOOK_MS: number = (SOCKET_IDLE_SECONDS * 1_000) / 2;

export interface TunnelParts {
  readonly open: (events: SocketEvents) => RemoteSocket;
  readonly now: number;
  /** Both ends are over. `reason`: why the server's is, where it did not say so itself. */
  readonly onOver: (reason: string | null) => void;
}

export class Tunnel {
  readonly #parts: TunnelParts;
  readonly #remote: RemoteSocket;
  #client: Socket | null = null;
  #clientWaits = false;
  #lookedMs: number;
  #isOver = false;
  #reason: string | null = null;

  constructor(parts: TunnelParts) {
    this.#parts = parts;
    this.#lookedMs = parts.now;
    this.#remote = parts.open({
      message: (message) => {
        if (this.#client?.send(message) === false) this.#remote.pause();
      },
      drained: () => this.#taken(),
      closed: (code, reason) => this.#remoteClosed(code, reason),
    });
  }

  /** The server has agreed; nothing has come of it yet. */
  open(upgrade: Upgrade, headers: HeaderList): void {
    this.#client = upgrade.accept(headers, PROXIED_MESSAGE_BYTES_MAX, {
      message: (message) => this.#sendOn(message),
      drained: () => this.#remote.resume(),
      closed: (code, reason) => {
        this.#client = null;
        this.#remote.close(code, reason);
        this.#over();
      },
    });
    if (this.#client === null) this.cut();
  }

  /** Now and then. */
  expire(now: number): void {
    if (now - this.#lookedMs < LOOK_MS) return;
    this.#lookedMs = now;
    // One that is not read cannot be heard.
    if (this.#remote.isHeard || this.#remote.isPaused) {
      this.#remote.isHeard = false;
      this.#remote.ping();
    } else {
      this.#reason = "the server did not answer a ping";
      this.#remote.close(ABNORMAL, "");
    }
  }

  /** The client is gone. */
  cut(): void {
    this.#remote.close(ABNORMAL, "");
    this.#over();
  }

  #sendOn(message: string | Uint8Array): void {
    const remote = this.#remote;
    // A single message may be as long as any; only what waits behind others counts.
    if (remote.waitingBytes > PROXIED_BACKLOG_BYTES_MAX) {
      this.#reason = "the server does not take what the client sends";
      this.#client?.close(TRY_AGAIN_LATER, "The upstream does not keep up.");
      remote.close(ABNORMAL, "");
      return;
    }
    remote.send(message);
    if (this.#clientWaits || remote.waitingBytes <= WINDOW_BYTES) return;
    this.#clientWaits = true;
    this.#client?.pause();
  }

  #taken(): void {
    if (!this.#clientWaits || this.#remote.waitingBytes > WINDOW_BYTES / 2) return;
    this.#clientWaits = false;
    this.#client?.resume();
  }

  #remoteClosed(code: number, reason: string): void {
    const client = this.#client;
    if (client === null) return this.#over();
    // It closes, and says so by `closed`; its own answer must be read for that.
    if (this.#clientWaits) client.resume();
    this.#clientWaits = false;
    if (code !== ABNORMAL) client.close(code, reason);
    else {
      this.#reason ??= "the connection was lost";
      client.close(SERVER_ERROR, "The upstream was lost.");
    }
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#parts.onOver(this.#reason);
  }
}
