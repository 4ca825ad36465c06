// Requests that two parsers could read differently, sent through a proxy byte by byte: the server behind must never see
// a request that the gateway did not take for one.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RawClient } from "../http/raw-client.ts";
import { openFront, type Front } from "./front.ts";
import { openPeer, type Peer } from "./peer.ts";

const HIDDEN = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
const POST = "POST /echo HTTP/1.1\r\nHost: a\r\n";
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n`;

/** Refused before anything of it is sent on. */
const HEADS: Readonly<Record<string, string>> = {
  "Content-Length before Transfer-Encoding": `${POST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
  "Transfer-Encoding before Content-Length": `${CHUNKED}Content-Length: 4\r\n\r\n0\r\n\r\n${HIDDEN}`,
  "two Content-Lengths": `${POST}Content-Length: 0\r\nContent-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`,
  "a Content-Length with a sign": `${POST}Content-Length: +${HIDDEN.length}\r\n\r\n${HIDDEN}`,
  "a Content-Length in octal and decimal": `${POST}Content-Length: 0${HIDDEN.length}, 0\r\n\r\n${HIDDEN}`,
  "a Transfer-Encoding hidden by a tab": `${POST}Transfer-Encoding:\tchunked, identity\r\n\r\n0\r\n\r\n${HIDDEN}`,
  "a Transfer-Encoding with a prefix": `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
  "a Transfer-Encoding in quotes": `${POST}Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n${HIDDEN}`,
  "a Transfer-Encoding with a space before its colon": `${POST}Transfer-Encoding : chunked\r\nContent-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`,
  "a folded Transfer-Encoding": `${POST}X: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
  "a folded first header": `GET /echo HTTP/1.1\r\n Host: b\r\nHost: a\r\n\r\n${HIDDEN}`,
  "a NUL in a header": `GET /echo HTTP/1.1\r\nHost: a\r\nX: 1\0\r\n\r\n${HIDDEN}`,
  "two hosts": `GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n${HIDDEN}`,
  "no host": `GET /echo HTTP/1.1\r\n\r\n${HIDDEN}`,
  "a line break in the address": `GET /echo\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n`,
  "a method that is none": `G(T /echo HTTP/1.1\r\nHost: a\r\n\r\n${HIDDEN}`,
  "HTTP/2 in a line": `GET /echo HTTP/2.0\r\nHost: a\r\n\r\n${HIDDEN}`,
  "a version that is none": `GET /echo HTTP/1.1.1\r\nHost: a\r\n\r\n${HIDDEN}`,
  CONNECT: `CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n${HIDDEN}`,
};

/** Chunks that are none. The head is sent on by then; the request must end there, and break off for the server. */
const CHUNKS: Readonly<Record<string, string>> = {
  "a size with a sign": "+5\r\nhello\r\n0\r\n\r\n",
  "a size with 0x": "0x5\r\nhello\r\n0\r\n\r\n",
  "a size that is negative": "-1\r\nhello\r\n0\r\n\r\n",
  "a size beyond 64 bits": "10000000000000005\r\nhello\r\n0\r\n\r\n",
  "a chunk longer than its size": "3\r\nhello\r\n0\r\n\r\n",
  "a chunk without its line break": "5\r\nhello0\r\n\r\n",
};

/** What uWS waits out (docs/listeners.md): held until its time is over, and nothing of it reaches anybody. */
const HELD: Readonly<Record<string, string>> = {
  "a bare CR in a header": `GET /echo HTTP/1.1\r\nHost: a\r\nX: 1\rContent-Length: 60\r\n\r\n${HIDDEN}`,
  "a chunk without a size": `${CHUNKED}\r\n\r\nhello\r\n0\r\n\r\n${HIDDEN}`,
};

describe.each(["uws", "node"] as const)("through a proxy on the %s listener", (kind) => {
  let peer: Peer;
  let front: Front;

  beforeAll(async () => {
    peer = await openPeer();
    front = await openFront(
      `
upstreams: { one: { servers: ["${peer.url}"], retry: false, breaker: false, timeout: { firstByte: 300ms } } }
routes: [ { match: { path: "/*" }, target: { upstream: one } } ]
`,
      { kind },
    );
  });

  afterAll(async () => {
    await front?.[Symbol.asyncDispose]();
    await peer?.[Symbol.asyncDispose]();
  });

  /** All that the client gets, up to the end of its connection. */
  const send = async (bytes: string): Promise<string> => {
    const client = new RawClient(front.port);
    client.send(bytes);
    const rest = await client.rest();
    client.close();
    return rest;
  };

  test.each(Object.entries(HEADS))(
    "%s is refused, and nothing behind it is read",
    async (_name, bytes) => {
      const before = peer.seen.length;
      expect(await send(bytes)).toMatch(/^(?:HTTP\/1\.1 (?:400|404|405|501|505) [^]*)?$/);
      expect(peer.seen.slice(before)).toEqual([]);
    },
  );

  test.each(Object.entries(CHUNKS))(
    "%s ends the request and the connection",
    async (_name, body) => {
      const before = peer.seen.length;
      const got = await send(`${CHUNKED}\r\n${body}${HIDDEN}`);
      expect(got).not.toMatch(/^HTTP\/1\.1 2/);
      expect(peer.count("/hidden")).toBe(0);
      expect(peer.seen.length - before).toBeLessThanOrEqual(1);
    },
  );

  test.each(Object.entries(HELD))("%s hides no request", async (_name, bytes) => {
    const client = new RawClient(front.port);
    client.send(bytes);
    const after = new RawClient(front.port);
    after.send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    expect((await after.reply()).status).toBe(200);
    expect(peer.count("/hidden")).toBe(0);
    client.close();
    after.close();
  });

  test.skipIf(kind === "uws")(
    "chunks with extensions and capitals are one body, and what follows is the next request",
    async () => {
      const client = new RawClient(front.port);
      client.send(`${CHUNKED}\r\nA;a=b\r\n0123456789\r\n0\r\n\r\n`);
      expect(JSON.parse((await client.reply()).body.toString())).toMatchObject({ bytes: 10 });
      client.send("GET /echo/next HTTP/1.1\r\nHost: a\r\n\r\n");
      expect(JSON.parse((await client.reply()).body.toString())).toMatchObject({
        url: "/echo/next",
      });
      client.close();
    },
  );

  test("a body that holds a request is a body", async () => {
    const client = new RawClient(front.port);
    client.send(`${POST}Content-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`);
    const echoed = JSON.parse((await client.reply()).body.toString()) as { bytes: number };
    expect(echoed.bytes).toBe(HIDDEN.length);
    expect(peer.count("/hidden")).toBe(0);
    client.close();
  });

  test("absolute-form reaches the server as a path, or nobody", async () => {
    const before = peer.seen.length;
    const got = await send(
      "GET http://b.example/echo/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    if (kind === "uws") {
      expect(got).toMatch(/^HTTP\/1\.1 505 /);
      expect(peer.seen.length).toBe(before);
    } else {
      expect(peer.seen.at(-1)).toMatchObject({
        path: "/echo/x",
        headers: { "x-forwarded-host": "b.example" },
      });
    }
  });

  test("lines of events reach the client one by one, while the reply goes on", async () => {
    const client = new RawClient(front.port);
    client.send("GET /events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n");
    for (let event = 1; event <= 3; event++) {
      let text = "";
      while (!text.includes(`data: ${event}\n\n`)) text += await client.some();
      expect(text).not.toContain(`data: ${event + 1}`);
      peer.next();
    }
    client.close();
  });
});
