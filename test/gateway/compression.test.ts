// Compressed replies as clients get them.

import { randomBytes } from "node:crypto";
import {
  createServer,
  request,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { brotliDecompressSync, createGunzip, gunzipSync, zstdDecompressSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../waiting.ts";
import { openFront, type Front } from "./front.ts";

const TEXT = "The quick brown fox jumps over the lazy dog. ".repeat(100_000);
const DECODERS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  br: brotliDecompressSync,
  gzip: gunzipSync,
  zstd: zstdDecompressSync,
};

/** Of the upstream, by path. */
const REPLIES: Readonly<Record<string, (response: ServerResponse) => void>> = {
  "/long": (response) => {
    response.writeHead(200, {
      "content-type": "text/plain",
      "content-length": TEXT.length,
      etag: '"v1"',
    });
    response.end(TEXT);
  },
  "/weak": (response) => {
    response.writeHead(200, {
      "content-type": "application/ld+json",
      etag: 'W/"v1"',
      vary: "Origin",
    });
    response.end(TEXT.slice(0, 5_000));
  },
  "/noise": (response) => {
    response.writeHead(200, { "content-type": "text/plain" });
    response.end(randomBytes(2_000_000).toString("base64"));
  },
  "/picture": (response) => {
    response.writeHead(200, { "content-type": "image/png" });
    response.end(TEXT);
  },
  "/coded": (response) => {
    response.writeHead(200, { "content-type": "text/plain", "content-encoding": "gzip" });
    response.end(Buffer.from("H4sIAAAAAAAAA8tIzcnJBwCGphA2BQAAAA==", "base64"));
  },
  "/fixed": (response) => {
    response.writeHead(200, {
      "content-type": "text/plain",
      "cache-control": "max-age=1, No-Transform",
    });
    response.end(TEXT);
  },
  "/part": (response) => {
    response.writeHead(206, { "content-type": "text/plain", "content-range": "bytes 0-1999/5000" });
    response.end(TEXT.slice(0, 2_000));
  },
  "/none": (response) => {
    response.writeHead(204, { "content-type": "text/plain" });
    response.end();
  },
  "/short": (response) => {
    response.writeHead(200, { "content-type": "text/plain", "content-length": 1_023 });
    response.end("x".repeat(1_023));
  },
  "/just": (response) => {
    response.writeHead(200, { "content-type": "text/plain", "content-length": 1_024 });
    response.end("x".repeat(1_024));
  },
  "/broken": (response) => {
    response.writeHead(200, { "content-type": "text/plain", "content-length": 5_000_000 });
    response.write(TEXT, () => response.destroy());
  },
};

let peer: Server;
let front: Front;
/** Of the stream of events, and of the body without an end. */
let events: ServerResponse | null = null;
let taken = 0;
let broken = 0;

beforeAll(async () => {
  peer = createServer((incoming, response) => {
    const path = incoming.url ?? "";
    if (path === "/events") {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.flushHeaders();
      events = response;
    } else if (path === "/endless") {
      response.writeHead(200, { "content-type": "text/plain" });
      response.on("close", () => broken++);
      const more = (): void => {
        while (!response.destroyed && response.write(randomBytes(65_536))) taken += 65_536;
      };
      response.on("drain", more);
      more();
    } else REPLIES[path]?.(response);
  });
  peer.listen(0, "127.0.0.1");
  await once(peer, "listening");
  const { port } = peer.address() as AddressInfo;
  front = await openFront(`
upstreams: { peer: { servers: ["http://127.0.0.1:${port}"], retry: false, breaker: false } }
policies: [ compression: {} ]
routes:
  - { match: { path: "/*" }, target: { upstream: peer } }
  - { match: { path: /own }, target: { respond: { headers: { etag: '"a"' }, body: "${"y".repeat(3_000)}" } } }
  - { match: { path: /own-long }, target: { respond: { body: "${"y".repeat(60_000)}é" } } }
`);
});

afterAll(async () => {
  await front[Symbol.asyncDispose]();
  peer.closeAllConnections();
  peer.close();
});

function open(path: string, encoding: string, method = "GET"): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { "accept-encoding": encoding };
    request(`${front.url}${path}`, { method, headers }, resolve).on("error", reject).end();
  });
}

interface Got {
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
  readonly status: number | undefined;
}

