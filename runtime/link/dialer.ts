// A worker's end of the control socket. Supervisors come and go while workers serve, so a connection that is lost
// is dialled again until the worker ends.

import { createConnection } from "node:net";
import { openChannel, type Channel } from "./channel.ts";

/** A new supervisor finds its workers after this at the latest; a dial that nobody answers costs microseconds. */
const REDIAL_MS = 100;

export interface Dialer<Out> {
  /** Dropped while nobody is there: whoever connects is told everything anew. */
  send(message: Out): void;
  /** Whether somebody is there who takes what is sent. */
  readonly heard: boolean;
  /** For good. */
  close(): void;
}

export interface DialerEvents<In> {
  /** After each dial that was answered. */
  connected(): void;
  message(message: In): void;
  /** After each connection that ended, and each dial that nobody answered. */
  lost(): void;
}

export function openDialer<In extends { readonly type: string }, Out>(
  path: string,
  events: DialerEvents<In>,
): Dialer<Out> {
  let channel: Channel<Out> | null = null;
  let closed = false;

  function dial(): void {
    if (closed) return;
    const socket = createConnection(path);
    const opened = openChannel<In, Out>(socket, {
      message: (message) => events.message(message),
      closed() {
        channel = null;
        if (closed) return;
        events.lost();
        setTimeout(dial, REDIAL_MS);
      },
    });
    socket.once("connect", () => {
      channel = opened;
      events.connected();
    });
  }

  dial();
  return {
    send: (message) => channel?.send(message),
    get heard() {
      return channel !== null && channel.unsentBytes === 0;
    },
    close() {
      closed = true;
      channel?.close();
    },
  };
}
