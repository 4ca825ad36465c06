// What every listener does the same. Real sockets, no clock: each step waits for an event.

import { createHash, randomBytes } from "node:crypto";
import { afterEach, describe, expect, test as plainTest } from "vitest";
import { probePort } from "../../runtime/http/port.ts";
import { infoOf } from "../../sdk/errors.ts";
import type { Code } from "../../sdk/errors.ts";
import type { Exchange, ExchangeHandler, Listen, Listener } from "../../sdk/exchange.ts";
import { HEADER_BYTES_MAX, URL_BYTES_MAX } from "../../sdk/limits.ts";
import { RawClient, valuesOf } from "./raw-client.ts";
import type { RawReply } from "./raw-client.ts";

export interface Skip {
  readonly reason: string;
  readonly tests: readonly string[];
}

export interface ListenerUnderTest {
  readonly name: string;
  readonly listen: Listen;
  readonly skips: readonly Skip[];
}

const BODY_BYTES_MAX = 1_000;
const CHUNK_BYTES: number = 64 * 1024;
const TEN_MB = 10 * 1024 * 1024;
const HEAD = "host: a.example\r\n";

let open: Listener[] = [];
let clients: RawClient[] = [];

afterEach(async () => {
  for (const client of clients) client.close();
  for (const listener of open) await listener.drain(0);
  clients = [];
  open = [];
});

function sha(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function readAll(exchange: Exchange): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  return new Promise((resolve, reject) => {
    exchange.readBody({
      chunk: (bytes) => void chunks.push(bytes),
      end: () => resolve(Buffer.concat(chunks)),
      fail: (message) => reject(new Error(message)),
    });
  });
}

const ok: ExchangeHandler = (exchange) => exchange.reply(200, "", exchange.url);
const echo: ExchangeHandler = (exchange) => {
  readAll(exchange).then(
    (body) => exchange.reply(200, "", body),
    () => {},
  );
};

export function listenerSuite(subject: ListenerUnderTest): void {
  const skipped = new Map(
    subject.skips.flatMap(({ reason, tests }) => tests.map((name) => [name, reason])),
  );
  const seen = new Set<string>();
  const test = (name: string, run: () => Promise<void>): void => {
    seen.add(name);
    if (skipped.has(name)) plainTest.skip(`${name} (${skipped.get(name)})`, run);
    else plainTest(name, run);
  };
  const serve: Tools["serve"] = async (handler, bodyBytesMax = BODY_BYTES_MAX, port = 0) => {
    const listener = await subject.listen({
      host: "127.0.0.1",
      port,
      handler,
      bodyBytesMax,
      socketBytesMax: 1_000_000,
      headerBytesMax: HEADER_BYTES_MAX,
    });
    open.push(listener);
    return listener.port;
  };
  const client = (port: number): RawClient => {
    const made = new RawClient(port);
    clients.push(made);
    return made;
  };
  const tools = { test, serve, client };

  describe(`${subject.name} listener`, () => {
    requests(tools);
    replies(tools);
    streams(tools);
    bodies(tools);
    limits(tools);
    guards(tools);
    ends(tools);
    plainTest("every skip names a test", () => {
      expect([...skipped.keys()].filter((name) => !seen.has(name))).toEqual([]);
    });
  });
}

interface Tools {
  readonly test: (name: string, run: () => Promise<void>) => void;
  readonly serve: (
    handler: ExchangeHandler,
    bodyBytesMax?: number,
    port?: number,
  ) => Promise<number>;
  readonly client: (port: number) => RawClient;
}

