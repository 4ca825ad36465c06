// Connections that a proxy in front hands on, over real sockets: whose they are, and what becomes of those without a
// header.

import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createSelfSigned } from "../../runtime/supervisor/tls/self-signed.ts";
import { temporary, type Temporary } from "../temporary.ts";
import { openFront, type Front } from "./front.ts";
import { openPeer, type Peer } from "./peer.ts";

const LINE = "PROXY TCP4 203.0.113.7 10.0.0.1 4660 80\r\n";
const BINARY = Buffer.from("0d0a0d0a000d0a515549540a2111000ccb0071080a00000112340050", "hex");
const ROUTES = `
proxyProtocol: { from: [127.0.0.1] }
routes:
  - { name: who, match: { path: /who }, target: { endpoint: hello },
      policies: [ headers: { request: { set: { x-who: "{request.ip}" } } } ] }
`;

let front: Front;
let secure: Front;
let peer: Peer;
let folder: Temporary;

beforeAll(async () => {
  peer = await openPeer();
  front = await openFront(
    `${ROUTES}  - { match: { path: "/up/*" }, target: { upstream: a, stripPrefix: /up } }
upstreams: { a: { servers: ["${peer.url}"] } }
`,
    { kind: "node" },
  );
  folder = temporary();
  const { cert, key } = createSelfSigned(["a.example"], Date.now());
  mkdirSync(folder.path, { recursive: true });
  writeFileSync(join(folder.path, "a.pem"), cert);
  writeFileSync(join(folder.path, "a.key"), key, { mode: 0o600 });
  secure = await openFront(`${ROUTES}tls: { certificates: [ { cert: a.pem, key: a.key } ] }\n`, {
    kind: "node",
    path: join(folder.path, "edge.yaml"),
  });
});

afterAll(async () => {
  await front[Symbol.asyncDispose]();
  await secure[Symbol.asyncDispose]();
  await peer[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const GET = "GET /who HTTP/1.1\r\nHost: a\r\n\r\n";
const LAST = "GET /who HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/** Everything that comes until the end of the connection. */
async function textOf(socket: Socket): Promise<string> {
  let text = "";
  socket.on("error", () => {});
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  await once(socket, "close");
  return text;
}

function dial(): Socket {
  return connect(front.port, "127.0.0.1");
}

test.each([
  ["a line", Buffer.from(LINE), "203.0.113.7"],
  ["a binary header", BINARY, "203.0.113.8"],
  ["a header of nobody", Buffer.from("PROXY UNKNOWN\r\n"), "127.0.0.1"],
])("%s says whose requests all of the connection's are", async (_what, header, address) => {
  const socket = dial();
  socket.write(Buffer.concat([header, Buffer.from(GET + GET + LAST)]));
  const text = await textOf(socket);
  expect(text.match(/x-who\n.*\n/g)).toEqual(Array(3).fill(`x-who\n${address}\n`));
});

test("a header may come byte by byte, and a body with and after it", async () => {
  const socket = dial();
  socket.setNoDelay(true);
  for (const byte of BINARY) {
    socket.write(Buffer.from([byte]));
    await new Promise(setImmediate);
  }
  const half = "x".repeat(100_000);
  socket.write(
    `POST /up/echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${2 * half.length}\r\n\r\n${half}`,
  );
  socket.write(half);
  const text = await textOf(socket);
  expect(text).toContain(`"bytes":${2 * half.length}`);
  expect(text).toContain('"x-forwarded-for":"203.0.113.8"');
});

test.each([
  ["no header", GET],
  ["a line that is none", `PROXY TCP4 1.2.3.4\r\n${GET}`],
  [
    "a binary header that is cut short by what follows",
    BINARY.toString("latin1").replace("\x0c", "\x01") + GET,
  ],
])("with %s the connection is closed without a word", async (_what, text) => {
  const socket = dial();
  socket.write(Buffer.from(text, "latin1"));
  expect(await textOf(socket)).toBe("");
});

test("a second header is no request", async () => {
  const socket = dial();
  socket.write(LINE + LINE + GET);
  expect(await textOf(socket)).toMatch(/^HTTP\/1\.1 400 /);
});

test("a header comes before TLS", async () => {
  const socket = connect(secure.port, "127.0.0.1");
  socket.write(LINE);
  const inner = connectTls({ socket, servername: "a.example", rejectUnauthorized: false });
  inner.write(LAST);
  expect(await textOf(inner)).toContain("x-who\n203.0.113.7\n");
});

test("a header comes in one packet with the beginning of TLS", async () => {
  const proxy = createServer((client) => {
    const server = connect(secure.port, "127.0.0.1");
    client.once("data", (first: Buffer) => {
      server.write(Buffer.concat([BINARY, first]));
      client.pipe(server);
    });
    server.pipe(client);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const { port } = proxy.address() as AddressInfo;
  const inner = connectTls({
    host: "127.0.0.1",
    port,
    servername: "a.example",
    rejectUnauthorized: false,
  });
  inner.write(LAST);
  expect(await textOf(inner)).toContain("x-who\n203.0.113.8\n");
  proxy.close();
});

test("from elsewhere a header is no HTTP, and a configuration that changes holds for connections to come", async () => {
  await using own = await openFront(ROUTES.replace("127.0.0.1", "192.0.2.1"), { kind: "node" });
  const ask = (text: string): Promise<string> => {
    const socket = connect(own.port, "127.0.0.1");
    socket.write(text);
    return textOf(socket);
  };
  expect(await ask(LINE + LAST)).toMatch(/^HTTP\/1\.1 400 /);
  expect(await ask(LAST)).toContain("x-who\n127.0.0.1\n");
  own.configure(ROUTES);
  expect(await ask(LINE + LAST)).toContain("x-who\n203.0.113.7\n");
});
