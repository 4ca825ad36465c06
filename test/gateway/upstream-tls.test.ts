// TLS to the servers of an upstream: who they have to be, who this node is to them, and what a client sees when one of
// the two is not right.

import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createSecureContext, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { createSelfSigned, type SelfSigned } from "../../runtime/supervisor/tls/self-signed.ts";
import { temporary } from "../temporary.ts";
import { openFront, type Front } from "./front.ts";

/** Each is its own authority. */
const LOCAL = createSelfSigned(["localhost"], Date.now());
const INTERNAL = createSelfSigned(["api.internal"], Date.now());
const CLIENT = createSelfSigned(["gateway.internal"], Date.now());
const STRANGER = createSelfSigned(["gateway.internal"], Date.now());
const EXPIRED = createSelfSigned(["localhost"], Date.now() - 800 * 86_400_000);

const folder = temporary();
const servers: Server[] = [];
let names: (string | false | null)[] = [];
let front: Front;

/** Says whose certificate it was shown. */
async function listen(own: SelfSigned, clients: string | null): Promise<number> {
  const server = createServer(
    {
      key: own.key,
      cert: own.cert,
      SNICallback: (name, done) => {
        names.push(name);
        const { key, cert } = name === "api.internal" ? INTERNAL : own;
        done(null, createSecureContext({ key, cert, ...(clients !== null && { ca: clients }) }));
      },
      ...(clients !== null && { ca: clients, requestCert: true, rejectUnauthorized: true }),
    },
    ({ socket }, response) => {
      const { subject } = (socket as TLSSocket).getPeerCertificate();
      response.end(`met ${String(subject?.CN ?? "nobody")}`);
    },
  );
  new WebSocketServer({ server }).on("connection", (ws) => ws.send("hello"));
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  servers.push(server);
  return (server.address() as AddressInfo).port;
}

function file(name: string, content: string): string {
  const path = join(folder.path, name);
  writeFileSync(path, content);
  return path;
}

beforeAll(async () => {
  const plain = await listen(LOCAL, null);
  const strict = await listen(LOCAL, CLIENT.cert);
  const expired = await listen(EXPIRED, null);
  const ca = `ca: "${file("local.crt", LOCAL.cert)}"`;
  const own = `cert: "${file("client.crt", CLIENT.cert)}", key: "${file("client.key", CLIENT.key)}"`;
  const wrong = `cert: "${file("stranger.crt", STRANGER.cert)}", key: "${file("stranger.key", STRANGER.key)}"`;
  const internal = `ca: "${file("internal.crt", INTERNAL.cert)}", serverName: api.internal`;
  const upstreams: Record<string, [number, string]> = {
    known: [plain, ca],
    kept: [plain, ca],
    named: [plain, internal],
    misnamed: [plain, `${ca}, serverName: other.internal`],
    unknown: [plain, internal.replace(", serverName: api.internal", "")],
    expired: [expired, `ca: "${file("expired.crt", EXPIRED.cert)}"`],
    client: [strict, `${ca}, ${own}`],
    stranger: [strict, `${ca}, ${wrong}`],
    nobody: [strict, ca],
  };
  let text = "upstreams:\n";
  for (const [name, [port, tls]] of Object.entries(upstreams)) {
    const host = name === "kept" ? "preserve" : "upstream";
    text += `  ${name}: { servers: ["https://localhost:${port}"], host: ${host}, retry: false, breaker: false, tls: { ${tls} } }\n`;
  }
  text += "routes:\n";
  for (const name of Object.keys(upstreams)) {
    text += `  - { name: ${name}, match: { path: /${name} }, target: { upstream: ${name} } }\n`;
  }
  front = await openFront(text);
});

afterAll(async () => {
  await front?.[Symbol.asyncDispose]();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  folder[Symbol.dispose]();
});

test("a server is asked for by its host's name, or by the name that is given, and has to be that one", async () => {
  names = [];
  expect(await (await front.get("/known")).text()).toBe("met nobody");
  expect(await (await front.get("/named")).text()).toBe("met nobody");
  // Whatever the client calls it.
  const headers = { host: "api.internal" };
  const asked = request({ host: "127.0.0.1", port: front.port, path: "/kept", headers }).end();
  const [{ statusCode }] = (await once(asked, "response")) as [IncomingMessage];
  expect(statusCode).toBe(200);
  expect(names).toEqual(["localhost", "api.internal", "localhost"]);
});

test.each([
  ["vouched for by others", "unknown", /self-signed|unable to verify|certificate/],
  ["for another name", "misnamed", /altnames/],
  ["of former days", "expired", /expired/],
])("a server with a certificate %s is 502, and the log says why", async (_what, path, why) => {
  const response = await front.get(`/${path}`);
  expect([response.status, await response.json()]).toMatchObject([
    502,
    { code: "UPSTREAM_FAILED" },
  ]);
  expect(front.lines.join("\n")).toMatch(why);
});

test("a server that asks who comes is shown the certificate that is given", async () => {
  expect(await (await front.get("/client")).text()).toBe("met gateway.internal");
});

test.each(["stranger", "nobody"])("one that does not know it (%s) is 502", async (path) => {
  const response = await front.get(`/${path}`);
  expect([response.status, await response.json()]).toMatchObject([
    502,
    { code: "UPSTREAM_FAILED" },
  ]);
});

test("WebSockets are opened by the same rules", async () => {
  const open = (path: string): WebSocket => new WebSocket(`ws://127.0.0.1:${front.port}/${path}`);
  for (const path of ["known", "named", "client"]) {
    const ws = open(path);
    const [message] = (await once(ws, "message")) as [Buffer];
    expect(String(message)).toBe("hello");
    ws.terminate();
  }
  for (const path of ["unknown", "misnamed", "stranger"]) {
    const ws = open(path);
    ws.on("error", () => {});
    const [, response] = (await once(ws, "unexpected-response")) as [
      unknown,
      { statusCode: number },
    ];
    expect(response.statusCode).toBe(502);
    ws.terminate();
  }
});
