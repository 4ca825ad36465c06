// TLS on both listeners, with real clients.

import { once } from "node:events";
import { readdirSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { listenNode } from "../../runtime/http/node-listener.ts";
import { listenUws } from "../../runtime/http/uws-listener.ts";
import { createSelfSigned } from "../../runtime/supervisor/tls/self-signed.ts";
import type { ExchangeHandler, HttpListener, Listen } from "../../sdk/exchange.ts";
import type { FrontTls } from "../../sdk/gateway/config.ts";
import { HEADER_BYTES_MAX } from "../../sdk/limits.ts";

// Read by uWebSockets.js when it is loaded, which the first listen does.
process.env["UWS_HTTP_MAX_HEADERS_SIZE"] = String(HEADER_BYTES_MAX);

const NOW_MS = Date.now();

function certificate(...hosts: string[]): FrontTls["certificates"][number] {
  return { hosts, ...createSelfSigned(hosts, NOW_MS), certFile: "", keyFile: "" };
}

function settings(...certificates: FrontTls["certificates"]): FrontTls {
  return {
    certificates,
    minVersion: "TLSv1.2",
    clientAuth: "none",
    clientCa: "",
    clientCaFile: "",
    redirectPort: null,
    hsts: "",
  };
}

const A = certificate("a.example");
const B = certificate("b.example");
const WILD = certificate("*.w.example");
const EXACT = certificate("x.w.example");

let listeners: HttpListener[] = [];
let sockets: TLSSocket[] = [];

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  for (const listener of listeners) await listener.drain(0);
  listeners = [];
  sockets = [];
});

async function serve(listen: Listen, tls: FrontTls, handler: ExchangeHandler = echo) {
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    handler,
    bodyBytesMax: 10_000_000,
    headerBytesMax: HEADER_BYTES_MAX,
    socketBytesMax: 1_000,
    tls,
  });
  listeners.push(listener);
  return listener;
}

const echo: ExchangeHandler = (exchange) =>
  exchange.reply(200, "", `${exchange.scheme}://${exchange.authority}${exchange.url}`);

async function dial(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...options });
  sockets.push(socket);
  await once(socket, "secureConnect");
  return socket;
}

/** Name in the certificate. */
async function nameFor(port: number, servername?: string): Promise<string> {
  const socket = await dial(port, servername === undefined ? {} : { servername });
  return String(socket.getPeerCertificate().subject.CN);
}

async function ask(socket: TLSSocket, path: string): Promise<string> {
  socket.write(`GET ${path} HTTP/1.1\r\nhost: a.example\r\n\r\n`);
  const [bytes] = (await once(socket, "data")) as [Buffer];
  return bytes.toString();
}

const failed = (port: number, options: ConnectionOptions): Promise<string> =>
  dial(port, options).then(
    () => "connected",
    (error: NodeJS.ErrnoException) => error.code ?? "",
  );

