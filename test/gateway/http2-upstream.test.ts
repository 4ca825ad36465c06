// Servers that are spoken to over HTTP/2: what reaches them and comes back, gRPC's fields behind the body among it, and
// what becomes of requests when a stream, a session or a server ends.

import { writeFileSync } from "node:fs";
import {
  connect as connectHttp2,
  constants,
  createSecureServer,
  createServer,
  type ClientHttp2Session,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { once } from "node:events";
import { createServer as createHttp1, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createSelfSigned } from "../../runtime/supervisor/tls/self-signed.ts";
import { temporary } from "../temporary.ts";
import { until } from "../waiting.ts";
import { openFront, type Front } from "./front.ts";

const OWN = createSelfSigned(["localhost"], Date.now());
type Fields = Record<string, string | string[] | number | undefined>;

interface Got {
  readonly head: Fields;
  readonly endsWithHead: boolean;
  readonly body: string;
  readonly trailers: Fields;
}

const folder = temporary();
const servers: Http2Server[] = [];
const http1: Server[] = [];
const sessions = new Set<ServerHttp2Session>();
let front: Front;
let client: ClientHttp2Session;
let asked: Fields[] = [];
let behind: Fields[] = [];
let open: ServerHttp2Stream[] = [];

function serve(stream: ServerHttp2Stream, headers: Fields): void {
  asked.push(headers);
  stream.on("error", () => {});
  stream.on("trailers", (fields: Fields) => behind.push({ ...fields }));
  const path = String(headers[":path"]);
  const respond = (more: Fields = {}): void =>
    stream.respond(
      { ":status": 200, "content-type": "application/grpc", ...more },
      { waitForTrailers: true },
    );
  const trail = (): void =>
    void stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "x-sum": "1" }));
  if (path.endsWith("/failed")) {
    return stream.respond(
      { ":status": 200, "content-type": "application/grpc", "grpc-status": "12" },
      { endStream: true },
    );
  }
  if (path.endsWith("/refused")) return stream.close(constants.NGHTTP2_REFUSED_STREAM);
  if (path.endsWith("/reset")) {
    respond();
    stream.write("half");
    return void setImmediate(() => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
  }
  if (path.endsWith("/short")) {
    stream.respond({ ":status": 200, "content-length": "10" });
    stream.write("half");
    return void setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR));
  }
  if (path.endsWith("/open")) return void open.push(stream);
  if (path.endsWith("/goaway")) stream.session?.goaway(constants.NGHTTP2_NO_ERROR);
  if (path.endsWith("/cookies")) {
    return stream.respond({ ":status": 204, "set-cookie": ["a=1", "b=2"] }, { endStream: true });
  }
  trail();
  respond();
  stream.pipe(stream);
}

async function listen(server: Http2Server): Promise<number> {
  servers.push(server);
  server.on("stream", serve);
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    session.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** Knows nothing of HTTP/2. */
async function listenHttp1(): Promise<number> {
  const server = createHttp1({ cert: OWN.cert, key: OWN.key }, (incoming, response) => {
    response.writeHead(200, { "x-version": incoming.httpVersion });
    incoming.pipe(response);
  });
  http1.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

beforeAll(async () => {
  const plain = await listen(createServer({ settings: { maxConcurrentStreams: 4 } }));
  const tls = await listen(createSecureServer({ cert: OWN.cert, key: OWN.key }));
  const old = await listenHttp1();
  for (const [name, content] of Object.entries({ crt: OWN.cert, key: OWN.key })) {
    writeFileSync(join(folder.path, `own.${name}`), content);
  }
  front = await openFront(
    `
tls: { certificates: [ { cert: ${folder.path}/own.crt, key: ${folder.path}/own.key } ] }
upstreams:
  plain: { http2: true, servers: ["http://127.0.0.1:${plain}"], retry: false, breaker: false }
  safe: { http2: true, servers: ["https://127.0.0.1:${tls}"], tls: { ca: ${folder.path}/own.crt, serverName: localhost } }
  brief: { http2: true, servers: ["http://127.0.0.1:${plain}"], retry: false, timeout: { firstByte: 10m } }
  old: { http2: true, servers: ["https://127.0.0.1:${old}"], tls: { ca: ${folder.path}/own.crt, serverName: localhost } }
routes:
  - { name: plain, match: { path: "/plain/*" }, target: { upstream: plain } }
  - { name: safe, match: { path: "/safe/*" }, target: { upstream: safe } }
  - { name: old, match: { path: "/old/*" }, target: { upstream: old } }
  - { name: brief, match: { path: "/brief/*" }, target: { upstream: brief } }
`,
    { kind: "node" },
  );
  client = connectHttp2(`https://127.0.0.1:${front.port}`, { rejectUnauthorized: false });
});

afterAll(async () => {
  client.close();
  await front[Symbol.asyncDispose]();
  for (const session of sessions) session.destroy();
  for (const server of [...servers, ...http1]) server.close();
  folder[Symbol.dispose]();
});

beforeEach(() => {
  asked = [];
  behind = [];
  open = [];
});

async function call(path: string, body = "", more: Fields = {}): Promise<Got> {
  const headers = { ":path": path, ":method": "POST", te: "trailers", ...more };
  const stream = client.request(headers);
  if (body === "") stream.end();
  else stream.end(body);
  let trailers: Fields = {};
  stream.on("trailers", (fields: Fields) => (trailers = { ...fields }));
  const [head, flags] = (await once(stream, "response")) as [Fields, number];
  const parts: Buffer[] = [];
  for await (const chunk of stream) parts.push(chunk as Buffer);
  const endsWithHead = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
  return { head, endsWithHead, body: Buffer.concat(parts).toString(), trailers };
}

test.each(["plain", "safe"])(
  "a call goes through with its trailers, to a %s server",
  async (name) => {
    const got = await call(`/${name}/echo`, "message", { "content-type": "application/grpc" });
    expect(got).toMatchObject({
      head: { ":status": 200, "content-type": "application/grpc" },
      body: "message",
      trailers: { "grpc-status": "0", "x-sum": "1" },
    });
    expect(asked).toMatchObject([
      {
        ":method": "POST",
        ":path": `/${name}/echo`,
        te: "trailers",
        "content-type": "application/grpc",
      },
    ]);
    expect(asked[0]?.[":scheme"]).toBe(name === "safe" ? "https" : "http");
  },
);

test("a failure that is nothing but a head stays that", async () => {
  const got = await call("/plain/failed", "message");
  expect(got).toMatchObject({ head: { "grpc-status": "12" }, endsWithHead: true, body: "" });
});

test("announced fields behind a request's body reach the server", async () => {
  const headers = { ":path": "/plain/echo", ":method": "POST", trailer: "x-sum, host" };
  const stream = client.request(headers, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "abc", "x-late": "1" }));
  stream.end("body");
  stream.resume();
  await once(stream, "end");
  expect(JSON.stringify(behind)).toBe('[{"x-sum":"abc"}]');
});

