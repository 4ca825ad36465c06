// Egress against real peers: what is sent, what comes back, redirects and failures.

import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { failure } from "./guest.ts";
import { startGuest, startPeer, startRawPeer } from "./peer.ts";

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

test("fetch answers with status, text, address, headers and body", async () => {
  const peer = await startPeer((_request, response) => {
    response.writeHead(201, "Made", { "x-one": "1", "content-length": "5" }).end("hello");
  });
  const guest = startGuest();
  const head = await guest.fetch(`${peer.url}/a?b=c#d`);
  expect(head).toMatchObject({
    status: 201,
    statusText: "Made",
    url: `${peer.url}/a?b=c`,
    redirected: false,
    hasBody: true,
  });
  expect(head.header("x-one")).toBe("1");
  expect(head.header("content-length")).toBe("5");
  expect(await guest.text(head.id)).toBe("hello");
});

test("fetch sends method, headers and text as the author gave them", async () => {
  const peer = await startPeer((request, response) => {
    void request.toArray().then((chunks) => {
      const body = Buffer.concat(chunks as Buffer[]).toString();
      response.end(JSON.stringify({ method: request.method, raw: request.rawHeaders, body }));
    });
  });
  const guest = startGuest();
  const { id } = await guest.fetch(`${peer.url}/`, {
    method: "PUT",
    headers: "x-a\n1\nx-a\n2\ncontent-type\ttext/x\n".replace("\t", "\n"),
    body: "späm\0\n",
  });
  const seen = JSON.parse(await guest.text(id)) as { method: string; raw: string[]; body: string };
  expect(seen.method).toBe("PUT");
  expect(seen.body).toBe("späm\0\n");
  expect(Object.fromEntries(pairs(seen.raw))).toEqual({
    host: `127.0.0.1:${peer.port}`,
    connection: "keep-alive",
    "x-a": "1, 2",
    "content-type": "text/x",
    "user-agent": "islet",
    accept: "*/*",
    "accept-encoding": "gzip, deflate",
    "content-length": "7",
  });
});

test("fetch leaves out headers that belong to the connection", async () => {
  const peer = await startPeer((request, response) => {
    response.end(JSON.stringify(request.rawHeaders));
  });
  const guest = startGuest();
  const { id } = await guest.fetch(`${peer.url}/`, {
    headers: [
      "host\nother.example\n",
      "connection\nclose, x-secret\n",
      "x-secret\n1\n",
      "content-length\n7\n",
      "transfer-encoding\nchunked\n",
      "upgrade\nwebsocket\n",
      "expect\n100-continue\n",
      "keep-alive\ntimeout=1\n",
      "proxy-authorization\nBasic x\n",
      "te\ntrailers\n",
      "trailer\nx\n",
      "sec-fetch-mode\nnavigate\n",
      "cookie\na=b\n",
      "user-agent\nmine\n",
    ].join(""),
  });
  const seen = Object.fromEntries(pairs(JSON.parse(await guest.text(id)) as string[]));
  expect(seen).toEqual({
    host: `127.0.0.1:${peer.port}`,
    connection: "keep-alive",
    "sec-fetch-mode": "navigate",
    cookie: "a=b",
    "user-agent": "mine",
    accept: "*/*",
    "accept-encoding": "gzip, deflate",
  });
});

function pairs(raw: readonly string[]): [string, string][] {
  return Array.from({ length: raw.length / 2 }, (_, i) => [
    (raw[2 * i] ?? "").toLowerCase(),
    raw[2 * i + 1] ?? "",
  ]);
}

test("fetch keeps several set-cookie headers apart, in order", async () => {
  const peer = await startPeer((_request, response) => {
    response.setHeader("set-cookie", ["b=2; Path=/", "a=1, 2", "b=3"]).end();
  });
  const head = await startGuest().fetch(peer.url);
  const cookies = head.headers.filter(([name]) => name === "set-cookie").map(([, value]) => value);
  expect(cookies).toEqual(["b=2; Path=/", "a=1, 2", "b=3"]);
});

test("headers of the peer's connection stay with it", async () => {
  const peer = await startPeer((_request, response) => {
    response.setHeader("connection", "keep-alive, X-Hop");
    response.setHeader("x-hop", "1").setHeader("x-end", "2").setHeader("trailer", "x-later");
    response.write("chunked");
    response.end();
  });
  const { headers } = await startGuest().fetch(peer.url);
  expect(headers.map(([name]) => name).toSorted()).toEqual(["date", "x-end"]);
});