describe.each([
  ["uws", listenUws],
  ["node", listenNode],
] as const)("TLS on %s", (_name, listen) => {
  test("an exchange knows that it came by https", async () => {
    const { port } = await serve(listen, settings(A));
    const socket = await dial(port, { servername: "a.example", ca: A.cert });
    expect(await ask(socket, "/x?y=1")).toMatch(/https:\/\/a\.example\/x\?y=1$/);
  });

  test("a client is shown the certificate of the name that it asks for", async () => {
    const { port } = await serve(listen, settings(A, B, WILD, EXACT));
    expect(await nameFor(port, "b.example")).toBe("b.example");
    expect(await nameFor(port, "y.w.example")).toBe("*.w.example");
    expect(await nameFor(port, "x.w.example")).toBe("x.w.example");
    expect(await nameFor(port, "A.Example")).toBe("a.example");
    // Not known, more labels than a wildcard stands for, and no name at all.
    expect(await nameFor(port, "c.example")).toBe("a.example");
    expect(await nameFor(port, "z.y.w.example")).toBe("a.example");
    expect(await nameFor(port)).toBe("a.example");
  });

  test.each(["b.example", "y.w.example"])("requests for %s are answered", async (servername) => {
    const { port } = await serve(listen, settings(A, B, WILD));
    expect(await ask(await dial(port, { servername }), "/named")).toContain("a.example/named");
  });

  test("a body of megabytes goes in and comes out whole", async () => {
    const { port } = await serve(listen, settings(A), (exchange) => {
      const chunks: Uint8Array[] = [];
      exchange.readBody({
        chunk: (bytes) => chunks.push(bytes),
        end: () => exchange.reply(200, "", Buffer.concat(chunks)),
        fail: () => {},
      });
    });
    const sent = Buffer.alloc(3_000_000, "abcdefg");
    const req = request({ port, host: "127.0.0.1", rejectUnauthorized: false, method: "POST" });
    req.end(sent);
    const [res] = (await once(req, "response")) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of res) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).equals(sent)).toBe(true);
  });

  test("versions before 1.2 and ciphers without forward secrecy are refused", async () => {
    const { port } = await serve(listen, settings(A));
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" } as const;
    expect(await failed(port, old)).toMatch(/PROTOCOL_VERSION/);
    const weak = { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-SHA:AES128-SHA" } as const;
    expect(await failed(port, weak)).toMatch(/HANDSHAKE_FAILURE/);
    const socket = await dial(port, { maxVersion: "TLSv1.2" });
    expect(socket.getProtocol()).toBe("TLSv1.2");
    expect((await dial(port)).getProtocol()).toBe("TLSv1.3");
  });

  test("Strict-Transport-Security is sent, once, where the handler says nothing of it", async () => {
    const { port } = await serve(listen, { ...settings(A), hsts: "max-age=60" }, (exchange) => {
      const own = exchange.path === "/own" ? "strict-transport-security\nmax-age=1\n" : "";
      exchange.reply(200, own, null);
    });
    const socket = await dial(port);
    expect(await ask(socket, "/")).toMatch(/strict-transport-security: max-age=60\r\n/i);
    const own = await ask(socket, "/own");
    expect(own.match(/strict-transport-security: [^\r]*/gi)).toEqual([
      "strict-transport-security: max-age=1",
    ]);
  });

  test("other certificates are for new connections; those there are go on", async () => {
    const listener = await serve(listen, settings(A, B));
    const before = await dial(listener.port, { servername: "b.example" });
    expect(await ask(before, "/1")).toContain("/1");
    const [a2, c] = [certificate("a2.example"), certificate("c.example")];
    listener.renew(settings(a2, c));
    expect(await nameFor(listener.port, "b.example")).toBe("a2.example");
    expect(await nameFor(listener.port, "c.example")).toBe("c.example");
    expect(await nameFor(listener.port)).toBe("a2.example");
    expect(await ask(before, "/2")).toContain("/2");
    const after = await dial(listener.port, { servername: "c.example" });
    expect(await ask(after, "/3")).toContain("/3");
  });

  test("what is no TLS is not answered, and does no harm", async () => {
    const { port } = await serve(listen, settings(A));
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
    expect(await ask(await dial(port), "/well")).toContain("/well");
  });

  test("a listener that drains ends the connections of former certificates too", async () => {
    const listener = await serve(listen, settings(A));
    const before = await dial(listener.port);
    expect(await ask(before, "/1")).toContain("/1");
    listener.renew(settings(B));
    const ended = once(before, "close");
    await listener.drain(1_000);
    await ended;
  });

  test("no key is left in a file", async () => {
    await serve(listen, settings(A, B));
    expect(readdirSync("/dev/shm").filter((name) => name.startsWith("islet-tls-"))).toEqual([]);
  });
});

test("node asks for TLS 1.3 where it is the least", async () => {
  const { port } = await serve(listenNode, { ...settings(A), minVersion: "TLSv1.3" });
  expect(await failed(port, { maxVersion: "TLSv1.2" })).toMatch(/PROTOCOL_VERSION/);
});
