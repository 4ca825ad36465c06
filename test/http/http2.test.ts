// HTTP/2 on the node listener: what an exchange promises, over streams, and what floods meet.

import { once } from "node:events";
import {
  connect,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type OutgoingHttpHeaders,
} from "node:http2";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { listenNode } from "../../runtime/http/node-listener.ts";
import { createSelfSigned } from "../../runtime/supervisor/tls/self-signed.ts";
import type { Exchange, ExchangeHandler, HttpListener } from "../../sdk/exchange.ts";
import { HEADER_BYTES_MAX } from "../../sdk/limits.ts";

const BODY_BYTES_MAX = 10_000_000;
const OWN = createSelfSigned(["a.example"], Date.now());
/** Heads in HPACK's static table: method, https, path /, and the host a. */
const GET = Buffer.from([0x82, 0x87, 0x84, 0x41, 0x01, 0x61]);
const POST = Buffer.from([0x83, 0x87, 0x84, 0x41, 0x01, 0x61]);
const CANCEL = Buffer.from([0, 0, 0, constants.NGHTTP2_CANCEL]);
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

let listener: HttpListener;
let handle: ExchangeHandler;
let sessions: ClientHttp2Session[] = [];
let sockets: TLSSocket[] = [];

async function listen(): Promise<HttpListener> {
  return listenNode({
    host: "127.0.0.1",
    port: 0,
    handler: (exchange) => handle(exchange),
    bodyBytesMax: BODY_BYTES_MAX,
    headerBytesMax: HEADER_BYTES_MAX,
    socketBytesMax: 1_000,
    tls: {
      certificates: [{ hosts: ["a.example"], ...OWN, certFile: "", keyFile: "" }],
      minVersion: "TLSv1.2",
      clientAuth: "none",
      clientCa: "",
      clientCaFile: "",
      redirectPort: null,
      hsts: "",
    },
  });
}

beforeAll(async () => {
  listener = await listen();
});

afterEach(() => {
  for (const session of sessions) session.destroy();
  for (const socket of sockets) socket.destroy();
  sessions = [];
  sockets = [];
});

afterAll(() => listener.drain(0));

function dial(port: number = listener.port): ClientHttp2Session {
  const session = connect(`https://127.0.0.1:${port}`, {
    rejectUnauthorized: false,
    servername: "a.example",
  });
  session.on("error", () => {});
  sessions.push(session);
  return session;
}

interface Answer {
  readonly headers: Record<string, unknown>;
  readonly status: number;
  readonly text: string;
}

async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
  let text = "";
  stream.setEncoding("utf8");
  for await (const chunk of stream) text += String(chunk);
  return { headers, status: Number(headers[":status"]), text };
}

function get(path: string, more: OutgoingHttpHeaders = {}): Promise<Answer> {
  const stream = dial().request({ ":path": path, ":authority": "a.example", ...more });
  return answerOf(stream);
}

function read(exchange: Exchange): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Uint8Array[] = [];
  exchange.readBody({
    chunk: (bytes) => chunks.push(bytes),
    end: () => resolve(Buffer.concat(chunks)),
    fail: (message) => reject(new Error(message)),
  });
  return promise;
}