function requests({ test, serve, client }: Tools): void {
  test("an exchange has method, address, host and headers as sent", async () => {
    const seen: unknown[] = [];
    const port = await serve((exchange) => {
      const { method, url, path, host, authority, headers, scheme, hasBody } = exchange;
      seen.push({ method, url, path, host, authority, headers, scheme, hasBody });
      seen.push(exchange.remoteAddress(), exchange.header("x-b"), exchange.header("x"));
      ok(exchange);
    });
    const raw = client(port);
    raw.send(
      "PURGE /a%20b?c=d?e HTTP/1.1\r\nHost: A.Example.:81\r\nX-B: 1\r\nx-b: 2\r\nX-E:\r\n\r\n",
    );
    await raw.reply();
    expect(seen).toEqual([
      {
        method: "PURGE",
        url: "/a%20b?c=d?e",
        path: "/a%20b",
        host: "a.example",
        authority: "A.Example.:81",
        headers: "host\nA.Example.:81\nx-b\n1\nx-b\n2\nx-e\n\n",
        scheme: "http",
        hasBody: false,
      },
      "127.0.0.1",
      "1",
      undefined,
    ]);
  });

  test("bytes beyond ASCII in the address arrive percent-encoded", async () => {
    const raw = client(await serve(ok));
    raw.send(`GET /\xc3\xa9?\xe2\x82\xac HTTP/1.1\r\n${HEAD}\r\n`);
    expect((await raw.reply()).body.toString()).toBe("/%C3%A9?%E2%82%AC");
  });

  test("an empty query keeps its question mark", async () => {
    const raw = client(await serve(ok));
    raw.send(`GET /a? HTTP/1.1\r\n${HEAD}\r\n`);
    expect((await raw.reply()).body.toString()).toBe("/a?");
  });

  test("request ids differ and none is taken from outside", async () => {
    const ids = new Set<string>();
    const raw = client(
      await serve((exchange) => {
        ids.add(exchange.requestId);
        expect(exchange.requestId).toBe(exchange.requestId);
        ok(exchange);
      }),
    );
    for (let i = 0; i < 3; i++) {
      raw.send(`GET / HTTP/1.1\r\nx-request-id: mine\r\n${HEAD}\r\n`);
      await raw.reply();
    }
    expect(ids.size).toBe(3);
    for (const id of ids) expect(id).toMatch(/^[a-z0-9]{20,26}$/);
  });

  test("one connection carries many requests", async () => {
    const raw = client(await serve(ok));
    for (const path of ["/1", "/2", "/3"]) {
      raw.send(`GET ${path} HTTP/1.1\r\n${HEAD}\r\n`);
      expect((await raw.reply()).body.toString()).toBe(path);
    }
  });

  test("requests sent at once are answered in order", async () => {
    const raw = client(await serve(ok));
    raw.send(`GET /1 HTTP/1.1\r\n${HEAD}\r\nGET /2 HTTP/1.1\r\n${HEAD}\r\n`);
    expect((await raw.reply()).body.toString()).toBe("/1");
    expect((await raw.reply()).body.toString()).toBe("/2");
  });

  test("requests sent at once are answered in order when the replies come later", async () => {
    const raw = client(await serve((exchange) => void setImmediate(() => ok(exchange))));
    raw.send(`GET /1 HTTP/1.1\r\n${HEAD}\r\nGET /2 HTTP/1.1\r\n${HEAD}\r\n`);
    expect((await raw.reply()).body.toString()).toBe("/1");
    expect((await raw.reply()).body.toString()).toBe("/2");
  });

  test("requests sent at once are never answered with one another's reply", async () => {
    const raw = client(await serve((exchange) => void setImmediate(() => ok(exchange))));
    raw.send(`GET /1 HTTP/1.1\r\n${HEAD}\r\nGET /2 HTTP/1.1\r\nconnection: close\r\n${HEAD}\r\n`);
    // Both in order, or (where replies cannot be queued) neither.
    expect(await raw.rest()).toMatch(/^$|\r\n\r\n\/1HTTP[^]*\r\n\r\n\/2$/);
  });

  test("HTTP/1.0 is answered", async () => {
    const raw = client(await serve(ok));
    raw.send("GET /old HTTP/1.0\r\n\r\n");
    expect(await raw.rest()).toMatch(/^HTTP\/1\.[01] 200 OK\r\n[^]*\r\n\r\n\/old$/);
  });

  test("absolute-form gives its host and path", async () => {
    const raw = client(await serve((x) => x.reply(200, "", `${x.host} ${x.url}`)));
    raw.send(`GET http://b.example:80/p?q HTTP/1.1\r\n${HEAD}\r\n`);
    expect((await raw.reply()).body.toString()).toBe("b.example /p?q");
  });

  test("a request to upgrade is an ordinary request", async () => {
    const raw = client(await serve(ok));
    raw.send(`GET /ws HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\n${HEAD}\r\n`);
    expect((await raw.reply()).status).toBe(200);
  });
}

