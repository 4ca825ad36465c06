// Fields behind a reply's body: who gets them of a server, which of them, and what the server is told of that.

import { writeFileSync } from "node:fs";
import { request, createServer, type IncomingMessage, type Server } from "node:http";
import { connect as connectHttp2, sensitiveHeaders } from "node:http2";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createSelfSigned } from "../../runtime/supervisor/tls/self-signed.ts";
import { temporary } from "../temporary.ts";
import { openFront, type Front } from "./front.ts";

const OWN = createSelfSigned(["a.example"], Date.now());

interface Got {
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly trailers: Readonly<Record<string, unknown>>;
}

const folder = temporary();
let server: Server;
let uws: Front;
let node: Front;
let secure: Front;
let asked: IncomingMessage["headers"] = {};

beforeAll(async () => {
  server = createServer((incoming, response) => {
    asked = incoming.headers;
    response.writeHead(200, { "content-type": "text/plain" });
    response.write("the body");
    response.addTrailers([
      ["X-Sum", "abc"],
      ["x-sum", "def"],
      ["grpc-status", "0"],
      ["set-cookie", "a=1"],
      ["Content-Length", "1"],
      ["www-authenticate", "Basic"],
    ]);
    response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const routes = `
upstreams: { one: { servers: ["${url}"] } }
routes:
  - { name: one, match: { path: /one }, target: { upstream: one } }
  - { name: packed, match: { path: /packed }, target: { upstream: one }, policies: [ compression: { minSize: 1, types: [text/plain] } ] }
`;
  writeFileSync(join(folder.path, "own.crt"), OWN.cert);
  writeFileSync(join(folder.path, "own.key"), OWN.key);
  const tls = `tls: { certificates: [ { cert: ${folder.path}/own.crt, key: ${folder.path}/own.key } ] }\n`;
  uws = await openFront(routes, { kind: "uws" });
  node = await openFront(routes, { kind: "node" });
  secure = await openFront(tls + routes, { kind: "node" });
});

afterAll(async () => {
  for (const front of [uws, node, secure]) await front?.[Symbol.asyncDispose]();
  server.close();
  folder[Symbol.dispose]();
});

async function ask(front: Front, path: string, headers: Record<string, string>): Promise<Got> {
  const outgoing = request({ host: "127.0.0.1", port: front.port, path, headers, agent: false });
  outgoing.end();
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  const body = await text(response);
  return { body, headers: response.headers, trailers: response.trailers };
}

async function askOverHttp2(method: string, headers: Record<string, string>): Promise<Got> {
  const session = connectHttp2(`https://127.0.0.1:${secure.port}`, { rejectUnauthorized: false });
  const stream = session.request({ ":path": "/one", ":method": method, ...headers });
  stream.end();
  let trailers = {};
  stream.on("trailers", (fields) => {
    const { [sensitiveHeaders]: _, ...plain } = fields as Record<string | symbol, unknown>;
    trailers = plain;
  });
  const [head] = (await once(stream, "response")) as [Record<string, unknown>];
  const body = await text(stream);
  session.close();
  return { body, headers: head, trailers };
}

const WANTED = { "x-sum": "abc, def", "grpc-status": "0" };

test("whoever takes trailers gets them behind the body, but for those that would change the reply", async () => {
  const got = await ask(node, "/one", { te: "gzip;q=0.5, trailers" });
  expect(got).toMatchObject({ body: "the body", trailers: WANTED });
  expect(got.trailers).toEqual(WANTED);
  expect(got.headers).not.toHaveProperty("x-sum");
  expect(got.headers).not.toHaveProperty("set-cookie");
  expect(asked).toMatchObject({ te: "trailers", connection: "te, keep-alive" });
});

test("over HTTP/2 too, where a reply without a body has none", async () => {
  const got = await askOverHttp2("GET", { te: "trailers" });
  expect([got.body, got.trailers]).toEqual(["the body", WANTED]);
  const head = await askOverHttp2("HEAD", { te: "trailers" });
  expect([head.headers[":status"], head.body, head.trailers]).toEqual([200, "", {}]);
  expect((await askOverHttp2("GET", {})).trailers).toEqual({});
});

test("they go through policies that change the body", async () => {
  const got = await ask(node, "/packed", { te: "trailers", "accept-encoding": "gzip" });
  expect(got.headers).toMatchObject({ "content-encoding": "gzip" });
  expect(got.trailers).toEqual(WANTED);
});

test("whoever does not ask for them, or is on uws, gets the reply without", async () => {
  const plain = await ask(node, "/one", {});
  expect([plain.body, plain.trailers, asked.te]).toEqual(["the body", {}, undefined]);
  const other = await ask(uws, "/one", { te: "trailers" });
  expect([other.body, other.trailers, asked.te]).toEqual(["the body", {}, undefined]);
});
