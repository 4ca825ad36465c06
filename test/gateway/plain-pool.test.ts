// The gateway's own connections to a server that does what it is told with each request it sees.

import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { Dispatcher } from "undici";
import { Pool } from "undici";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  PlainPool,
  type PlainPoolOptions,
} from "../../runtime/gateway/upstream/http1/plain-pool.ts";
import { EdgeError } from "../../sdk/errors.ts";

const OK = "HTTP/1.1 200 OK\r\n";
const HI = `${OK}Content-Length: 2\r\n\r\nhi`;

let server: Server;
/** Of each connection, in order. */
let sockets: Socket[];
/** Each request's bytes. */
let seen: string[];
let answer: (socket: Socket, request: string) => void;
let port: number;
const pools: PlainPool[] = [];

beforeEach(async () => {
  sockets = [];
  seen = [];
  answer = (socket) => socket.write(HI);
  server = createServer({ noDelay: true }, (socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      const text = bytes.toString("latin1");
      seen.push(text);
      answer(socket, text);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
});

afterEach(() => {
  for (const pool of pools.splice(0)) pool.close();
  for (const socket of sockets) socket.destroy();
  server.close();
});

function openPool(options: Partial<PlainPoolOptions> = {}): PlainPool {
  const pool = new PlainPool({
    address: { host: "127.0.0.1", port, socketPath: null },
    connectMs: 5_000,
    maxConnections: 4,
    keepAliveMs: 5_000,
    requestsPerConnection: 0,
    ...options,
  });
  pools.push(pool);
  return pool;
}

const GET: Dispatcher.DispatchOptions = { method: "GET", path: "/", headers: ["host", "a"] };

class Asked implements Dispatcher.DispatchHandler {
  controller: Dispatcher.DispatchController | null = null;
  status = 0;
  body = "";
  isWhole = false;
  readonly started = Promise.withResolvers<void>();
  readonly replied = Promise.withResolvers<void>();
  readonly over = Promise.withResolvers<string>();
  onData: () => void = () => {};

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    this.started.resolve();
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.status = status;
    this.replied.resolve();
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.body += chunk.toString("latin1");
    this.onData();
  }

  onResponseEnd(): void {
    this.over.resolve(this.body);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.over.resolve(error.message);
  }
}

class AskedWhole extends Asked {
  onResponseWhole(_controller: Dispatcher.DispatchController, status: number, body: Uint8Array) {
    this.status = status;
    this.isWhole = true;
    this.over.resolve(Buffer.from(body).toString("latin1"));
  }
}

function ask(pool: PlainPool, request: Partial<Dispatcher.DispatchOptions> = {}): Asked {
  const asked = new AskedWhole();
  expect(pool.dispatch({ ...GET, ...request }, asked)).toBe(true);
  return asked;
}

test("a connection is used again, and by one request at a time", async () => {
  const pool = openPool();
  for (let count = 0; count < 3; count++) expect(await ask(pool).over.promise).toBe("hi");
  expect(sockets).toHaveLength(1);
  const three = [ask(pool), ask(pool), ask(pool)];
  expect(await Promise.all(three.map(({ over }) => over.promise))).toEqual(["hi", "hi", "hi"]);
  expect(sockets).toHaveLength(3);
});

test("no more connections are opened than are allowed: requests wait for one", async () => {
  const pool = openPool({ maxConnections: 2 });
  const all = Array.from({ length: 6 }, () => ask(pool));
  for (const { over } of all) expect(await over.promise).toBe("hi");
  expect(sockets).toHaveLength(2);
});

test("what is sent is what undici sends", async () => {
  const undici = new Pool(`http://127.0.0.1:${port}`);
  const requests: Dispatcher.DispatchOptions[] = [
    { ...GET, path: "/a?b=%20", headers: ["host", "a", "x-a", "caf\xe9", "x-a", "2"] },
    { ...GET, method: "POST", headers: ["host", "a", "content-length", "0"] },
    {
      ...GET,
      method: "PUT",
      headers: ["host", "a", "content-length", "3"],
      body: Buffer.from("abc"),
    },
    { ...GET, method: "REPORT" },
  ];
  const fieldsOf = (text: string): unknown => {
    const [head = "", body] = text.split("\r\n\r\n");
    const [line, ...fields] = head.split("\r\n");
    return { line, fields: fields.sort(), body };
  };
  for (const request of requests) {
    await ask(openPool(), request).over.promise;
    const other = new Asked();
    undici.dispatch(request, other);
    await other.over.promise;
    const [own = "", theirs = ""] = seen.splice(0);
    expect(fieldsOf(own)).toEqual(fieldsOf(theirs));
  }
  await undici.destroy();
});

test.each<[string, Partial<Dispatcher.DispatchOptions>]>([
  ["HEAD", { method: "HEAD" }],
  ["CONNECT", { method: "CONNECT" }],
  ["a method that is none", { method: "G T" }],
  ["a space in the address", { path: "/a b" }],
  ["a line break in the address", { path: "/a\r\nx: y" }],
  ["a line break in a value", { headers: ["x", "a\r\ny: z"] }],
  ["a NUL in a value", { headers: ["x", "a\0"] }],
  ["a value beyond Latin-1", { headers: ["x", "\u20ac"] }],
  ["a name that is none", { headers: ["x y", "a"] }],
  ["a coding of its own", { headers: ["transfer-encoding", "chunked"] }],
  ["a connection of its own", { headers: ["connection", "close"] }],
  ["a length without a body", { headers: ["content-length", "3"] }],
  ["another length than the body's", { headers: ["content-length", "3"], body: Buffer.from("ab") }],
  ["a body without a length", { headers: [], body: Buffer.from("ab") }],
  ["a body that is not there yet", { body: "later" }],
])("%s is not for here", (_name, request) => {
  expect(openPool().dispatch({ ...GET, ...request }, new Asked())).toBe(false);
});

test("a short reply that comes in one piece is told as one; in two as it comes", async () => {
  const pool = openPool();
  const one = ask(pool);
  expect(await one.over.promise).toBe("hi");
  expect(one.isWhole).toBe(true);

  answer = (socket) => socket.write(`${OK}Content-Length: 2\r\n\r\nh`);
  const two = ask(pool);
  const first = Promise.withResolvers<void>();
  two.onData = first.resolve;
  await first.promise;
  expect([two.status, two.body, two.isWhole]).toEqual([200, "h", false]);
  sockets.at(-1)?.write("i");
  expect(await two.over.promise).toBe("hi");
});

test("a head is told before there is any of the body", async () => {
  answer = (socket) => socket.write(`${OK}Content-Length: 2\r\n\r\n`);
  const asked = ask(openPool());
  await asked.replied.promise;
  sockets[0]?.write("hi");
  expect(await asked.over.promise).toBe("hi");
});

test.each([
  ["behind a reply", `${HI}${OK}Content-Length: 6\r\n\r\npoison`],
  ["behind a reply without a body", `HTTP/1.1 204 No Content\r\n\r\n${HI}`],
])("bytes %s end the connection, and are nobody's reply", async (_name, bytes) => {
  const pool = openPool({ maxConnections: 1 });
  answer = (socket) => socket.write(bytes);
  const first = ask(pool);
  await first.over.promise;
  answer = (socket) => socket.write(HI);
  expect(await ask(pool).over.promise).toBe("hi");
  expect(sockets).toHaveLength(2);
});

test("bytes that come while nobody waits for a reply end the connection", async () => {
  const pool = openPool({ maxConnections: 1 });
  await ask(pool).over.promise;
  sockets[0]?.write(`${OK}Content-Length: 6\r\n\r\npoison`);
  await once(sockets[0] as Socket, "close");
  expect(await ask(pool).over.promise).toBe("hi");
  expect(sockets).toHaveLength(2);
});

test.each([
  ["says that it closes", "Connection: close\r\nContent-Length: 2\r\n\r\nhi"],
  ["says so in a list", "Connection: x, Close\r\nContent-Length: 2\r\n\r\nhi"],
  ["waits less than it takes to be sure", "Keep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nhi"],
])("a server that %s is asked on another connection", async (_name, rest) => {
  const pool = openPool();
  answer = (socket) => socket.write(`${OK}${rest}`);
  await ask(pool).over.promise;
  await ask(pool).over.promise;
  expect(sockets).toHaveLength(2);
});

test("a connection carries as many requests as it may, and says when it is the last", async () => {
  const pool = openPool({ requestsPerConnection: 2 });
  for (let count = 0; count < 4; count++) await ask(pool).over.promise;
  expect(sockets).toHaveLength(2);
  expect(seen.map((text) => text.includes("connection: close"))).toEqual([
    false,
    true,
    false,
    true,
  ]);
});

test("a connection that is not used ends when its time is over", async () => {
  const pool = openPool({ keepAliveMs: 50 });
  await ask(pool).over.promise;
  await once(sockets[0] as Socket, "close");
  expect(await ask(pool).over.promise).toBe("hi");
});

test("each request that waits is told that nobody listens", async () => {
  server.close();
  const pool = openPool();
  const all = [ask(pool), ask(pool), ask(pool), ask(pool), ask(pool), ask(pool)];
  for (const { over } of all) expect(await over.promise).toContain("ECONNREFUSED");
});

test("a server that breaks off, or resets, is a failure; up to its end is a body", async () => {
  const pool = openPool();
  answer = (socket) => socket.end(`${OK}Content-Length: 9\r\n\r\nhi`);
  expect(await ask(pool).over.promise).toBe("the connection was closed");
  answer = (socket) => socket.resetAndDestroy();
  expect(await ask(pool).over.promise).toMatch(/ECONNRESET|closed/);
  answer = (socket) => socket.end(`${OK}\r\nhi`);
  expect(await ask(pool).over.promise).toBe("hi");
});

test("an aborted request ends its connection, and no other one", async () => {
  const pool = openPool();
  answer = () => {};
  const gone = ask(pool);
  await gone.started.promise;
  gone.controller?.abort(new EdgeError("CANCELLED"));
  await once(sockets[0] as Socket, "close");

  answer = (socket) => socket.write(HI);
  const done = ask(pool);
  await done.over.promise;
  const later = ask(pool);
  // It is over; whatever its owner still does means no other request.
  done.controller?.abort(new EdgeError("CANCELLED"));
  done.controller?.pause();
  expect(await later.over.promise).toBe("hi");
});

test("a request that is aborted before it is sent is not sent", async () => {
  const pool = openPool({ maxConnections: 1 });
  const gone = new AskedWhole();
  gone.onRequestStart = (controller) => controller.abort(new EdgeError("CANCELLED"));
  pool.dispatch({ ...GET, path: "/gone" }, gone);
  expect(await ask(pool, { path: "/next" }).over.promise).toBe("hi");
  expect(seen.join("")).not.toContain("/gone");
});

test("a reply that is not taken holds the server back, and goes on", async () => {
  const bytes = 32 * 1024 * 1024;
  const full = Promise.withResolvers<void>();
  answer = (socket) => {
    socket.write(`${OK}Content-Length: ${bytes}\r\n\r\n`);
    if (!socket.write(Buffer.alloc(bytes))) full.resolve();
  };
  const pool = openPool();
  const asked = ask(pool);
  let got = 0;
  asked.onResponseData = (controller, chunk) => {
    if (got === 0) controller.pause();
    got += chunk.byteLength;
  };
  await asked.replied.promise;
  await full.promise;
  // Time enough for all of it, were it read.
  for (let turn = 0; turn < 500; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(got).toBeLessThan(bytes);
  asked.controller?.resume();
  await asked.over.promise;
  expect(got).toBe(bytes);
  answer = (socket) => socket.write(HI);
  expect(await ask(pool).over.promise).toBe("hi");
});

test("closed, a pool finishes what is open and keeps no connection", async () => {
  const pool = openPool();
  await ask(pool).over.promise;
  answer = () => {};
  const open = ask(pool);
  await open.started.promise;
  pool.close();
  expect(pool.dispatch(GET, new Asked())).toBe(false);
  sockets[0]?.write(HI);
  expect(await open.over.promise).toBe("hi");
  await once(sockets[0] as Socket, "close");
});
