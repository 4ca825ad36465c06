// Streamed replies on both listeners: while the same request's body comes in, each held up by its reader; and how they
// end.

import { createHash, randomBytes } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";
import { listenNode } from "../../runtime/http/node-listener.ts";
import { RecordedReply } from "../../runtime/gateway/policies/stored/recorded-reply.ts";
import type { Recorded } from "../../runtime/gateway/shared/reply-store.ts";
import { listenUws } from "../../runtime/http/uws-listener.ts";
import type { Exchange, ExchangeHandler, Listen, Listener } from "../../sdk/exchange.ts";
import { HEADER_BYTES_MAX } from "../../sdk/limits.ts";
import { RawClient, valuesOf } from "./raw-client.ts";

// Read by uWebSockets.js when it is loaded, which the first listen does.
process.env["UWS_HTTP_MAX_HEADERS_SIZE"] = String(HEADER_BYTES_MAX);

/** More than both sockets' buffers take. */
const BODY_BYTES: number = 16 * 1024 * 1024;
const BODY = randomBytes(BODY_BYTES);

const listeners: Listener[] = [];
const clients: RawClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const listener of listeners.splice(0)) await listener.drain(0);
});

function sha(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

interface Talk {
  readonly exchange: Exchange;
  /** Does not read before it is asked for replies. */
  readonly client: RawClient;
}

async function open(listen: Listen, handler: ExchangeHandler): Promise<Listener> {
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    handler,
    bodyBytesMax: BODY_BYTES,
    socketBytesMax: 1_000,
    headerBytesMax: HEADER_BYTES_MAX,
  });
  listeners.push(listener);
  return listener;
}

function clientOf(port: number): RawClient {
  const client = new RawClient(port);
  clients.push(client);
  return client;
}

/** A client that has begun to send a body. */
async function talk(listen: Listen): Promise<Talk> {
  const called = Promise.withResolvers<Exchange>();
  const client = clientOf((await open(listen, called.resolve)).port);
  client.socket.pause();
  client.send(`POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${BODY_BYTES}\r\n\r\n`);
  const exchange = await called.promise;
  return { exchange, client };
}

/** Sends the body; resolves when no more of it is taken. */
async function sendBody({ client }: Talk): Promise<void> {
  client.send(BODY);
  await settled(() => client.socket.bytesWritten - client.socket.writableLength);
}

