// Fields of a request on their way to a server: as the bytes that came, in their order, and never such that a client could
// take away what a policy writes.

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createServer as createHttp2, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { RawClient } from "../http/raw-client.ts";
import { until } from "../waiting.ts";
import { openFront, type Front } from "./front.ts";

type Fields = Readonly<Record<string, unknown>>;
/** As it is written on the wire: its bytes in UTF-8. */
const NAME = "x Zoë 5€ x";
const WIRE: string = Buffer.from(NAME).toString("latin1");

let server: Server;
let http2: Http2Server;
let front: Front;
let seen: Fields[] = [];

async function listen(one: Server | Http2Server): Promise<number> {
  one.listen(0, "127.0.0.1");
  await once(one, "listening");
  return (one.address() as AddressInfo).port;
}

beforeAll(async () => {
  server = createServer((request, response) => {
    seen.push(request.headers);
    response.setHeader("x-user", WIRE);
    // Node would write head and text together, as UTF-8.
    request.resume().on("end", () => response.end(Buffer.from("ok")));
  });
  http2 = createHttp2((request, response) => {
    seen.push(request.headers);
    response.end("ok");
  });
  const [plain, streams] = [await listen(server), await listen(http2)];
  const key = "apiKey: { from: [header:x-api-key] }";
  front = await openFront(
    `
upstreams:
  plain: { servers: ["http://127.0.0.1:${plain}"], retry: false, breaker: { failures: 1 } }
  streams: { servers: ["http://127.0.0.1:${streams}"], http2: true, retry: false, breaker: { failures: 1 } }
consumers: { ann: { keys: ["0123456789abcdef0123"] } }
routes:
  - { name: plain, match: { path: "/plain" }, target: { upstream: plain } }
  - { name: streams, match: { path: "/streams" }, target: { upstream: streams } }
  - name: asked
    match: { path: "/asked" }
    target: { upstream: plain }
    policies: [ forwardAuth: { url: "http://127.0.0.1:${plain}/", responseHeaders: [x-user] } ]
  - name: known
    match: { path: "/known" }
    target: { upstream: plain }
    policies: [ { ${key} }, { headers: { request: { set: { x-inner: "no" } } } }, { mirror: { upstream: plain } } ]
`,
    { kind: "node" },
  );
});

afterAll(async () => {
  await front?.[Symbol.asyncDispose]();
  server?.close();
  http2?.close();
});

beforeEach(() => void (seen = []));

async function status(head: string, body = ""): Promise<number> {
  const client = new RawClient(front.port);
  client.send(Buffer.from(`${head}\r\nHost: a.example\r\n\r\n${body}`));
  const { status: got } = await client.reply();
  client.close();
  return got;
}

test.each([
  ["whole", `GET /plain HTTP/1.1\r\nX-Name: ${NAME}`, ""],
  [
    "in chunks",
    `POST /plain HTTP/1.1\r\nX-Name: ${NAME}\r\nTransfer-Encoding: chunked`,
    "0\r\n\r\n",
  ],
  ["without a body in reply", `HEAD /plain HTTP/1.1\r\nX-Name: ${NAME}`, ""],
  ["over HTTP/2", `GET /streams HTTP/1.1\r\nX-Name: ${NAME}`, ""],
])("bytes beyond ASCII in a field arrive as they came, %s", async (_how, head, body) => {
  const client = new RawClient(front.port);
  client.send(Buffer.from(`${head}\r\nHost: a.example\r\n\r\n${body}`));
  expect((await client.reply(true)).status).toBe(200);
  client.close();
  expect(seen).toMatchObject([{ "x-name": WIRE }]);
});

test("who is asked whether a request may pass sees the same bytes, and what it says goes on", async () => {
  expect(await status(`GET /asked HTTP/1.1\r\nX-Name: ${NAME}`)).toBe(200);
  expect(seen).toMatchObject([{ "x-name": WIRE }, { "x-name": WIRE, "x-user": WIRE }]);
});

test("fields of Via stay in their order", async () => {
  await status("GET /plain HTTP/1.1\r\nVia: 1.0 one\r\nVia: 1.1 two");
  expect(seen).toMatchObject([{ via: "1.0 one, 1.1 two, 1.1 islet" }]);
});

test("a field whose value is the word connection names none behind it", async () => {
  await status(
    "GET /plain HTTP/1.1\r\nX-Kind: connection\r\nX-Next: kept\r\nConnection: x-named\r\nX-Named: 1",
  );
  expect(seen).toMatchObject([{ "x-kind": "connection", "x-next": "kept" }]);
  expect(seen[0]).not.toHaveProperty("x-named");
});

test("what a client says of its own connection's HTTP/2 breaks none of ours", async () => {
  expect(await status("GET /streams HTTP/1.1\r\nHTTP2-Settings: AAMAAABk")).toBe(200);
  expect(seen.map((fields) => fields["http2-settings"])).toEqual([undefined]);
});

test("naming what a policy writes in Connection takes it from no server, and what the client writes there goes", async () => {
  const named =
    "Connection: x-consumer, X-Inner, x-named\r\nX-Inner: yes\r\nX-Consumer: ann\r\nX-Named: 1";
  expect(await status(`GET /known HTTP/1.1\r\n${named}\r\nX-Api-Key: 0123456789abcdef0123`)).toBe(
    200,
  );
  await until("the mirror has it too", () => seen.length === 2);
  for (const fields of seen) {
    expect(fields).toMatchObject({ "x-consumer": "ann", "x-inner": "no" });
    expect(fields["x-named"]).toBe(undefined);
  }
});
