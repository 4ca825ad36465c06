// Requests of which a server of HTTP/2 says that it has done nothing with them (RFC 9113, section 8.7): they are sent
// again whatever their method, as after a connection that was never made.

import { once } from "node:events";
import { constants, createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import { createServer as createTcp, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { until } from "../waiting.ts";
import { openFront, type Front } from "./front.ts";

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = constants;
/** Frames as bytes: length, type, flags, stream, content. */
const SETTINGS: Buffer = Buffer.from("000000040000000000", "hex");
const GOAWAY_BEFORE_ALL: Buffer = Buffer.from("000008070000000000".padEnd(34, "0"), "hex");
const HEADERS_TYPE = 1;
const HEADERS_OF_FIRST: Buffer = Buffer.from("00000001", "hex");

const servers: Server[] = [];
const sockets = new Set<Socket>();

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

async function listen(onSocket: (socket: Socket) => void): Promise<number> {
  const server = createTcp((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    onSocket(socket);
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

type Serve = (stream: ServerHttp2Stream) => void;

function speakHttp2(serve: Serve, settings: { maxConcurrentStreams?: number } = {}): Http2Server {
  const server = createServer({ settings });
  server.on("session", (session) => session.on("error", () => {}));
  server.on("stream", (stream) => {
    stream.on("error", () => {});
    serve(stream);
  });
  return server;
}

async function listenHttp2(serve: Serve): Promise<number> {
  const server = speakHttp2(serve);
  return listen((socket) => server.emit("connection", socket));
}

function echo(stream: ServerHttp2Stream): void {
  stream.respond({ ":status": 200 });
  stream.pipe(stream);
}

function openTo(ports: readonly number[], more: string): Promise<Front> {
  const list = ports.map((port) => `"http://127.0.0.1:${port}"`).join(", ");
  return openFront(`
upstreams: { one: { http2: true, servers: [${list}], ${more} } }
routes: [ { name: one, match: { path: "/*" }, target: { upstream: one } } ]`);
}

async function post(
  front: Front,
  body: string | ReadableStream,
): Promise<[number, string | null, string]> {
  const reply = await front.get("/", { method: "POST", body, duplex: "half" });
  const text = await reply.text();
  return [reply.status, reply.headers.get("x-edge-attempts"), reply.ok ? text : ""];
}

test("a stream that one server refuses goes to another", async () => {
  let refused = 0;
  const refuser = await listenHttp2((stream) => {
    refused++;
    stream.close(NGHTTP2_REFUSED_STREAM);
  });
  await using front = await openTo([refuser, await listenHttp2(echo)], "breaker: false");
  for (const text of ["one", "two"]) expect(await post(front, text)).toEqual([200, null, text]);
  expect(refused).toBe(1);
});

test("a server that refuses every stream is asked as often as one that cannot be reached, and left alone", async () => {
  let refused = 0;
  const refuser = await listenHttp2((stream) => {
    refused++;
    stream.close(NGHTTP2_REFUSED_STREAM);
  });
  await using front = await openTo([refuser], "breaker: { failures: 3, openFor: 1h }");
  expect(await post(front, "text")).toEqual([502, "3", ""]);
  expect(refused).toBe(3);
  expect(front.lines.join("\n")).toContain("the server refused the stream");
  expect(front.gateway.upstreams()[0]?.servers[0]).toMatchObject({ breaker: "open", failures: 3 });
  expect(await post(front, "text")).toEqual([503, null, ""]);
  expect(refused).toBe(3);
});

test("a stream that is refused is not sent again where nothing is, nor without its whole body", async () => {
  let refused = 0;
  const refuser = await listenHttp2((stream) => {
    refused++;
    stream.close(NGHTTP2_REFUSED_STREAM);
  });
  await using never = await openTo([refuser], "breaker: false, retry: false");
  expect(await post(never, "text")).toEqual([502, "1", ""]);
  await using other = await openTo([refuser], "breaker: false, retry: { on: [reset] }");
  expect(await post(other, "text")).toEqual([502, "1", ""]);
  await using short = await openTo([refuser], "breaker: false, retry: { bodyLimit: 1KiB }");
  expect(await post(short, "x".repeat(1_025))).toEqual([502, "1", ""]);
  expect(refused).toBe(3);
  expect(await post(short, "x".repeat(1_024))).toEqual([502, "3", ""]);
});

test.each([
  { kept: "is kept", bytes: 512, ends: [200, null, 1_024] },
  { kept: "is not", bytes: 1_025, ends: [502, "1", 0] },
])("a body that is refused on its way begins anew where it $kept", async ({ bytes, ends }) => {
  let streams = 0;
  const port = await listenHttp2((stream) => {
    if (++streams > 1) echo(stream);
    else {
      let got = 0;
      stream.on("data", (piece: Buffer) => {
        got += piece.byteLength;
        if (got === bytes) stream.close(NGHTTP2_REFUSED_STREAM);
      });
    }
  });
  await using front = await openTo([port], "breaker: false, retry: { bodyLimit: 1KiB }");
  let rest: ReadableStreamDefaultController<Uint8Array> | null = null;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new Uint8Array(bytes));
      rest = controller;
    },
  });
  const done = post(front, body);
  if (ends[0] === 200) {
    await until("it is sent again", () => streams === 2);
    const controller = rest as ReadableStreamDefaultController<Uint8Array> | null;
    controller?.enqueue(new Uint8Array(1_024 - bytes));
    controller?.close();
  }
  const [status, attempts, text] = await done;
  expect([status, attempts, text.length]).toEqual(ends);
});

test.each([
  { says: "farewell", code: NGHTTP2_NO_ERROR, first: 200 },
  { says: "that it has enough", code: NGHTTP2_ENHANCE_YOUR_CALM, first: 502 },
])("a server that says $says is asked anew for what it has not seen", async ({ code, first }) => {
  const held: ServerHttp2Stream[] = [];
  let isGone = false;
  const port = await listenHttp2((stream) => {
    if (isGone) echo(stream);
    else held.push(stream);
  });
  await using front = await openTo([port], "breaker: { failures: 2, openFor: 1h }");
  const calls = Array.from({ length: 4 }, () => post(front, "text"));
  await until("all are there", () => held.length === 4);
  const seen = held.find(({ id }) => id === 1);
  expect(new Set(held.map(({ session }) => session)).size).toBe(1);
  isGone = true;
  seen?.session?.goaway(code, seen.id);
  if (first === 200 && seen !== undefined) echo(seen);
  const statuses = (await Promise.all(calls)).map(([status]) => status);
  expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 200, 200, first]);
  expect(front.gateway.upstreams()[0]?.servers[0]?.breaker).toBe("closed");
});

