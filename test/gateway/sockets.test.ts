// WebSockets that go through to an upstream, the same on both listeners.

import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket, type ClientOptions } from "ws";
import { PROXIED_BACKLOG_BYTES_MAX } from "../../sdk/limits.ts";
import { until } from "../waiting.ts";
import { openFront, type Front } from "./front.ts";
import { SocketPeer } from "./socket-peer.ts";

const configuration = (peer: string, other: string, dead: string): string => `
upstreams:
  one: { servers: ["${peer}"], retry: false, breaker: false, timeout: { firstByte: 1s } }
  two: { servers: ["${peer}", "${other}"], breaker: false, retry: { attempts: 2, on: [connect, reset, 503], backoff: 1ms } }
  half: { servers: ["${dead}", "${peer}"], breaker: false, retry: { attempts: 2, backoff: 1ms } }
  weak: { servers: ["${peer}"], retry: false, breaker: { failures: 2 } }
routes:
  - { name: one, match: { path: "/one/*" }, target: { upstream: one, stripPrefix: /one } }
  - { name: two, match: { path: "/two/*" }, target: { upstream: two, stripPrefix: /two } }
  - { name: half, match: { path: "/half/*" }, target: { upstream: half, stripPrefix: /half } }
  - { name: weak, match: { path: "/weak/*" }, target: { upstream: weak, stripPrefix: /weak } }
  - name: closed
    match: { path: "/closed/*" }
    target: { upstream: one, stripPrefix: /closed }
    policies: [ ipFilter: { deny: [127.0.0.1] } ]
  - name: limited
    match: { path: "/limited/*" }
    target: { upstream: one, stripPrefix: /limited }
    policies:
      - rateLimit: { algorithm: fixed-window, capacity: 2, window: 60s, key: route }
      - headers: { request: { set: { x-in: "{request.path}" } }, response: { set: { x-out: "1" } } }
`;

interface Client {
  readonly ws: WebSocket;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly messages: (string | Buffer)[];
  readonly closed: Promise<[number, string]>;
}

