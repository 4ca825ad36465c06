// A process that opens WebSockets to a uws listener of its own, one after the other, and prints how many of them brought
// a message back.

import { once } from "node:events";
import { WebSocket } from "ws";
import { listenUws } from "../../runtime/http/uws-listener.ts";
import type { Socket } from "../../sdk/exchange.ts";

const count = Number(process.argv[2]);

const listener = await listenUws({
  host: "127.0.0.1",
  port: 0,
  bodyBytesMax: 1_000,
  headerBytesMax: 4_096,
  socketBytesMax: 1_000,
  handler: ({ upgrade }) => {
    const socket: Socket | null | undefined = upgrade?.accept("", 1_000, {
      message: (message) => socket?.send(message),
      drained: () => {},
      closed: () => {},
    });
  },
});
let well = 0;
for (let i = 0; i < count; i++) {
  const ws = new WebSocket(`ws://127.0.0.1:${listener.port}`);
  const ended = Promise.race([once(ws, "message"), once(ws, "close").then(() => null)]);
  ws.once("open", () => ws.send("still there?"));
  if ((await ended) !== null) well++;
  ws.terminate();
}
await listener.drain(0);
process.stdout.write(`${well} of ${count}\n`);