test("bytes pass unchanged in both directions", async () => {
  const peer = await startPeer((request, response) => void request.pipe(response));
  const guest = startGuest();
  const bytes = new Uint8Array(300_000).map((_, i) => (i * 31) % 256);
  const { id } = await guest.fetch(peer.url, { body: bytes });
  expect((await guest.bytes(id)).equals(bytes)).toBe(true);
});

test("text keeps the byte order mark, and characters that come in two chunks", async () => {
  const { promise: proceed, resolve: go } = Promise.withResolvers<void>();
  const peer = await startPeer((_request, response) => {
    response.write(Buffer.from([0xef, 0xbb, 0xbf, 0x61, 0xff, 0xe2]));
    void proceed.then(() => response.end(Buffer.from([0x82, 0xac])));
  });
  const guest = startGuest();
  const { id } = await guest.fetch(peer.url);
  const text = guest.text(id);
  go();
  expect(await text).toBe("\ufeffa\ufffd€");
});

test("text after some pulls is the rest, with its characters whole", async () => {
  const { promise: proceed, resolve: go } = Promise.withResolvers<void>();
  const peer = await startPeer((_request, response) => {
    response.write("first");
    void proceed.then(() => response.end("rést"));
  });
  const guest = startGuest();
  const { id } = await guest.fetch(peer.url);
  expect(Buffer.from((await guest.pull(id)) ?? []).toString()).toBe("first");
  go();
  expect(await guest.text(id)).toBe("rést");
  expect((await failure(guest.pull(id))).code).toBe("CANCELLED");
});

test.each([
  ["gzip", gzipSync],
  ["br", brotliCompressSync],
])("a %s body arrives decoded, without the headers of its coding", async (coding, compress) => {
  const peer = await startPeer((_request, response) => {
    const body = compress("packed ".repeat(10_000));
    response.writeHead(200, { "content-encoding": coding, "content-length": body.length });
    response.end(body);
  });
  const guest = startGuest();
  const head = await guest.fetch(peer.url);
  expect(head.header("content-encoding")).toBeUndefined();
  expect(head.header("content-length")).toBeUndefined();
  expect(await guest.text(head.id)).toBe("packed ".repeat(10_000));
});

test("a body of unknown coding arrives as it is, with its headers", async () => {
  const peer = await startPeer((_request, response) => {
    response.writeHead(200, { "content-encoding": "x-own", "content-length": 3 }).end("abc");
  });
  const guest = startGuest();
  const head = await guest.fetch(peer.url);
  expect(head.header("content-encoding")).toBe("x-own");
  expect(head.header("content-length")).toBe("3");
  expect(await guest.text(head.id)).toBe("abc");
});

test("a body that is not coded as it says fails", async () => {
  const peer = await startPeer((_request, response) => {
    response.writeHead(200, { "content-encoding": "gzip" }).end("this is no gzip at all");
  });
  const guest = startGuest();
  const { id } = await guest.fetch(peer.url);
  expect(await failure(guest.text(id))).toEqual({
    code: "FETCH_FAILED",
    message: `The subrequest to 127.0.0.1:${peer.port} failed: the response body is not coded as it says.`,
  });
});

test("answers to HEAD, 204 and 304 have no body", async () => {
  const peer = await startPeer((request, response) => {
    const status = Number(request.url?.slice(1));
    response.writeHead(status, status === 200 ? { "content-length": "5" } : {}).end();
  });
  const guest = startGuest();
  const head = await guest.fetch(`${peer.url}/200`, { method: "HEAD" });
  expect(head).toMatchObject({ status: 200, hasBody: false });
  expect(head.header("content-length")).toBe("5");
  expect((await failure(guest.pull(head.id))).code).toBe("CANCELLED");
  for (const status of [204, 304]) {
    expect(await guest.fetch(`${peer.url}/${status}`)).toMatchObject({ status, hasBody: false });
  }
});

test("an empty body ends at once", async () => {
  const peer = await startPeer((_request, response) => response.end());
  const guest = startGuest();
  const { id, hasBody } = await guest.fetch(peer.url);
  expect(hasBody).toBe(true);
  expect(await guest.pull(id)).toBeNull();
});

test("a connection is used again once the body has been read", async () => {
  const ports = new Set<number | undefined>();
  const peer = await startPeer((request, response) => {
    ports.add(request.socket.remotePort);
    response.end("x");
  });
  const guest = startGuest();
  for (let i = 0; i < 5; i++) {
    const { id } = await guest.fetch(peer.url);
    await guest.bytes(id);
  }
  // undici frees it a moment after the end was read, so two may take turns.
  expect(ports.size).toBeLessThanOrEqual(2);
});

