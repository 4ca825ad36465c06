// Fields behind a request's body: which of them a server gets, when, and what becomes of requests that have some.

import { writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { connect as connectHttp2 } from "node:http2";
import { once } from "node:events";
import { connect, type AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Dispatcher } from "undici";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { sendTrailing } from "../../runtime/gateway/upstream/trailing-request.ts";
import { createSelfSigned } from "../../runtime/supervisor/tls/self-signed.ts";
import { HEADER_BYTES_MAX } from "../../sdk/limits.ts";
import { temporary } from "../temporary.ts";
import { until } from "../waiting.ts";
import { openFront, type Front } from "./front.ts";

const OWN = createSelfSigned(["localhost"], Date.now());

interface Seen {
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  readonly trailers: IncomingMessage["trailers"];
}

const folder = temporary();
const servers: Server[] = [];
let node: Front;
let secure: Front;
let uws: Front;
let seen: Seen[] = [];

async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  if (incoming.url === "/one/early") return void response.end("early");
  if (incoming.url === "/one/reset") return void incoming.socket.destroy();
  const body = await text(incoming).catch(() => "broken off");
  seen.push({ headers: incoming.headers, body, trailers: incoming.trailers });
  response.writeHead(200, { trailer: "x-reply" });
  response.write("got it");
  response.addTrailers({ "x-reply": "1" });
  response.end();
}

async function open(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

beforeAll(async () => {
  const handle = (incoming: IncomingMessage, response: ServerResponse): void =>
    void serve(incoming, response);
  const plain = await open(createServer(handle));
  const tls = await open(createSecureServer({ cert: OWN.cert, key: OWN.key }, handle));
  for (const [name, content] of Object.entries({ crt: OWN.cert, key: OWN.key })) {
    writeFileSync(join(folder.path, `own.${name}`), content);
  }
  const routes = `
upstreams:
  one: { servers: ["http://127.0.0.1:${plain}"], retry: { attempts: 2, backoff: 0ms } }
  safe: { servers: ["https://127.0.0.1:${tls}"], tls: { ca: ${folder.path}/own.crt, serverName: localhost } }
  none: { servers: ["http://127.0.0.1:1", "http://127.0.0.1:${plain}"], retry: { attempts: 2, backoff: 0ms } }
routes:
  - { name: one, match: { path: "/one/*" }, target: { upstream: one } }
  - { name: safe, match: { path: /safe }, target: { upstream: safe } }
  - { name: none, match: { path: /none }, target: { upstream: none } }
`;
  const certificates = `[ { cert: ${folder.path}/own.crt, key: ${folder.path}/own.key } ]`;
  node = await openFront(routes, { kind: "node" });
  secure = await openFront(`tls: { certificates: ${certificates} }\n${routes}`, { kind: "node" });
  uws = await openFront(routes, { kind: "uws" });
});

afterAll(async () => {
  for (const front of [node, secure, uws]) await front?.[Symbol.asyncDispose]();
  for (const server of servers) server.close();
  folder[Symbol.dispose]();
});

beforeEach(() => void (seen = []));

/** Sends it in pieces and answers with all that comes until the connection ends. */
async function send(port: number, ...pieces: readonly string[]): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise(setImmediate);
  }
  return text(socket).catch(() => "reset");
}

const head = (path: string, announced: string, method = "POST"): string =>
  `${method} ${path} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n${announced}Transfer-Encoding: chunked\r\n\r\n`;
const BODY = "4\r\nbody\r\n0\r\n";

test("announced fields behind a body reach the server, with those of its reply on the way back", async () => {
  const announced = "Trailer: X-Sum, x-other\r\nTE: trailers\r\n";
  const reply = await send(
    node.port,
    head("/one/a", announced),
    BODY,
    "X-Sum: abc\r\nx-other: d\r\n\r\n",
  );
  expect(reply).toMatch(/^HTTP\/1\.1 200 [^]*got it[^]*x-reply: 1\r\n/);
  expect(seen).toMatchObject([{ body: "body", trailers: { "x-sum": "abc", "x-other": "d" } }]);
  expect(seen[0]?.headers).toMatchObject({
    trailer: "x-sum, x-other",
    te: "trailers",
    "transfer-encoding": "chunked",
  });
  // All at once, so that the body is there whole.
  await send(node.port, `${head("/one/a", announced)}${BODY}X-Sum: abc\r\n\r\n`);
  expect(seen[1]).toMatchObject({ body: "body", trailers: { "x-sum": "abc" } });
});

test("fields that would change the request never go on, nor what was not announced", async () => {
  const bad = [
    "host", "authorization", "cookie", "x-forwarded-for",
    "forwarded", "connection", "trailer", "te", "content-type", "x-request-id", "via", "sec-websocket-key",
  ]; // prettier-ignore
  await send(
    node.port,
    head("/one/a", `Trailer: x-sum, ${bad.join(", ")}\r\n`),
    BODY,
    `x-sum: abc\r\nx-late: 1\r\n${bad.map((name) => `${name}: 1\r\n`).join("")}\r\n`,
  );
  expect(seen.map(({ trailers }) => trailers)).toEqual([{ "x-sum": "abc" }]);
  expect(seen[0]?.headers.trailer).toBe("x-sum");
});