/** Resolves when a number has stayed the same for many turns of the loop. */
async function settled(count: () => number): Promise<void> {
  let last = -1;
  for (let same = 0; same < 200; same++) {
    if (count() !== last) same = 0;
    last = count();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Writes the body back in pieces, as the client takes it. */
function sendReply(exchange: Exchange, onFull: () => void): void {
  let at = 0;
  const pump = (): void => {
    while (at < BODY_BYTES) {
      const piece = BODY.subarray(at, (at += 200_000));
      if (!exchange.write(piece)) return onFull();
    }
    exchange.finish();
  };
  exchange.onDrained(pump);
  pump();
}

/** Resolves when nothing more of it comes: a reply may be out before the body is in, which is then nobody's. */
function readAll(exchange: Exchange): Promise<void> {
  return new Promise((resolve) => {
    exchange.readBody({ chunk: () => undefined, end: resolve, fail: () => resolve() });
  });
}

describe.each([
  ["uws", listenUws],
  ["node", listenNode],
] as const)("on the %s listener", (_name, listen) => {
  describe.each([
    ["of known length", `content-length\n${BODY_BYTES}\n`],
    ["in chunks", ""],
  ])("a reply %s", (_how, headers) => {
    test("that fills up while the body is held arrives whole when the body goes on", async () => {
      const both = await talk(listen);
      const { exchange, client } = both;
      await sendBody(both);
      exchange.begin(200, headers);
      const full = Promise.withResolvers<void>();
      sendReply(exchange, full.resolve);
      await full.promise;
      const got = readAll(exchange);
      client.socket.resume();
      expect(sha((await client.reply()).body)).toBe(sha(BODY));
      // The reply may be out before the body is in, which is then nobody's.
      await got;
    });

    test("that was full before the body was held arrives whole", async () => {
      const both = await talk(listen);
      const { exchange, client } = both;
      exchange.begin(200, headers);
      const full = Promise.withResolvers<void>();
      sendReply(exchange, full.resolve);
      await full.promise;
      await sendBody(both);
      client.socket.resume();
      expect(sha((await client.reply()).body)).toBe(sha(BODY));
    });

    test("goes on while the body waits for it, and the body when it is read", async () => {
      const both = await talk(listen);
      const { exchange, client } = both;
      exchange.begin(200, headers);
      const hash = createHash("sha256");
      let waits = 0;
      exchange.onDrained(() => exchange.resumeBody());
      exchange.readBody({
        chunk: (bytes) => {
          hash.update(bytes);
          if (exchange.write(bytes)) return;
          waits++;
          exchange.pauseBody();
        },
        end: () => exchange.finish(),
        fail: () => exchange.reset(),
      });
      await sendBody(both);
      client.socket.resume();
      expect(sha((await client.reply()).body)).toBe(sha(BODY));
      expect([waits > 0, hash.digest("hex")]).toEqual([true, sha(BODY)]);
    });

    test("does not let more of a held body in than a window while its client takes nothing", async () => {
      const both = await talk(listen);
      const { exchange, client } = both;
      await sendBody(both);
      const before = client.socket.bytesWritten - client.socket.writableLength;
      exchange.begin(200, headers);
      const full = Promise.withResolvers<void>();
      sendReply(exchange, full.resolve);
      await full.promise;
      await settled(() => client.socket.writableLength);
      const after = client.socket.bytesWritten - client.socket.writableLength;
      expect(after - before).toBeLessThan(1024 * 1024);
      expect(client.socket.writableLength).toBeGreaterThan(0);
    });
  });

  test("a piece that was written arrives whole although nothing follows it", async () => {
    const both = await talk(listen);
    const { exchange, client } = both;
    exchange.begin(200, "");
    expect(exchange.write(Buffer.from(BODY))).toBe(false);
    client.socket.resume();
    let bytes = 0;
    await new Promise<void>((resolve) => {
      client.socket.on("data", (chunk: Buffer) => {
        bytes += chunk.byteLength;
        if (bytes > BODY_BYTES) resolve();
      });
    });
  });

  for (const value of ["close", "close, x-a"]) {
    for (const [how, headers] of [
      ["in chunks", ""],
      ["of known length", "content-length\n6\n"],
    ] as const) {
      test(`a reply ${how} to Connection: ${value} is whole, and says that it is the last`, async () => {
        const { port } = await open(listen, (x) => {
          x.begin(200, headers);
          x.write(Buffer.from("one"));
          x.write(Buffer.from("two"));
          x.finish();
        });
        const client = clientOf(port);
        client.send(`GET / HTTP/1.1\r\nconnection: ${value}\r\nhost: a\r\n\r\n`);
        const reply = await client.reply();
        expect(reply.body.toString()).toBe("onetwo");
        expect(valuesOf(reply, "connection")).toEqual(["close"]);
      });
    }
  }

  test("a reply in chunks that ends while its listener drains is whole", async () => {
    const begun = Promise.withResolvers<Exchange>();
    const listener = await open(listen, (x) => {
      x.begin(200, "");
      x.write(Buffer.from("one"));
      begun.resolve(x);
    });
    const client = clientOf(listener.port);
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    const exchange = await begun.promise;
    const drained = listener.drain(10_000);
    exchange.write(Buffer.from("two"));
    exchange.finish();
    expect((await client.reply()).body.toString()).toBe("onetwo");
    await drained;
    expect(await client.rest()).toBe("");
  });
});

test("what uWS has taken of a reply in chunks is given back at once, and a record of it is whole", async () => {
  const piece = new Uint8Array(randomBytes(65_536));
  const small = new Uint8Array(randomBytes(16_383));
  const text = Buffer.concat([piece, small]);
  const ended = Promise.withResolvers<Recorded | null>();
  const { port } = await open(listenUws, (exchange) => {
    const reply = new RecordedReply(exchange, {
      detached: false,
      bytesMax: text.length,
      onEnd: ended.resolve,
    });
    reply.begin(200, "");
    reply.write(piece);
    reply.write(small);
    reply.finish();
  });
  const client = clientOf(port);
  client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  expect(sha((await client.reply()).body)).toBe(sha(text));
  expect([piece.byteLength, small.byteLength]).toEqual([0, 16_383]);
  expect(sha((await ended.promise)?.body ?? Buffer.alloc(0))).toBe(sha(text));
});