describe.each(["uws", "node"] as const)("a WebSocket through the %s listener", (kind) => {
  let peer: SocketPeer;
  let other: SocketPeer;
  let front: Front;

  beforeAll(async () => {
    peer = await new SocketPeer("peer").listen();
    other = await new SocketPeer("other").listen();
    const gone = await new SocketPeer("gone").listen();
    const dead = gone.url;
    await gone[Symbol.asyncDispose]();
    front = await openFront(configuration(peer.url, other.url, dead), { kind });
  });

  afterAll(async () => {
    await front?.[Symbol.asyncDispose]();
    await peer?.[Symbol.asyncDispose]();
    await other?.[Symbol.asyncDispose]();
  });

  const dial = (path: string, protocols: string[] = [], options: ClientOptions = {}): WebSocket =>
    new WebSocket(`ws://127.0.0.1:${front.port}${path}`, protocols, options);

  const open = async (
    path: string,
    protocols?: string[],
    more?: ClientOptions,
  ): Promise<Client> => {
    const ws = dial(path, protocols, more);
    const messages: (string | Buffer)[] = [];
    ws.on("message", (data: Buffer, isBinary) => messages.push(isBinary ? data : String(data)));
    const closed = once(ws, "close").then(
      ([code, reason]) => [code as number, String(reason)] as [number, string],
    );
    const [response] = (await once(ws, "upgrade")) as [{ headers: Client["headers"] }];
    if (ws.readyState === ws.CONNECTING) await once(ws, "open");
    return { ws, headers: response.headers, messages, closed };
  };

  const refused = async (path: string): Promise<[number, string, Client["headers"]]> => {
    const ws = dial(path);
    ws.on("error", () => {});
    const [, response] = (await once(ws, "unexpected-response")) as [
      unknown,
      AsyncIterable<Buffer> & { statusCode: number; headers: Client["headers"] },
    ];
    let body = "";
    for await (const chunk of response) body += String(chunk);
    return [response.statusCode, body, response.headers];
  };

  test("carries text and bytes both ways, in order, as they were", async () => {
    const { ws, messages } = await open("/one/echo");
    const sent = ["ä€😀", "", "x".repeat(200_000), Buffer.from([0, 255]), Buffer.alloc(200_000, 7)];
    for (const message of sent) ws.send(message);
    await until("all are back", () => messages.length === sent.length);
    expect(messages).toEqual(sent);
    ws.terminate();
  });

  test("what the server says at once is not lost", async () => {
    const { ws, messages } = await open("/one/greet");
    await until("it is there", () => messages.length === 1);
    expect(messages).toEqual(["first"]);
    ws.terminate();
  });

  test("the server sees path, headers, origin and protocols as over HTTP, and chooses the protocol", async () => {
    const { ws, headers } = await open("/one/echo?a=%2F|b", ["chat", "other"], {
      headers: { "x-own": "1", "x-forwarded-for": "9.9.9.9", cookie: "a=1" },
      perMessageDeflate: true,
    });
    expect(headers["sec-websocket-protocol"]).toBe("chat");
    expect(headers["sec-websocket-extensions"]).toBeUndefined();
    expect(headers["via"]).toBe("1.1 islet");
    const { request } = peer.seen.at(-1) ?? {};
    expect(request?.url).toBe("/echo?a=%2F|b");
    expect(request?.headers).toMatchObject({
      host: new URL(peer.url).host,
      "x-own": "1",
      cookie: "a=1",
      via: "1.1 islet",
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-proto": "http",
      "x-forwarded-host": `127.0.0.1:${front.port}`,
      "sec-websocket-protocol": "chat,other",
    });
    expect(request?.headers["sec-websocket-extensions"]).toBeUndefined();
    ws.terminate();
  });

  test("a client that asks for no protocol gets none", async () => {
    const { ws, headers } = await open("/one/echo");
    expect(headers["sec-websocket-protocol"]).toBeUndefined();
    ws.terminate();
  });

  test("the server's refusal is the client's", async () => {
    const [status, body, headers] = await refused("/one/refuse");
    expect([status, body, headers["x-why"]]).toEqual([403, "no!\n", "no"]);
  });

  test.each([
    ["/one/reset", 502],
    ["/one/wrong", 502],
    ["/one/hang", 504],
  ])("a handshake that fails (%s) is %d", async (path, status) => {
    expect((await refused(path))[0]).toBe(status);
  });

  test("policies stand in front: who is refused never reaches the server", async () => {
    const before = peer.asked.length;
    expect((await refused("/closed/echo"))[0]).toBe(403);
    for (let i = 0; i < 2; i++) {
      const { ws, headers } = await open("/limited/echo");
      expect(headers["x-out"]).toBe("1");
      expect(peer.seen.at(-1)?.request.headers["x-in"]).toBe("/limited/echo");
      ws.terminate();
    }
    expect((await refused("/limited/echo"))[0]).toBe(429);
    expect(peer.asked.length - before).toBe(2);
  });

  test("a server that cannot take it is passed over, before the handshake and never after", async () => {
    for (let i = 0; i < 2; i++) (await open("/half/echo")).ws.terminate();
    const count = (): number => [...peer.asked, ...other.asked].filter((p) => p === "/busy").length;
    expect((await refused("/two/busy"))[0]).toBe(503);
    expect(count()).toBe(2);
    const before = peer.seen.length + other.seen.length;
    const { ws, closed } = await open("/two/die");
    ws.send("now");
    expect((await closed)[0]).toBe(1011);
    expect(peer.seen.length + other.seen.length - before).toBe(1);
  });

  test("handshakes that fail open the breaker", async () => {
    for (let i = 0; i < 2; i++) expect((await refused("/weak/reset"))[0]).toBe(502);
    expect((await refused("/weak/echo"))[0]).toBe(503);
  });

  test("a server's close reaches the client with code and reason", async () => {
    expect(await (await open("/one/close")).closed).toEqual([4001, "enough"]);
    expect(await (await open("/one/bare")).closed).toEqual([1005, ""]);
  });

  test.each([
    [1000, "bye", [1000, "bye"]],
    [4321, "", [4321, ""]],
    [1001, "ä€", [1001, "ä€"]],
  ])("a client's close with %d reaches the server", async (code, reason, expected) => {
    const { ws, closed } = await open("/one/echo");
    ws.close(code, reason);
    expect(await peer.seen.at(-1)?.closed).toEqual(expected);
    expect((await closed)[0]).toBe(code);
  });

  test("a client that vanishes is seen to by the server, and counts no more", async () => {
    const { ws } = await open("/one/echo");
    ws.terminate();
    expect((await peer.seen.at(-1)?.closed)?.[0]).toBe(1006);
    await until("nothing is open", () =>
      front.gateway.upstreams().every(({ servers }) => servers.every(({ active }) => active === 0)),
    );
  });

  test.each(["/one/die", "/one/garbled"])(
    "a server that breaks off (%s) closes the client with 1011, and the log says so",
    async (path) => {
      const { ws, closed } = await open(path);
      ws.send("x");
      expect(await closed).toEqual([1011, "The upstream was lost."]);
      const line = /upstream one, WebSocket: http.*: the connection was lost/;
      await until("it is logged", () => line.test(front.lines.at(-1) ?? ""));
    },
  );

  test("a client that does not read holds the server up, and gets all of it when it does", async () => {
    const { ws, messages } = await open("/one/flood");
    ws.pause();
    let last = -1;
    await until("the server is held", () => {
      const held = peer.flooded > 0 && peer.flooded === last;
      last = peer.flooded;
      return held;
    });
    expect(peer.flooded).toBeLessThan(64 * 1024 * 1024);
    ws.resume();
    const before = peer.flooded;
    await until("it goes on", () => peer.flooded > before + 1024 * 1024);
    expect(messages.every((one) => one.length === 64 * 1024)).toBe(true);
    ws.terminate();
  });

  test("a server that does not read holds a client up, or costs one that cannot be told its socket", async () => {
    const { ws, closed } = await open("/one/deaf");
    const chunk = Buffer.alloc(256 * 1024);
    let sent = 0;
    let isClosed = false;
    void closed.then(() => {
      isClosed = true;
    });
    // More than the sockets on the way take.
    for (; sent < 48 * 1024 * 1024; sent += chunk.length) ws.send(chunk);
    if (kind === "node") {
      let last = -1;
      await until("the client is held", () => {
        const held = ws.bufferedAmount === last;
        last = ws.bufferedAmount;
        return held;
      });
      expect(ws.bufferedAmount).toBeGreaterThan(0);
      peer.seen.at(-1)?.socket.resume();
      await until("all is sent", () => ws.bufferedAmount === 0);
      expect(isClosed).toBe(false);
      ws.terminate();
    } else {
      expect((await closed)[0]).toBe(1013);
      expect(PROXIED_BACKLOG_BYTES_MAX).toBeLessThan(sent);
      expect(front.lines.at(-1)).toContain("does not take what the client sends");
    }
  });

  test("a server that answers no ping is given up, one that does is kept", async () => {
    const kept = await open("/one/echo");
    const lost = await open("/one/dead");
    for (let i = 0; i < 3; i++) {
      front.advance(60_001);
      // Its pong comes in meanwhile.
      kept.ws.send(String(i));
      await until("the other is heard", () => kept.messages.length === i + 1);
    }
    expect(await lost.closed).toEqual([1011, "The upstream was lost."]);
    expect(kept.ws.readyState).toBe(kept.ws.OPEN);
    kept.ws.terminate();
  });

  test("sockets go on over a reload that takes their route away", async () => {
    await using own = await openFront(configuration(peer.url, other.url, peer.url), { kind });
    const ws = new WebSocket(`ws://127.0.0.1:${own.port}/one/echo`);
    await once(ws, "open");
    own.configure("routes: [ { match: { path: /x }, target: { respond: { status: 200 } } } ]");
    ws.send("still");
    expect(String((await once(ws, "message"))[0])).toBe("still");
    ws.terminate();
  });

  test("a listener that goes out of service closes both ends with 1001", async () => {
    const own = await openFront(configuration(peer.url, other.url, peer.url), { kind });
    const ws = new WebSocket(`ws://127.0.0.1:${own.port}/one/echo`);
    await once(ws, "open");
    const closed = once(ws, "close");
    const seen = peer.seen.at(-1);
    await own.drain();
    expect((await closed)[0]).toBe(1001);
    expect((await seen?.closed)?.[0]).toBe(1001);
    await own[Symbol.asyncDispose]();
  });
});