test.each(["content-length: 1", "transfer-encoding: chunked"])(
  "a trailer of %s never counts",
  async (field) => {
    const announced = `Trailer: x-sum, ${field.slice(0, field.indexOf(":"))}\r\n`;
    const request = head("/one/a", announced);
    await send(node.port, request, BODY, `${field}\r\nx-sum: abc\r\n\r\n`);
    // Node's parser refuses some of them by itself.
    for (const { body, trailers } of seen) {
      if (body !== "broken off") expect(trailers).toEqual({ "x-sum": "abc" });
    }
  },
);

test("without an announcement, or with one of nothing that may go on, a body goes on without", async () => {
  await send(node.port, head("/one/a", ""), BODY, "x-sum: abc\r\n\r\n");
  await send(node.port, head("/one/a", "Trailer: host, b@d\r\n"), BODY, "host: b\r\n\r\n");
  const named = "Connection: x-sum\r\nTrailer: x-sum\r\n";
  await send(node.port, head("/one/a", named), BODY, "x-sum: abc\r\n\r\n");
  expect(seen.map(({ body, trailers, headers }) => [body, trailers, headers.trailer])).toEqual(
    [1, 2, 3].map(() => ["body", {}, undefined]),
  );
  await send(node.port, head("/one/a", "Trailer: x-sum\r\n"), BODY, "\r\n");
  expect(seen[3]).toMatchObject({ body: "body", trailers: {} });
});

test("more of them than headers may have is refused before any goes on", async () => {
  const long = `x-sum: ${"a".repeat(HEADER_BYTES_MAX)}\r\n\r\n`;
  const reply = await send(node.port, head("/one/a", "Trailer: x-sum\r\n"), BODY, long);
  expect(reply).toMatch(/^(?:HTTP\/1\.1 4\d\d|reset|$)/);
  expect(seen.filter(({ body }) => body !== "broken off")).toEqual([]);
});

test("over HTTP/2, and to a server that is spoken to over TLS", async () => {
  const session = connectHttp2(`https://127.0.0.1:${secure.port}`, { rejectUnauthorized: false });
  const headers = { ":path": "/safe", ":method": "POST", trailer: "x-sum", "content-length": "4" };
  const stream = session.request(headers, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "abc", "x-late": "1" }));
  stream.end("body");
  const [reply] = (await once(stream, "response")) as [Record<string, unknown>];
  expect([reply[":status"], await text(stream)]).toEqual([200, "got it"]);
  session.close();
  expect(seen).toMatchObject([{ body: "body", trailers: { "x-sum": "abc" } }]);
  expect(seen[0]?.headers["content-length"]).toBeUndefined();
});

test("such requests are tried again, answered early and fail as others do", async () => {
  const announced = "Trailer: x-sum\r\n";
  for (let times = 0; times < 2; times++) {
    const again = head("/none", announced, "PUT");
    expect(await send(node.port, again, BODY, "x-sum: abc\r\n\r\n")).toContain(" 200 OK");
  }
  expect(seen.map(({ body, trailers }) => [body, trailers])).toEqual([
    ["body", { "x-sum": "abc" }],
    ["body", { "x-sum": "abc" }],
  ]);
  const early = await send(node.port, head("/one/early", announced), BODY, "x-sum: a\r\n\r\n");
  expect(early).toContain("early");
  const reset = await send(node.port, head("/one/reset", announced), BODY, "x-sum: a\r\n\r\n");
  expect(reset).toContain(" 502 ");
});

test("on uws they are refused by the parser", async () => {
  const announced = "Trailer: x-sum\r\n";
  const reply = await send(uws.port, head("/one/a", announced), BODY, "x-sum: abc\r\n\r\n");
  expect(reply).toMatch(/^(?:HTTP\/1\.1 505|reset|$)/);
});

test("a reply that is there whole is not lost when its connection ends before it is taken", async () => {
  const port = await open(createServer((_incoming, response) => void response.end("all of it")));
  let isHungUp = false;
  let control: Dispatcher.DispatchController | null = null;
  let told = "";
  sendTrailing(
    {
      origin: `http://127.0.0.1:${port}`,
      connect: (_options, done) => {
        const socket = connect({ port, host: "127.0.0.1" });
        socket.on("close", () => setImmediate(() => (isHungUp = true)));
        done(null, socket);
      },
    },
    {
      method: "POST",
      path: "/",
      headers: ["host", "a.example"],
      body: Buffer.from("body"),
      trailing: { names: ["x-sum"], fields: () => [] },
    },
    {
      onResponseStart: (controller) => {
        control = controller;
        controller.pause();
      },
      onResponseData: (_controller, chunk) => void (told += String(chunk)),
      onResponseEnd: () => void (told += ", ended"),
      onResponseError: (_controller, error) => void (told += error.message),
    },
  );
  await until("the server has hung up", () => isHungUp);
  (control as Dispatcher.DispatchController | null)?.resume();
  await until("it is told how it ended", () => told !== "" && told !== "all of it");
  expect(told).toBe("all of it, ended");
});