test("a server that says nothing but farewell is not asked for ever, and its breaker stays", async () => {
  let asked = 0;
  const port = await listen((socket) => {
    socket.write(SETTINGS);
    socket.on("data", (bytes: Buffer) => {
      const at = bytes.indexOf(HEADERS_OF_FIRST);
      if (at < 2 || bytes[at - 2] !== HEADERS_TYPE) return;
      asked++;
      socket.end(GOAWAY_BEFORE_ALL);
    });
  });
  await using front = await openTo([port], "breaker: { failures: 1, openFor: 1h }");
  expect(await post(front, "text")).toEqual([502, "3", ""]);
  expect(asked).toBe(3);
  expect(front.lines.join("\n")).toContain("the server ended the session");
  expect(front.gateway.upstreams()[0]?.servers[0]?.breaker).toBe("closed");
});

test("a server that says farewell at once is not connected to for ever", async () => {
  let connections = 0;
  const port = await listen((socket) => {
    connections++;
    socket.end(Buffer.concat([SETTINGS, GOAWAY_BEFORE_ALL]));
  });
  await using front = await openTo([port], "breaker: false");
  expect(await post(front, "text")).toEqual([502, "3", ""]);
  expect(connections).toBe(3);
});

test("what waits for a session is not given to one that ends", async () => {
  const held: ServerHttp2Stream[] = [];
  const server = speakHttp2((stream) => void held.push(stream), { maxConcurrentStreams: 1 });
  const links: Socket[] = [];
  const port = await listen((socket) => {
    if (links.push(socket) === 1) server.emit("connection", socket);
  });
  await using front = await openTo([port], "breaker: false, retry: false");
  const lost = post(front, "lost");
  await until("it is there", () => held.length === 1);
  const waiting = post(front, "waiting");
  await until("it has a connection made", () => links.length === 2);
  links[0]?.destroy();
  expect(await lost).toEqual([502, "1", ""]);
  server.on("stream", echo);
  server.emit("connection", links[1]);
  expect(await waiting).toEqual([200, null, "waiting"]);
});