function replies({ test, serve, client }: Tools): void {
  test("status, headers and body go out, several of a name kept apart", async () => {
    const raw = client(
      await serve((x) => x.reply(404, "x-a\n1\nset-cookie\na=1\nset-cookie\nb=2\n", "none")),
    );
    raw.send(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
    const reply = await raw.reply();
    expect(reply.status).toBe(404);
    expect(valuesOf(reply, "set-cookie")).toEqual(["a=1", "b=2"]);
    expect(valuesOf(reply, "x-a")).toEqual(["1"]);
    expect(valuesOf(reply, "content-length")).toEqual(["4"]);
    expect(valuesOf(reply, "date")).toHaveLength(1);
    expect(reply.body.toString()).toBe("none");
  });

  test("framing, connection and date headers of a handler are left out", async () => {
    const list =
      "content-length\n99\ntransfer-encoding\nchunked\nconnection\nclose\ndate\nnow\nx\ny\n";
    const raw = client(await serve((x) => x.reply(200, list, "four")));
    for (let i = 0; i < 2; i++) {
      raw.send(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
      const reply = await raw.reply();
      expect(valuesOf(reply, "content-length")).toEqual(["4"]);
      expect(valuesOf(reply, "transfer-encoding")).toEqual([]);
      expect(valuesOf(reply, "date").join()).toMatch(/ GMT$/);
      expect(reply.body.toString()).toBe("four");
    }
  });

  test("the request's id goes with every reply, and a handler cannot speak for it", async () => {
    const ids: string[] = [];
    const list = "x-request-id\nforged\nx-a\nx-request-id\nx-request-idx\n1\n";
    const raw = client(
      await serve((x) => {
        ids.push(x.requestId);
        x.reply(200, list, null);
      }),
    );
    for (let i = 0; i < 2; i++) {
      raw.send(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
      const reply = await raw.reply();
      expect(valuesOf(reply, "x-request-id")).toEqual([ids[i]]);
      expect(valuesOf(reply, "x-a")).toEqual(["x-request-id"]);
      expect(valuesOf(reply, "x-request-idx")).toEqual(["1"]);
    }
    expect(new Set(ids).size).toBe(2);
  });

  test("a header that would break the reply apart is left out", async () => {
    const list = "x-a\na\rSet-Cookie: c\nx b\n1\nx-c\n\0\nx-d\nfine\n";
    const raw = client(await serve((x) => x.reply(200, list, null)));
    raw.send(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
    const names = (await raw.reply()).headers.map(([name]) => name);
    expect(names).toContain("x-d");
    for (const name of ["x-a", "x b", "x-c", "set-cookie"]) expect(names).not.toContain(name);
  });

  test("header bytes beyond ASCII go out as one byte each", async () => {
    for (const body of [null, "a text"]) {
      const raw = client(await serve((x) => x.reply(200, "x-e\n\xe9!\nx-f\nplain\n", body)));
      raw.send(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
      const reply = await raw.reply();
      expect(valuesOf(reply, "x-e")).toEqual(["\xe9!"]);
      expect(valuesOf(reply, "x-f")).toEqual(["plain"]);
      expect(reply.body.toString()).toBe(body ?? "");
    }
  });

  test("a null body is an empty one", async () => {
    const raw = client(await serve((x) => x.reply(200, "", null)));
    raw.send(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
    expect(valuesOf(await raw.reply(), "content-length")).toEqual(["0"]);
  });

  for (const [name, body, length] of [
    ["of its body", "h\xe9llo", "6"],
    ["its handler gives", null, "77"],
  ] as const) {
    test(`HEAD has the length ${name} and no body`, async () => {
      const raw = client(await serve((x) => x.reply(200, "content-length\n77\n", body)));
      for (let i = 0; i < 2; i++) {
        raw.send(`HEAD / HTTP/1.1\r\n${HEAD}\r\n`);
        expect(valuesOf(await raw.reply(true), "content-length")).toEqual([length]);
      }
    });
  }

  for (const status of [204, 304]) {
    test(`${status} has neither body nor length`, async () => {
      const raw = client(await serve((x) => x.reply(status, "", "left out")));
      for (let i = 0; i < 2; i++) {
        raw.send(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
        const reply = await raw.reply();
        expect(reply.status).toBe(status);
        expect(valuesOf(reply, "content-length")).toEqual([]);
        expect(valuesOf(reply, "transfer-encoding")).toEqual([]);
      }
    });
  }

  for (const [name, value] of [
    ["Connection: close", "close"],
    ["Connection: Close", "Close"],
    ["close in a list", "x-a, CLOSE"],
  ] as const) {
    test(`${name} ends the connection after the reply`, async () => {
      const raw = client(await serve(ok));
      raw.send(`GET /a HTTP/1.1\r\nconnection: ${value}\r\n${HEAD}\r\n`);
      expect(await raw.rest()).toMatch(/\r\n\r\n\/a$/);
    });
  }

  test("10 MB down arrive unchanged", async () => {
    const body = randomBytes(TEN_MB);
    const port = await serve((x) => x.reply(200, "", body));
    const response = await fetch(`http://127.0.0.1:${port}/`);
    expect(response.headers.get("content-length")).toBe(String(TEN_MB));
    expect(sha(await response.bytes())).toBe(sha(body));
  });

  test("10 MB down as a string arrive unchanged", async () => {
    const text = "é".repeat(TEN_MB / 2);
    const port = await serve((x) => x.reply(200, "", text));
    expect(sha(await (await fetch(`http://127.0.0.1:${port}/`)).bytes())).toBe(
      sha(Buffer.from(text)),
    );
  });

  test("later replies and second replies are taken once", async () => {
    let bytes = 0;
    const raw = client(
      await serve((x) => {
        setImmediate(() => {
          x.reply(201, "", "one");
          x.reply(202, "", "two");
          x.begin(203, "");
          x.finish();
        });
        x.onDone(() => {
          bytes = x.bytesOut;
        });
      }),
    );
    raw.send(`GET / HTTP/1.1\r\nconnection: close\r\n${HEAD}\r\n`);
    expect(await raw.rest()).toMatch(/^HTTP\/1\.1 201 [^]*\r\n\r\none$/);
    expect(bytes).toBe(3);
  });
}

function streams({ test, serve, client }: Tools): void {
  test("a streamed reply of unknown length is chunked", async () => {
    const raw = client(
      await serve((x) => {
        x.begin(201, "x-a\n1\n");
        x.write(Buffer.from("one"));
        x.write(new Uint8Array(0));
        setImmediate(() => {
          x.write(Buffer.from("two"));
          x.finish();
        });
      }),
    );
    for (let i = 0; i < 2; i++) {
      raw.send(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
      const reply = await raw.reply();
      expect([reply.status, reply.body.toString()]).toEqual([201, "onetwo"]);
      expect(valuesOf(reply, "transfer-encoding")).toEqual(["chunked"]);
    }
  });

  test("a streamed reply of known length keeps its Content-Length", async () => {
    const raw = client(
      await serve((x) => {
        x.begin(200, "content-length\n6\n");
        x.write(Buffer.from("one"));
        x.write(Buffer.from("twothree"));
        x.finish();
      }),
    );
    for (let i = 0; i < 2; i++) {
      raw.send(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
      const reply = await raw.reply();
      expect(valuesOf(reply, "content-length")).toEqual(["6"]);
      expect(reply.body.toString()).toBe("onetwo");
    }
  });

  test("the head of a streamed reply goes out before its first chunk", async () => {
    const begun = Promise.withResolvers<Exchange>();
    const raw = client(
      await serve((x) => {
        x.begin(200, "x-a\n1\n");
        begun.resolve(x);
      }),
    );
    raw.send(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
    expect(await raw.some()).toMatch(/\r\n\r\n$/);
    (await begun.promise).finish();
  });

  test("a streamed reply shorter than its Content-Length is seen to be broken", async () => {
    const raw = client(
      await serve((x) => {
        x.begin(200, "content-length\n6\n");
        x.write(Buffer.from("one"));
        x.finish();
      }),
    );
    raw.send(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
    await expect(raw.reply()).rejects.toThrow("ended");
  });

  test("a streamed reply to HEAD has no body", async () => {
    const raw = client(
      await serve((x) => {
        x.begin(200, "content-length\n6\n");
        x.write(Buffer.from("onetwo"));
        x.finish();
      }),
    );
    for (let i = 0; i < 2; i++) {
      raw.send(`HEAD / HTTP/1.1\r\n${HEAD}\r\n`);
      expect(valuesOf(await raw.reply(true), "content-length")).toEqual(["6"]);
    }
  });

  for (const [name, headers] of [
    ["of unknown length", ""],
    ["of known length", `content-length\n${TEN_MB}\n`],
  ] as const) {
    test(`10 MB ${name}, streamed under backpressure, arrive unchanged`, async () => {
      const body = randomBytes(TEN_MB);
      const port = await serve((x) => {
        let at = 0;
        const pump = (): void => {
          while (at < body.length) {
            const full = !x.write(body.subarray(at, (at += 100_000)));
            if (full) return;
          }
          x.finish();
        };
        x.begin(200, headers);
        x.onDrained(pump);
        pump();
      });
      const response = await fetch(`http://127.0.0.1:${port}/`);
      expect(sha(await response.bytes())).toBe(sha(body));
    });

    test(`a client that does not read a reply ${name} holds the writer up`, async () => {
      const full = Promise.withResolvers<number>();
      const drained = Promise.withResolvers<void>();
      const raw = client(
        await serve((x) => {
          x.begin(200, headers);
          let written = 0;
          x.onDrained(() => {
            drained.resolve();
            x.reset();
          });
          while (x.write(Buffer.alloc(CHUNK_BYTES)) && written < TEN_MB) written += CHUNK_BYTES;
          full.resolve(written);
        }),
      );
      raw.socket.pause();
      raw.send(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
      expect(await full.promise).toBeLessThan(TEN_MB);
      raw.socket.resume();
      await drained.promise;
    });
  }

  test("a reset is seen to be broken", async () => {
    const raw = client(
      await serve((x) => {
        x.begin(200, "");
        x.write(Buffer.from("part"));
        setImmediate(() => x.reset());
      }),
    );
    raw.send(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
    await expect(raw.reply()).rejects.toThrow("ended");
  });

  test("a reset before the first chunk is no reply", async () => {
    const raw = client(
      await serve((x) => {
        x.begin(200, "a\nb\n");
        setImmediate(() => x.reset());
      }),
    );
    raw.send(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
    // Nothing, or a whole head of a body that does not end: never a part of a head.
    expect(await raw.rest()).toMatch(/^$|\r\n\r\n$/);
  });
}

function bodies({ test, serve, client }: Tools): void {
  test("10 MB up arrive unchanged, with a length and chunked", async () => {
    const body = randomBytes(TEN_MB);
    const port = await serve(echo, TEN_MB);
    const url = `http://127.0.0.1:${port}/`;
    const known = await fetch(url, { method: "POST", body });
    expect(sha(await known.bytes())).toBe(sha(body));
    const stream = new Blob([body]).stream();
    const chunked = await fetch(url, { method: "POST", body: stream, duplex: "half" });
    expect(sha(await chunked.bytes())).toBe(sha(body));
  });

  for (const [name, text] of [
    ["with a length", "content-length: 5\r\n\r\nhello"],
    ["chunked", "transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"],
  ] as const) {
    test(`a small body ${name} can be taken whole when the handler is called`, async () => {
      const raw = client(
        await serve((x) => {
          const taken = x.takeWholeBody();
          x.reply(200, "", taken === null ? "nothing" : Buffer.concat([taken, Buffer.from("!")]));
        }),
      );
      for (let i = 0; i < 2; i++) {
        raw.send(`POST / HTTP/1.1\r\n${HEAD}${text}`);
        expect((await raw.reply()).body.toString()).toBe("hello!");
      }
    });
  }

  test("a body that has not all come cannot be taken, only read", async () => {
    const called = Promise.withResolvers<void>();
    const raw = client(
      await serve((x) => {
        expect(x.takeWholeBody()).toBe(null);
        echo(x);
        called.resolve();
      }),
    );
    raw.send(`POST / HTTP/1.1\r\n${HEAD}content-length: 5\r\n\r\nhel`);
    await called.promise;
    raw.send("lo");
    expect((await raw.reply()).body.toString()).toBe("hello");
  });

  test("a request without a body reads as an empty one", async () => {
    const raw = client(await serve(echo));
    raw.send(`POST / HTTP/1.1\r\n${HEAD}content-length: 0\r\n\r\n`);
    expect((await raw.reply()).body.length).toBe(0);
  });

  test("Expect: 100-continue is answered with 100", async () => {
    const raw = client(await serve(echo));
    raw.send(`POST / HTTP/1.1\r\n${HEAD}expect: 100-continue\r\ncontent-length: 5\r\n\r\n`);
    expect((await raw.reply()).status).toBe(100);
    raw.send("hello");
    expect((await raw.reply()).body.toString()).toBe("hello");
  });

  test("a body that nobody reads is not taken from the client", async () => {
    const size = 6 * TEN_MB;
    const held = Promise.withResolvers<Exchange>();
    const raw = client(await serve((x) => held.resolve(x), size));
    raw.send(`POST / HTTP/1.1\r\n${HEAD}content-length: ${size}\r\n\r\n`);
    const body = randomBytes(size);
    raw.send(body);
    const exchange = await held.promise;
    // Turns of the loop in which it would all come, if anybody read it.
    for (let i = 0; i < 500; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(raw.socket.writableLength).toBeGreaterThan(0);
    const hash = createHash("sha256");
    exchange.readBody({
      chunk: (bytes) => {
        hash.update(bytes);
        exchange.pauseBody();
        setImmediate(() => exchange.resumeBody());
      },
      end: () => exchange.reply(200, "", hash.digest("hex")),
      fail: () => exchange.reset(),
    });
    expect((await raw.reply()).body.toString()).toBe(sha(body));
  });

  test("a reply before the body is read leaves the connection usable", async () => {
    const raw = client(await serve(ok));
    raw.send(`POST /1 HTTP/1.1\r\n${HEAD}content-length: 5\r\n\r\nhel`);
    expect((await raw.reply()).body.toString()).toBe("/1");
    raw.send(`loGET /2 HTTP/1.1\r\n${HEAD}\r\n`);
    expect((await raw.reply()).body.toString()).toBe("/2");
  });
}

const chunkedBody = (size: number): string =>
  `transfer-encoding: chunked\r\n\r\n${size.toString(16)}\r\n${"b".repeat(size)}\r\n0\r\n\r\n`;
const knownBody = (size: number): string => `content-length: ${size}\r\n\r\n${"b".repeat(size)}`;

function limits({ test, serve, client }: Tools): void {
  for (const [kind, make] of [
    ["known length", knownBody],
    ["chunks", chunkedBody],
  ] as const) {
    for (const [how, handler] of [
      ["read", echo],
      ["taken whole", (x: Exchange) => x.reply(200, "", x.takeWholeBody())],
    ] as const) {
      for (const size of [BODY_BYTES_MAX - 1, BODY_BYTES_MAX, BODY_BYTES_MAX + 1]) {
        const status = size > BODY_BYTES_MAX ? 413 : 200;
        test(`${size} of ${BODY_BYTES_MAX} bytes of ${kind}, ${how}, are ${status}`, async () => {
          const raw = client(await serve(handler));
          raw.send(`POST / HTTP/1.1\r\n${HEAD}${make(size)}`);
          const reply = await raw.reply();
          expect(reply.status).toBe(status);
          if (status === 200) expect(reply.body.length).toBe(size);
          else expectProblem(reply, "BODY_TOO_LARGE");
        });
      }
    }
  }

  test("limitBody raises and lowers the limit for one exchange", async () => {
    const raw = client(
      await serve((x) => {
        x.limitBody(Number(x.url.slice(1)));
        echo(x);
      }),
    );
    raw.send(`POST /2000 HTTP/1.1\r\n${HEAD}${knownBody(2000)}`);
    expect((await raw.reply()).body.length).toBe(2000);
    raw.send(`POST /9 HTTP/1.1\r\n${HEAD}${knownBody(10)}`);
    expectProblem(await raw.reply(), "BODY_TOO_LARGE");
    raw.send(`POST /9 HTTP/1.1\r\n${HEAD}${knownBody(9)}`);
    expect((await raw.reply()).body.length).toBe(9);
  });

  test("the reader of a body beyond the limit is told", async () => {
    const told = Promise.withResolvers<string>();
    const raw = client(
      await serve((x) => {
        x.readBody({ chunk: () => {}, end: () => {}, fail: told.resolve });
      }),
    );
    raw.send(`POST / HTTP/1.1\r\n${HEAD}${chunkedBody(BODY_BYTES_MAX + 1)}`);
    expect(await told.promise).toContain(String(BODY_BYTES_MAX));
    expectProblem(await raw.reply(), "BODY_TOO_LARGE");
  });

  test("a client in the middle of 10 MB too many gets to see the 413", async () => {
    const port = await serve(echo);
    const body = new Uint8Array(TEN_MB);
    const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body });
    expect(response.status).toBe(413);
    await response.bytes();
  });

  for (const length of [URL_BYTES_MAX - 1, URL_BYTES_MAX, URL_BYTES_MAX + 1]) {
    const status = length > URL_BYTES_MAX ? 414 : 200;
    test(`an address of ${length} bytes is ${status}`, async () => {
      const raw = client(await serve(ok));
      raw.send(`GET /${"u".repeat(length - 1)} HTTP/1.1\r\n${HEAD}\r\n`);
      const reply = await raw.reply();
      expect(reply.status).toBe(status);
      if (status === 414) expectProblem(reply, "URI_TOO_LONG");
    });
  }

  test("headers just below the limit are taken", async () => {
    const raw = client(await serve(ok));
    const line = `GET / HTTP/1.1\r\n${HEAD}x: `;
    raw.send(`${line}${"h".repeat(HEADER_BYTES_MAX - line.length - 100)}\r\n\r\n`);
    expect((await raw.reply()).status).toBe(200);
  });

  test("headers above the limit are 431", async () => {
    const raw = client(await serve(ok));
    raw.send(`GET / HTTP/1.1\r\n${HEAD}x: ${"h".repeat(HEADER_BYTES_MAX)}\r\n\r\n`);
    expect(await raw.rest()).toMatch(/^HTTP\/1\.1 431 /);
  });

  test("headers above the limit are a problem with a request id", async () => {
    const raw = client(await serve(ok));
    raw.send(`GET / HTTP/1.1\r\n${HEAD}x: ${"h".repeat(HEADER_BYTES_MAX)}\r\n\r\n`);
    expectProblem(await raw.reply(), "HEADERS_TOO_LARGE");
  });
}

function expectProblem(reply: RawReply, code: Code): void {
  expect(reply.status).toBe(infoOf(code).status);
  expect(valuesOf(reply, "content-type")).toEqual(["application/problem+json"]);
  const body = JSON.parse(reply.body.toString()) as Record<string, unknown>;
  expect(body).toMatchObject({ code, status: reply.status, title: infoOf(code).title });
  expect(valuesOf(reply, "x-request-id")).toEqual([body["requestId"]]);
}

/** Each is the request's bytes after the method. Some parsers see it themselves, so only the status counts. */
const REFUSED: Readonly<Record<string, string>> = {
  "two Content-Lengths": `GET / HTTP/1.1\r\n${HEAD}content-length: 1\r\ncontent-length: 2\r\n\r\nab`,
  "the same Content-Length twice": `GET / HTTP/1.1\r\n${HEAD}content-length: 1\r\ncontent-length: 1\r\n\r\na`,
  "a list of Content-Lengths": `GET / HTTP/1.1\r\n${HEAD}content-length: 1, 1\r\n\r\na`,
  "an empty Content-Length": `GET / HTTP/1.1\r\n${HEAD}content-length:\r\n\r\n`,
  "an 8-bit Content-Length": `GET / HTTP/1.1\r\n${HEAD}content-length: \xb2\r\n\r\n`,
  "a signed Content-Length": `GET / HTTP/1.1\r\n${HEAD}content-length: +1\r\n\r\na`,
  "a hexadecimal Content-Length": `GET / HTTP/1.1\r\n${HEAD}content-length: 0x1\r\n\r\na`,
  "Content-Length and Transfer-Encoding": `POST / HTTP/1.1\r\n${HEAD}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  "chunked not last": `POST / HTTP/1.1\r\n${HEAD}transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n`,
  "chunked twice": `POST / HTTP/1.1\r\n${HEAD}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  "another Transfer-Encoding": `POST / HTTP/1.1\r\n${HEAD}transfer-encoding: identity\r\n\r\n`,
  "no Host": "GET / HTTP/1.1\r\n\r\n",
  "an empty Host": "GET / HTTP/1.1\r\nhost:\r\n\r\n",
  "two Hosts": "GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n",
  "a Host with a space": "GET / HTTP/1.1\r\nhost: a b\r\n\r\n",
  "a Host with a slash": "GET / HTTP/1.1\r\nhost: a/b\r\n\r\n",
  "a Host with @": "GET / HTTP/1.1\r\nhost: a@b\r\n\r\n",
  "a list of Hosts": "GET / HTTP/1.1\r\nhost: a, b\r\n\r\n",
  "a Host with a port that is none": "GET / HTTP/1.1\r\nhost: a:b\r\n\r\n",
  "a Host with a port beyond 65535": "GET / HTTP/1.1\r\nhost: a:65536\r\n\r\n",
  "an empty header name": `GET / HTTP/1.1\r\n${HEAD}: a\r\n\r\n`,
  "a header name with a space": `GET / HTTP/1.1\r\n${HEAD}x y: a\r\n\r\n`,
  "a space before the colon": `GET / HTTP/1.1\r\n${HEAD}x : a\r\n\r\n`,
  "a header name with a brace": `GET / HTTP/1.1\r\n${HEAD}x{: a\r\n\r\n`,
  "a folded header": `GET / HTTP/1.1\r\n${HEAD}x: a\r\n b\r\n\r\n`,
  "NUL in a header": `GET / HTTP/1.1\r\n${HEAD}x: a\0b\r\n\r\n`,
  "LF in a header": `GET / HTTP/1.1\r\n${HEAD}x: a\ny\r\n\r\n`,
  "DEL in a header": `GET / HTTP/1.1\r\n${HEAD}x: a\x7fb\r\n\r\n`,
  "a method with a brace": `G{T / HTTP/1.1\r\n${HEAD}\r\n`,
  "a fragment in the address": `GET /a#b HTTP/1.1\r\n${HEAD}\r\n`,
  "DEL in the address": `GET /a\x7fb HTTP/1.1\r\n${HEAD}\r\n`,
};

/** Refused with whatever status the parser has for it. */
const UNREAD: Readonly<Record<string, string>> = {
  "a space in the address": `GET /a b HTTP/1.1\r\n${HEAD}\r\n`,
  "NUL in the address": `GET /a\0b HTTP/1.1\r\n${HEAD}\r\n`,
  "no slash before the address": `GET a HTTP/1.1\r\n${HEAD}\r\n`,
  "asterisk-form": `OPTIONS * HTTP/1.1\r\n${HEAD}\r\n`,
  "authority-form": `CONNECT a:1 HTTP/1.1\r\n${HEAD}\r\n`,
};

function guards({ test, serve, client }: Tools): void {
  for (const [name, bytes] of Object.entries(REFUSED)) {
    test(`${name} is 400 and ends the connection`, async () => {
      let calls = 0;
      const raw = client(await serve(() => void calls++));
      raw.send(bytes);
      expect(await raw.rest()).toMatch(/^HTTP\/1\.1 400 /);
      expect(calls).toBe(0);
    });

    test(`${name} ends the connection before what is sent right behind it`, async () => {
      let calls = 0;
      const raw = client(await serve(() => void calls++));
      raw.send(`${bytes}GET /behind HTTP/1.1\r\n${HEAD}\r\n`);
      expect(await raw.rest()).toMatch(/^(HTTP\/1\.1 400 |$)/);
      expect(calls).toBe(0);
    });
  }

  for (const [name, bytes] of Object.entries(UNREAD)) {
    test(`${name} is refused and ends the connection`, async () => {
      let calls = 0;
      const raw = client(await serve(() => void calls++));
      raw.send(bytes);
      expect(await raw.rest()).toMatch(/^HTTP\/1\.1 (400|404|505) /);
      expect(calls).toBe(0);
    });
  }

  test("what the guards refuse is a problem with a request id", async () => {
    const raw = client(await serve(ok));
    raw.send("GET / HTTP/1.1\r\nhost: a b\r\n\r\n");
    expectProblem(await raw.reply(), "BAD_REQUEST");
  });

  test("what the parser refuses is a problem with a request id", async () => {
    const raw = client(await serve(ok));
    raw.send(`GET / HTTP/1.1\r\n${HEAD}x y: a\r\n\r\n`);
    expectProblem(await raw.reply(), "BAD_REQUEST");
  });
}

function ends({ test, serve, client }: Tools): void {
  test("a client that goes away before the reply is noticed", async () => {
    const called = Promise.withResolvers<Exchange>();
    const events: string[] = [];
    const done = Promise.withResolvers<void>();
    const raw = client(
      await serve((x) => {
        x.onGone(() => events.push("gone"));
        x.onDone(() => {
          events.push("done");
          done.resolve();
        });
        called.resolve(x);
      }),
    );
    raw.send(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
    const exchange = await called.promise;
    raw.close();
    await done.promise;
    exchange.reply(200, "", "late");
    exchange.reset();
    expect(events).toEqual(["gone", "done"]);
    expect(exchange.state).toBe("gone");
  });

  test("a client that goes away while a reply streams is noticed", async () => {
    const gone = Promise.withResolvers<void>();
    let exchange: Exchange | undefined;
    const raw = client(
      await serve((x) => {
        exchange = x;
        x.onGone(gone.resolve);
        x.begin(200, "");
        x.write(Buffer.from("part"));
      }),
    );
    raw.send(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
    await raw.some();
    raw.close();
    await gone.promise;
    exchange?.write(Buffer.from("late"));
    exchange?.finish();
    expect(exchange?.state).toBe("gone");
  });

  test("a client that goes away within its body fails the reader", async () => {
    const called = Promise.withResolvers<void>();
    const failed = Promise.withResolvers<string>();
    const raw = client(
      await serve((x) => {
        x.readBody({ chunk: () => called.resolve(), end: () => {}, fail: failed.resolve });
      }),
    );
    raw.send(`POST / HTTP/1.1\r\n${HEAD}content-length: 9\r\n\r\nhalf`);
    await called.promise;
    raw.close();
    expect(await failed.promise).toContain("went away");
  });

  test("two listeners share one port, and a probe sees them", async () => {
    const port = await serve(ok);
    expect(await serve(ok, BODY_BYTES_MAX, port)).toBe(port);
    await expect(probePort({ host: "127.0.0.1", port })).rejects.toMatchObject({
      code: "PORT_IN_USE",
    });
  });
}
