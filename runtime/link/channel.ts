// Lines of JSON over a socket: the framing of the control socket, the same at both ends.

import type { Socket } from "node:net";

export interface Channel<Out> {
  send(message: Out): void;
  /** What the other end has not taken yet. */
  readonly unsentBytes: number;
  close(): void;
}

export interface ChannelEvents<In> {
  message(message: In): void;
  /** Once: the other end is gone. */
  closed(): void;
}

export function openChannel<In extends { readonly type: string }, Out>(
  socket: Socket,
  events: ChannelEvents<In>,
): Channel<Out> {
  let partial = "";
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => {
    const end = text.lastIndexOf("\n");
    // A long line comes in many pieces: what came before is looked at once, when it ends.
    if (end < 0) {
      partial += text;
      return;
    }
    const lines = (partial + text.slice(0, end)).split("\n");
    partial = text.slice(end + 1);
    for (const line of lines) events.message(JSON.parse(line) as In);
  });
  // "close" follows every error and is where the loss is handled.
  socket.on("error", () => {});
  socket.on("close", () => events.closed());
  return {
    send(message) {
      if (!socket.destroyed) socket.write(`${JSON.stringify(message)}\n`);
    },
    get unsentBytes() {
      return socket.writableLength;
    },
    close() {
      socket.end();
    },
  };
}
