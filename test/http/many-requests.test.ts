// Many requests in one read of a socket, which hold the accepting thread together.

import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { listenUws, TURN_REQUESTS_MAX } from "../../runtime/http/uws-listener.ts";
import type { Listener } from "../../sdk/exchange.ts";
import { HEADER_BYTES_MAX } from "../../sdk/limits.ts";
import { RawClient } from "./raw-client.ts";

// Read by uWebSockets.js when it is loaded, which the first listen does.
process.env["UWS_HTTP_MAX_HEADERS_SIZE"] = String(HEADER_BYTES_MAX);

const REQUEST = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
let listener: Listener;

beforeAll(async () => {
  listener = await listenUws({
    host: "127.0.0.1",
    port: 0,
    handler: (exchange) => exchange.reply(200, "", "ok"),
    bodyBytesMax: 1_000,
    socketBytesMax: 1_000,
    headerBytesMax: HEADER_BYTES_MAX,
  });
});
afterAll(() => listener.drain(0));

test.each([TURN_REQUESTS_MAX - 1, TURN_REQUESTS_MAX])(
  "%d are answered, and the connection goes on",
  async (count) => {
    const client = new RawClient(listener.port);
    client.send(REQUEST.repeat(count));
    for (let at = 0; at < count; at++) {
      expect((await client.reply()).headers.map(([name]) => name)).not.toContain("connection");
    }
    client.send(REQUEST);
    expect((await client.reply()).status).toBe(200);
    client.close();
  },
);

test("one more ends the connection behind its reply", async () => {
  const client = new RawClient(listener.port);
  client.send(REQUEST.repeat(TURN_REQUESTS_MAX + 2));
  const replies = (await client.rest()).split("HTTP/1.1 200 OK").slice(1);
  expect(replies.length).toBe(TURN_REQUESTS_MAX + 1);
  const closing = replies.filter((reply) => /^connection: close\r$/im.test(reply));
  expect(closing).toEqual([replies.at(-1)]);
});

test("who asks for far too much without waiting is not answered all of it", async () => {
  const asked = 40_000;
  const socket = connect(listener.port, "127.0.0.1");
  let answered = 0;
  socket.setEncoding("latin1").on("data", (text: string) => {
    answered += text.split("HTTP/1.1 200").length - 1;
  });
  socket.on("error", () => {});
  socket.write(REQUEST.repeat(asked));
  await new Promise((resolve) => socket.once("close", resolve));
  expect(answered).toBeLessThan(asked);
});