/** A connection that speaks HTTP/2 by hand. */
async function raw(): Promise<TLSSocket> {
  const socket = connectTls({
    port: listener.port,
    host: "127.0.0.1",
    rejectUnauthorized: false,
    ALPNProtocols: ["h2"],
  });
  socket.on("error", () => {});
  sockets.push(socket);
  await once(socket, "secureConnect");
  expect(socket.alpnProtocol).toBe("h2");
  socket.write(PREFACE);
  socket.write(frame(4, 0, 0, Buffer.alloc(0)));
  return socket;
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.byteLength, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

test("a request is what it is over HTTP/1", async () => {
  handle = (exchange) => {
    const { method, url, path, host, authority, scheme, headers, hasBody, protocol } = exchange;
    const address = exchange.remoteAddress();
    const seen = {
      method,
      url,
      path,
      host,
      authority,
      scheme,
      headers,
      hasBody,
      protocol,
      address,
    };
    exchange.reply(200, "content-type\napplication/json\n", JSON.stringify(seen));
  };
  const { headers, text } = await get("/a/b?c=d", { cookie: ["x=1", "y=2"], "x-name": "ü" });
  expect(JSON.parse(text)).toEqual({
    method: "GET",
    url: "/a/b?c=d",
    path: "/a/b",
    host: "a.example",
    authority: "a.example",
    scheme: "https",
    headers: expect.stringMatching(/^host\na\.example\nx-name\n.*\ncookie\nx=1; y=2\n$/),
    hasBody: false,
    protocol: "HTTP/2 TLSv1.3",
    address: "127.0.0.1",
  });
  expect(headers["x-request-id"]).toMatch(/^\w+$/);
  expect(headers["content-length"]).toBe(String(Buffer.byteLength(text)));
  expect(headers).not.toHaveProperty("connection");
});

test("HTTP/1 is answered on the same port, and WebSockets are asked for there", async () => {
  handle = (exchange) =>
    exchange.reply(200, "", `${exchange.upgrade !== null} ${exchange.protocol}`);
  const socket = connectTls({
    port: listener.port,
    host: "127.0.0.1",
    rejectUnauthorized: false,
    ALPNProtocols: ["http/1.1"],
  });
  sockets.push(socket);
  socket.write(
    "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n" +
      "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  const [bytes] = (await once(socket, "data")) as [Buffer];
  expect(bytes.toString()).toMatch(/^HTTP\/1\.1 200 OK[^]*true HTTP\/1\.1 TLSv1\.3$/);
});

test("a body goes in and a reply comes out in pieces, as both ends take them", async () => {
  const size = 4_000_000;
  let held = 0;
  handle = (exchange) => {
    exchange.begin(200, "");
    exchange.onDrained(() => exchange.resumeBody());
    exchange.readBody({
      chunk(bytes) {
        if (exchange.write(bytes)) return;
        held++;
        exchange.pauseBody();
      },
      end: () => exchange.finish(),
      fail: () => exchange.reset(),
    });
  };
  const stream = dial().request({ ":method": "POST", ":path": "/" });
  const sent = Buffer.alloc(size, "0123456789");
  stream.end(sent);
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  expect(Buffer.concat(chunks).equals(sent)).toBe(true);
  expect(held).toBeGreaterThan(0);
});

test("many requests at once on one connection are each answered", async () => {
  handle = (exchange) => void read(exchange).then((body) => exchange.reply(200, "", body));
  const session = dial();
  const texts = await Promise.all(
    Array.from({ length: 100 }, async (_, i) => {
      const stream = session.request({ ":method": "POST", ":path": "/" });
      stream.end(`body ${i}`);
      return (await answerOf(stream)).text;
    }),
  );
  expect(texts).toEqual(Array.from({ length: 100 }, (_, i) => `body ${i}`));
});

test("fields of one name stay apart or become a list, and those of HTTP/1 stay behind", async () => {
  handle = (exchange) =>
    exchange.reply(
      200,
      "set-cookie\na=1\nset-cookie\nb=2\nVary\na\nvary\nb\netag\n1\netag\n2\nte\nx\nupgrade\nx\n",
      null,
    );
  const { headers } = await get("/");
  expect(headers).toMatchObject({ "set-cookie": ["a=1", "b=2"], vary: "a, b", etag: "1" });
  expect(headers).not.toHaveProperty("te");
});

test.each([
  ["HEAD", 200],
  ["GET", 204],
  ["GET", 304],
])("a reply to %s with %i has no body", async (method, status) => {
  handle = (exchange) => exchange.reply(status, "", "abc");
  const answer = await get("/", { ":method": method });
  expect([answer.status, answer.text]).toEqual([status, ""]);
});

test.each([
  ["amid its body", 0, "The client went away."],
  ["after its body", 1, "whole"],
])("a client that resets its stream %s is gone", async (_when, end, outcome) => {
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  const { promise: body, resolve: ended } = Promise.withResolvers<string>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  handle = (exchange) => {
    exchange.onGone(resolve);
    exchange.readBody({ chunk: () => begin(), end: () => ended("whole"), fail: ended });
  };
  // By hand: Node's client ends a body before it resets the stream.
  const client = await raw();
  client.write(frame(1, 4, 1, POST));
  client.write(frame(0, end, 1, Buffer.from("x")));
  await begun;
  client.write(frame(3, 0, 1, CANCEL));
  await gone;
  expect(await body).toBe(outcome);
});

test("a reply that is reset breaks its stream and no other", async () => {
  handle = (exchange) => {
    if (exchange.path === "/well") return exchange.reply(200, "", "well");
    exchange.begin(200, "");
    exchange.write(Buffer.from("half"));
    setImmediate(() => exchange.reset());
  };
  const session = dial();
  const stream = session.request({ ":path": "/broken" });
  await expect(answerOf(stream)).rejects.toThrow();
  expect(stream.rstCode).toBe(constants.NGHTTP2_INTERNAL_ERROR);
  expect((await answerOf(session.request({ ":path": "/well" }))).text).toBe("well");
});

test("a reply before the body's end is whole, and the client is told to stop", async () => {
  handle = (exchange) => exchange.reply(403, "", "x".repeat(300_000));
  const stream = dial().request({ ":method": "POST", ":path": "/" });
  stream.write("first");
  const { status, text } = await answerOf(stream);
  expect([status, text.length]).toEqual([403, 300_000]);
  if (!stream.closed) await once(stream, "close");
  expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
});

test("a longer body than allowed is 413", async () => {
  handle = (exchange) => {
    exchange.limitBody(1_000);
    void read(exchange).catch(() => {});
  };
  const stream = dial().request({ ":method": "POST", ":path": "/" });
  stream.end(Buffer.alloc(1_001));
  expect((await answerOf(stream)).status).toBe(413);
});

test("Expect: 100-continue is answered", async () => {
  handle = (exchange) => void read(exchange).then((body) => exchange.reply(200, "", body));
  const stream = dial().request({ ":method": "POST", ":path": "/", expect: "100-continue" });
  await once(stream, "continue");
  stream.end("now");
  expect((await answerOf(stream)).text).toBe("now");
});

test.each([
  ["two hosts that differ", { host: "b.example" }, 400],
  ["a port that is none", { ":authority": "a.example:99999" }, 400],
  ["an address that is too long", { ":path": `/${"x".repeat(17_000)}` }, 414],
])("%s is refused", async (_what, headers, status) => {
  handle = (exchange) => exchange.reply(200, "", "");
  expect((await get("/", headers)).status).toBe(status);
});

test("headers above the limit are refused, those at it are taken", async () => {
  handle = (exchange) => exchange.reply(200, "", "");
  const fill = (bytes: number): OutgoingHttpHeaders => ({ "x-fill": "x".repeat(bytes) });
  expect((await get("/", fill(HEADER_BYTES_MAX - 1_000))).status).toBe(200);
  const stream = dial().request({ ":path": "/", ...fill(HEADER_BYTES_MAX + 1) });
  const end = await answerOf(stream).then(
    ({ status }) => status,
    () => "reset",
  );
  expect([431, "reset"]).toContain(end);
});

test("a listener that drains lets open streams end and takes no more", async () => {
  const leaving = await listen();
  const { promise: asked, resolve } = Promise.withResolvers<Exchange>();
  handle = (exchange) => resolve(exchange);
  const session = dial(leaving.port);
  const answer = answerOf(session.request({ ":path": "/" }));
  const exchange = await asked;
  const goaway = once(session, "goaway");
  const drained = leaving.drain(5_000);
  await goaway;
  exchange.reply(200, "", "late");
  expect((await answer).text).toBe("late");
  await drained;
});

test("requests that are reset as fast as they are sent end the connection alone", async () => {
  handle = (exchange) => exchange.begin(200, "");
  const other = dial();
  const flooding = await raw();
  const ended = once(flooding, "close");
  flooding.resume();
  for (let id = 1; id < 4_000; id += 2) {
    flooding.write(Buffer.concat([frame(1, 5, id, GET), frame(3, 0, id, CANCEL)]));
  }
  await ended;
  handle = (exchange) => exchange.reply(200, "", "well");
  expect((await answerOf(other.request({ ":path": "/" }))).text).toBe("well");
});

test.each([
  ["pings", frame(6, 0, 0, Buffer.alloc(8))],
  ["settings", frame(4, 0, 0, Buffer.alloc(0))],
])("%s that are never read the answers of end the connection", async (_what, one) => {
  handle = (exchange) => exchange.reply(200, "", "well");
  const flooding = await raw();
  flooding.pause();
  const many = Buffer.concat(Array.from({ length: 2_000 }, () => one));
  // Until the other end has had enough, which shows when it is written to.
  await new Promise<void>((resolve) => {
    flooding.once("error", () => resolve());
    const write = (): void => {
      while (flooding.writable && flooding.write(many));
      if (flooding.writable) flooding.once("drain", write);
      else resolve();
    };
    write();
  });
  expect((await get("/")).text).toBe("well");
});