test("redirects are followed, with the method and headers that the standard asks for", async () => {
  const seen: string[] = [];
  const other = await startPeer((request, response) => {
    const { authorization = "-", cookie = "-", "x-kept": kept = "-" } = request.headers;
    response.end(`${request.method} ${authorization} ${cookie} ${String(kept)}`);
  });
  const peer = await startPeer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    request.resume();
    const location = request.url === "/a" ? "/b" : `${other.url}/c`;
    response.writeHead(request.url === "/a" ? 307 : 303, { location }).end("moved");
  });
  const guest = startGuest();
  const head = await guest.fetch(`${peer.url}/a`, {
    method: "POST",
    headers: "authorization\nt\ncookie\nc\nx-kept\ny\n",
    body: "again",
  });
  expect(seen).toEqual(["POST /a t", "POST /b t"]);
  expect(head).toMatchObject({ status: 200, url: `${other.url}/c`, redirected: true });
  expect(await guest.text(head.id)).toBe("GET - - y");
});

test("redirects are given back unfollowed, or refused, when the author asks for it", async () => {
  const peer = await startPeer((_request, response) => {
    response.writeHead(302, { location: "/next" }).end("moved");
  });
  const guest = startGuest();
  const head = await guest.fetch(`${peer.url}/`, { redirect: "manual" });
  expect(head).toMatchObject({ status: 302, redirected: false, url: `${peer.url}/` });
  expect(head.header("location")).toBe("/next");
  expect(await guest.text(head.id)).toBe("moved");
  expect((await failure(guest.fetch(`${peer.url}/`, { redirect: "error" }))).message).toMatch(
    /the answer is a redirect/,
  );
});

test("20 redirects are followed, 21 are not", async () => {
  const peer = await startPeer((request, response) => {
    const left = Number(request.url?.slice(1));
    if (left === 0) response.end("there");
    else response.writeHead(302, { location: `/${left - 1}` }).end();
  });
  const guest = startGuest();
  const { id } = await guest.fetch(`${peer.url}/20`);
  expect(await guest.text(id)).toBe("there");
  expect((await failure(guest.fetch(`${peer.url}/21`, { owner: 2 }))).message).toMatch(
    /more than 20 redirects/,
  );
});

test.each([
  ["file:///etc/passwd", /neither http nor https/],
  ["data:text/plain,x", /neither http nor https/],
  ["http://user:pass@example.com/", /user name or password/],
  ["not an address", /not valid/],
  ["http://127.0.0.1:6667/", /forbids this port/],
])("fetch refuses %s", async (url, message) => {
  const error = await failure(startGuest().fetch(url));
  expect(error.code).toBe("FETCH_FAILED");
  expect(error.message).toMatch(message);
});

test.each([
  ["file:///etc/passwd", /not http or https/],
  ["data:text/plain,x", /not http or https/],
  ["http://user:pass@127.0.0.1/", /user name or password/],
])("fetch refuses a redirect to %s", async (location, message) => {
  const peer = await startPeer((_request, response) => {
    response.writeHead(302, { location }).end();
  });
  const error = await failure(startGuest().fetch(peer.url));
  expect(error.code).toBe("FETCH_FAILED");
  expect(error.message).toMatch(message);
});

test("a refused connection, an unknown host and bad HTTP fail with their reason", async () => {
  const guest = startGuest(
    {},
    {
      lookup: (_host, done) => {
        done(Object.assign(new Error("getaddrinfo ENOTFOUND secret"), { code: "ENOTFOUND" }), []);
      },
    },
  );
  const port = await closedPort();
  expect(await failure(guest.fetch(`http://127.0.0.1:${port}/`))).toEqual({
    code: "FETCH_FAILED",
    message: `The subrequest to 127.0.0.1:${port} failed: the connection was refused.`,
  });
  expect(await failure(guest.fetch("http://nowhere.test/"))).toEqual({
    code: "FETCH_FAILED",
    message: "The subrequest to nowhere.test failed: the host was not found.",
  });
  const peer = await startRawPeer((socket) => socket.end("SSH-2.0-OpenSSH\r\n"));
  expect((await failure(guest.fetch(peer.url))).message).toMatch(/not valid HTTP/);
  expect((await failure(guest.fetch(peer.url.replace("http:", "https:")))).message).toMatch(
    /no secure connection/,
  );
});
