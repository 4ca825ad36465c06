// What servers send back, byte by byte, to the two who read it: the gateway's own connections and undici. Both have to
// make the same of it, but where one is known to be stricter.

import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { Pool, type Dispatcher } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PlainPool } from "../../runtime/gateway/upstream/http1/plain-pool.ts";
import { ReplyParser } from "../../runtime/gateway/upstream/http1/reply-parser.ts";

const OK = "HTTP/1.1 200 OK\r\n";
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;

/** Read alike. */
const ALIKE: Readonly<Record<string, string>> = {
  "a known length": `${OK}Content-Length: 5\r\nX-A: b\r\n\r\nhello`,
  "no body": `${OK}Content-Length: 0\r\n\r\n`,
  "a body up to the end": `${OK}X-A: b\r\n\r\nhello`,
  chunks: `${CHUNKED}5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n`,
  "chunks in capitals, with an extension": `${OK}TRANSFER-ENCODING: Chunked\r\n\r\nA;a=b\r\n0123456789\r\n0\r\n\r\n`,
  "chunks with trailers": `${CHUNKED}5\r\nhello\r\n0\r\nX-T: 1\r\nx-U:\t a \r\n\r\n`,
  "names twice, in odd case, with odd spaces": `${OK}Set-Cookie: a=1\r\nset-cookie:b=2\r\nX-E:\r\nX-S: \t a b \t\r\nContent-Length: 2\r\n\r\nhi`,
  "bytes beyond ASCII": `${OK}X-L: caf\xe9\r\nContent-Length: 3\r\n\r\n\xff\x00\x01`,
  "no reason": "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi",
  "an unusual status": "HTTP/1.1 799 Odd\r\nContent-Length: 2\r\n\r\nhi",
  "an interim reply before": `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}Content-Length: 2\r\n\r\nhi`,
  "204": "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
  "204 with a length": "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
  "304 with a length": "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: a\r\n\r\n",
  "HTTP/1.0 with a length": "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
  "HTTP/1.0 up to the end": "HTTP/1.0 200 OK\r\n\r\nhello",
  "bytes behind the body": `${OK}Content-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\n`,
  // No reply at all.
  nothing: "",
  "something else": "SSH-2.0-OpenSSH\r\n\r\n",
  "half a head": `${OK}Content-Le`,
  "a body that breaks off": `${OK}Content-Length: 9\r\n\r\nhello`,
  "chunks that break off": `${CHUNKED}5\r\nhello\r\n`,
  "a chunk longer than it said": `${CHUNKED}3\r\nhello\r\n0\r\n\r\n`,
  "a size that is none": `${CHUNKED}x\r\nhello\r\n0\r\n\r\n`,
  "a size that is negative": `${CHUNKED}-1\r\nhello\r\n0\r\n\r\n`,
  "a size beyond 64 bits": `${CHUNKED}10000000000000005\r\nhello\r\n0\r\n\r\n`,
  "a length and chunks": `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  "chunks and a length": `${OK}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
  "two lengths": `${OK}Content-Length: 2\r\nContent-Length: 5\r\n\r\nhello`,
  "one length twice": `${OK}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`,
  "a length as a list": `${OK}Content-Length: 5, 5\r\n\r\nhello`,
  "a length with a sign": `${OK}Content-Length: +5\r\n\r\nhello`,
  "a length in hexadecimal": `${OK}Content-Length: 0x5\r\n\r\nhello`,
  "a space before the colon": `${OK}Content-Length : 5\r\n\r\nhello`,
  "a space in a name": `${OK}X bad: 5\r\n\r\n`,
  "a folded header": `${OK}X-A: a\r\n b\r\nContent-Length: 2\r\n\r\nhi`,
  "no colon": `${OK}X-A\r\n\r\n`,
  "a NUL": `${OK}X-A: a\0b\r\n\r\n`,
  "a bare CR": `${OK}X-A: a\rContent-Length: 5\r\n\r\nhello`,
  "a status of two digits": "HTTP/1.1 20 OK\r\n\r\n",
  "a change of protocols":
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
  "headers that never end": `${OK}X-A: ${"a".repeat(70_000)}`,
};