async function get(path: string, encoding: string, method?: string): Promise<Got> {
  const incoming = await open(path, encoding, method);
  const body = Buffer.concat(await Array.fromAsync(incoming));
  return { headers: incoming.headers, body, status: incoming.statusCode };
}

describe("compression", () => {
  test.each(["br", "gzip", "zstd"])(
    "%s: a streamed body comes out again, shorter",
    async (encoding) => {
      const { headers, body } = await get("/long", encoding);
      expect(headers).toMatchObject({
        "content-encoding": encoding,
        vary: "Accept-Encoding",
        etag: 'W/"v1"',
      });
      expect(headers["content-length"]).toBeUndefined();
      expect(body.length).toBeLessThan(TEXT.length / 10);
      expect(DECODERS[encoding]?.(body).toString() === TEXT).toBe(true);
    },
  );

  test.each(["/own", "/own-long"])("a whole reply has its length: %s", async (path) => {
    const { headers, body } = await get(path, "gzip");
    expect(headers).toMatchObject({
      "content-encoding": "gzip",
      "content-length": String(body.length),
    });
    expect(gunzipSync(body).length).toBe(path === "/own" ? 3_000 : 60_002);
  });

  test("a body that does not shrink comes out again too", async () => {
    const { body } = await get("/noise", "br");
    expect(brotliDecompressSync(body).length).toBe(2_666_668);
  });

  test("what a reply varies by already stays, and a weak tag is weak enough", async () => {
    const { headers } = await get("/weak", "gzip");
    expect(headers).toMatchObject({
      "content-encoding": "gzip",
      etag: 'W/"v1"',
      vary: "Origin, Accept-Encoding",
    });
  });

  test("a client that takes none gets the body as it is, and is told that it varies", async () => {
    const { headers, body } = await get("/long", "identity");
    expect(headers).toMatchObject({
      vary: "Accept-Encoding",
      etag: '"v1"',
      "content-length": String(TEXT.length),
    });
    expect(headers["content-encoding"]).toBeUndefined();
    expect(body.toString() === TEXT).toBe(true);
  });

  test.each(["/picture", "/fixed", "/part", "/none"])("%s is left alone", async (path) => {
    const { headers } = await get(path, "gzip");
    expect(headers["content-encoding"]).toBeUndefined();
    expect(headers.vary).toBeUndefined();
  });

  test("what is compressed already is left alone", async () => {
    const { headers, body } = await get("/coded", "br, gzip");
    expect(headers["content-encoding"]).toBe("gzip");
    expect(gunzipSync(body).toString()).toBe("hello");
  });

  test.each([
    ["/short", undefined],
    ["/just", "gzip"],
  ])("minSize: %s", async (path, encoding) => {
    expect((await get(path, "gzip")).headers["content-encoding"]).toBe(encoding);
  });

  test("HEAD has no body to compress", async () => {
    const { headers, body, status } = await get("/long", "gzip", "HEAD");
    expect([status, body.length, headers["content-encoding"], headers.vary]).toEqual([
      200,
      0,
      undefined,
      "Accept-Encoding",
    ]);
  });

  test("events arrive as they are sent", async () => {
    const opening = open("/events", "gzip");
    await until("the upstream is asked", () => events !== null);
    events?.write(": hello\n\n");
    const incoming = await opening;
    const seen: string[] = [];
    incoming.pipe(createGunzip()).on("data", (bytes: Buffer) => seen.push(bytes.toString()));
    for (let at = 1; at <= 3; at++) {
      events?.write(`data: ${at}\n\n`);
      await until(`event ${at} is there`, () => seen.join("").endsWith(`data: ${at}\n\n`));
    }
    events?.end();
    await once(incoming, "end");
  });

  test("a reply that breaks off is no whole one", async () => {
    await expect(get("/broken", "gzip")).rejects.toThrow("aborted");
  });

  test("a client that does not read stops the upstream, and one that goes away ends it", async () => {
    const incoming = await open("/endless", "gzip");
    incoming.pause();
    let before = -1;
    // Sockets' buffers are what they are; then it stands still.
    await until("the upstream stands still", () => {
      const isStill = taken === before;
      before = taken;
      return isStill;
    });
    expect(taken).toBeLessThan(64 * 1024 * 1024);
    incoming.destroy();
    await until("the upstream is told", () => broken === 1);
  });
});
