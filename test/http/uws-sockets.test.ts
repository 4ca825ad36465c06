// What of uWS's WebSockets needs more than the rules they share with the node listener: where it stops by itself.

import { execFile } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { listenUws } from "../../runtime/http/uws-listener.ts";
import type { Socket, SocketEvents } from "../../sdk/exchange.ts";
import { HEADER_BYTES_MAX } from "../../sdk/limits.ts";

// Read by uWebSockets.js when it is loaded, which the first listen does.
process.env["UWS_HTTP_MAX_HEADERS_SIZE"] = String(HEADER_BYTES_MAX);

/** More than the sockets on the way take at once. */
const LONG_BYTES: number = 16 * 1024 * 1024;

test("long messages that are sent as soon as those before are taken all arrive", async () => {
  const accepted = Promise.withResolvers<Socket>();
  let left = 4;
  const events: SocketEvents = {
    message: () => {},
    drained: () => void accepted.promise.then((socket) => sendNext(socket)),
    closed: () => {},
  };
  const sendNext = (socket: Socket): void => {
    if (left-- > 0) socket.send(new Uint8Array(LONG_BYTES));
  };
  const listener = await listenUws({
    host: "127.0.0.1",
    port: 0,
    bodyBytesMax: 1_000,
    headerBytesMax: HEADER_BYTES_MAX,
    socketBytesMax: 1_000,
    handler: ({ upgrade }) => {
      const socket = upgrade?.accept("", 1_000, events);
      if (socket === null || socket === undefined) return;
      accepted.resolve(socket);
      sendNext(socket);
    },
  });
  const ws = new WebSocket(`ws://127.0.0.1:${listener.port}`, { maxPayload: LONG_BYTES });
  for (let i = 0; i < 4; i++) {
    const [message] = (await once(ws, "message")) as [Buffer];
    expect(message.byteLength).toBe(LONG_BYTES);
  }
  ws.terminate();
  await listener.drain(0);
});

test("no socket is closed as soon as it is open, whatever lies in freed memory", async () => {
  // glibc then fills what is freed with a byte that, for uWS, says of a response that its connection is to be closed.
  const env = {
    ...process.env,
    MALLOC_PERTURB_: "16",
    GLIBC_TUNABLES: "glibc.malloc.tcache_count=0",
  };
  const script = join(import.meta.dirname, "many-upgrades.ts");
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [script, "8"], { env });
  expect([stdout, stderr]).toEqual(["8 of 8\n", ""]);
});