/** undici takes them. What it makes of them is nothing that the client should get. */
const STRICTER: Readonly<Record<string, string>> = {
  "another version": "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
  "a coding besides chunks": `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
  "another coding than chunks": `${OK}Transfer-Encoding: gzip\r\n\r\nhello`,
  "chunks in HTTP/1.0": "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "a line break before": `\r\n${OK}Content-Length: 2\r\n\r\nhi`,
};

interface Outcome {
  readonly status: number;
  readonly fields: string;
  readonly body: string;
  readonly trailers?: string;
  readonly isWhole: boolean;
}

type Dispatch = (
  request: Dispatcher.DispatchOptions,
  handler: Dispatcher.DispatchHandler,
) => unknown;

function textOf(raw: unknown): string {
  const parts = (raw ?? []) as (Buffer | string)[];
  // undici leaves spaces at the end of values.
  return parts.map((part) => part.toString("latin1").trim()).join("\n");
}

function outcomeOf(dispatch: Dispatch, path: string): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  let status = 0;
  let fields = "";
  let body = "";
  dispatch(
    { method: "GET", path, headers: ["host", "a"], idempotent: false },
    {
      onRequestStart() {},
      onResponseStart(controller, code) {
        if (code < 200) return;
        status = code;
        fields = textOf(controller.rawHeaders);
      },
      onResponseData: (_controller, chunk) => {
        body += chunk.toString("latin1");
      },
      onResponseEnd: ({ rawTrailers }) =>
        resolve({ status, fields, body, trailers: textOf(rawTrailers), isWhole: true }),
      onResponseError: () => resolve({ status, fields, body, isWhole: false }),
    },
  );
  return promise;
}

describe("replies of servers", () => {
  const all = Object.entries({ ...ALIKE, ...STRICTER });
  let server: Server;
  let undici: Pool;
  let plain: PlainPool;

  beforeAll(async () => {
    server = createServer((socket: Socket) => {
      socket.on("error", () => {});
      socket.once("data", (bytes) => {
        const index = Number(/^GET \/(\d+)/.exec(bytes.toString())?.[1]);
        socket.end(Buffer.from(all[index]?.[1] ?? "", "latin1"));
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    undici = new Pool(`http://127.0.0.1:${port}`, { maxHeaderSize: 64 * 1024 });
    plain = new PlainPool({
      address: { host: "127.0.0.1", port, socketPath: null },
      connectMs: 5_000,
      maxConnections: 8,
      keepAliveMs: 5_000,
      requestsPerConnection: 0,
    });
  });

  afterAll(async () => {
    plain.close();
    await undici.destroy();
    server.close();
  });

  const both = async (name: string): Promise<{ own: Outcome; other: Outcome }> => {
    const path = `/${all.findIndex(([key]) => key === name)}`;
    return {
      own: await outcomeOf((request, handler) => plain.dispatch(request, handler), path),
      other: await outcomeOf((request, handler) => undici.dispatch(request, handler), path),
    };
  };

  test.each(Object.keys(ALIKE))("%s: the same for both", async (name) => {
    const { own, other } = await both(name);
    expect(own).toEqual(other);
  });

  test.each(Object.keys(STRICTER))("%s: taken by undici alone", async (name) => {
    const { own, other } = await both(name);
    expect(own).toMatchObject({ status: 0, isWhole: false });
    expect(other).toMatchObject({ isWhole: true });
  });

  test.each(all)("%s: the same wherever it is cut", (_name, text) => {
    const bytes = Buffer.from(text, "latin1");
    const whole = parsed([bytes]);
    const step = Math.ceil(bytes.length / 100);
    for (let at = step; at < bytes.length; at += step) {
      expect(parsed([bytes.subarray(0, at), bytes.subarray(at)])).toBe(whole);
    }
    if (bytes.length > 1_000) return;
    expect(parsed(Array.from(bytes, (byte) => Buffer.from([byte])))).toBe(whole);
  });
});

/** What becomes of one reply, if the connection ends behind these pieces. */
function parsed(pieces: readonly Buffer[]): string {
  let head = "";
  let body = "";
  let isWhole = false;
  const parser = new ReplyParser({
    head: (status, fields) => {
      head = `${status} ${fields.join()}`;
    },
    whole: (status, fields, bytes) => {
      head = `${status} ${fields.join()}`;
      body = Buffer.from(bytes).toString("latin1");
      isWhole = true;
    },
    data: (bytes) => {
      body += Buffer.from(bytes).toString("latin1");
    },
    end: () => {
      isWhole = true;
    },
  });
  parser.begin();
  try {
    for (const piece of pieces) parser.read(piece);
    parser.close();
  } catch {
    // What has come of it until then counts.
  }
  return JSON.stringify([head, body, isWhole, isWhole && parser.isKept]);
}