test("several fields of one name stay several, and a reply may have no body", async () => {
  const got = await call("/safe/cookies");
  expect(got.head).toMatchObject({ ":status": 204, "set-cookie": ["a=1", "b=2"] });
});

test("GET and HEAD have no body, and a server that does not speak it is told of", async () => {
  const got = await call("/plain/echo", "", { ":method": "GET" });
  expect([got.head[":status"], got.body, got.trailers["grpc-status"]]).toEqual([200, "", "0"]);
  const head = await call("/plain/echo", "", { ":method": "HEAD" });
  expect([head.head[":status"], head.body]).toEqual([200, ""]);
  expect(asked.map((headers) => headers[":method"])).toEqual(["GET", "HEAD"]);
  const old = await call("/old/echo", "as ever");
  expect(old.head[":status"]).toBe(502);
  expect(front.lines.join("\n")).toContain("the server speaks no HTTP/2");
});

test("messages flow both ways while the call goes on", async () => {
  const stream = client.request({ ":path": "/plain/echo", ":method": "POST", te: "trailers" });
  await once(stream, "response");
  for (const message of ["one", "two", "three"]) {
    stream.write(message);
    const [echoed] = (await once(stream, "data")) as [Buffer];
    expect(echoed.toString()).toBe(message);
  }
  stream.end();
  const [trailers] = (await once(stream, "trailers")) as [Fields];
  expect(trailers["grpc-status"]).toBe("0");
});

test("a body of 4 MB comes back whole", async () => {
  const body = "0123456789abcdef".repeat(256 * 1024);
  const got = await call("/safe/echo", body);
  expect(got.body.length).toBe(body.length);
  expect(got.trailers["grpc-status"]).toBe("0");
});

test("more calls at once than a session takes are spread over several", async () => {
  const calls = Array.from({ length: 12 }, () => call("/plain/open").catch(() => null));
  await until("all are there", () => open.length === 12);
  expect(new Set(open.map(({ session }) => session)).size).toBe(3);
  for (const stream of open) {
    stream.respond({ ":status": 200 });
    stream.end("done");
  }
  expect((await Promise.all(calls)).map((got) => got?.body)).toEqual(
    Array.from({ length: 12 }, () => "done"),
  );
});

test("a stream that breaks off in the middle is broken for the client, its neighbours go on", async () => {
  const other = call("/plain/open");
  await until("it is there", () => open.length === 1);
  await expect(call("/plain/reset")).rejects.toThrow();
  await expect(call("/plain/short")).rejects.toThrow();
  open[0]?.respond({ ":status": 200 });
  open[0]?.end("still here");
  expect((await other).body).toBe("still here");
});

test("a client that goes away ends its stream at the server", async () => {
  const stream = client.request({ ":path": "/plain/open", ":method": "POST" });
  stream.on("error", () => {});
  stream.write("begun");
  await until("it is there", () => open.length === 1);
  stream.close(constants.NGHTTP2_CANCEL);
  await until("the server knows", () => open[0]?.closed === true);
});

test("a stream that is refused is 502, and one without an answer 504", async () => {
  expect((await call("/plain/refused")).head[":status"]).toBe(502);
  const hanging = call("/brief/open");
  await until("it is there", () => open.length === 1);
  front.advance(601_000);
  expect((await hanging).head[":status"]).toBe(504);
  await until("the server knows", () => open[0]?.closed === true);
});

test("a server that says goodbye finishes what it has, and the next call has another session", async () => {
  const before = sessions.size;
  expect((await call("/plain/goaway", "last")).body).toBe("last");
  const all = await Promise.all(Array.from({ length: 8 }, () => call("/plain/echo", "next")));
  expect(all.map(({ body, trailers }) => [body, trailers["grpc-status"]])).toEqual(
    Array.from({ length: 8 }, () => ["next", "0"]),
  );
  expect(before).toBeGreaterThan(0);
});

test("sessions that are lost under calls fail those, and the next go through", async () => {
  const calls = Array.from({ length: 3 }, () => call("/plain/open"));
  await until("all are there", () => open.length === 3);
  for (const stream of open) stream.session?.destroy();
  expect((await Promise.all(calls)).map(({ head }) => head[":status"])).toEqual([502, 502, 502]);
  expect((await call("/plain/echo", "again")).body).toBe("again");
});
