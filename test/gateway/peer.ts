// A server of an upstream that behaves as its path says: well, or in one of the ways servers break.

import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createSecureServer } from "node:https";
import { createHash } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  /** Resolves when the other side breaks off. */
  readonly closed: Promise<void>;
}

type Behaviour = (request: IncomingMessage, response: ServerResponse, peer: Peer) => void;

async function echo(request: IncomingMessage, response: ServerResponse, peer: Peer): Promise<void> {
  let bytes = 0;
  for await (const chunk of request) bytes += (chunk as Buffer).byteLength;
  const { method, url, headers, rawHeaders } = request;
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ name: peer.name, method, url, headers, rawHeaders, bytes }));
}

const raw =
  (text: string): Behaviour =>
  ({ socket }) =>
    void socket.end(Buffer.from(text, "latin1"));

/** By the first segment of the path. */
const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  echo: (request, response, peer) => void echo(request, response, peer).catch(() => {}),
  back: (request, response) => void request.pipe(response),
  keep: (request, response, peer) =>
    void buffer(request).then((bytes) => {
      peer.kept = bytes;
      response.end(createHash("sha256").update(bytes).digest("hex"));
    }),
  stored: (_request, response, peer) => void response.end(peer.kept),
  status: ({ url = "", socket }, response) => {
    const status = Number(/\d+/.exec(url)?.[0]);
    socket.resume();
    response
      .writeHead(status, { "x-from": "peer" })
      .end(status === 304 || status === 204 ? undefined : "sent");
  },
  cookies: (_request, response) => {
    response.setHeader("set-cookie", ["a=1; Path=/", "b=2"]).end();
  },
  events: (_request, response, peer) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    let event = 0;
    peer.next = () => void response.write(`data: ${++event}\n\n`);
    peer.next();
  },
  bytes: (_request, response) => void response.end(Buffer.from([0, 255, 128, 10, 13])),
  reset: ({ socket }) => socket.resetAndDestroy(),
  hang: () => {},
  stall: (_request, response) => {
    response.writeHead(200, { "content-length": "100" }).write("begun");
  },
  half: (_request, response) => {
    response.writeHead(200, { "content-length": "100" }).write("half", () => response.destroy());
  },
  torn: (_request, response) => {
    response.writeHead(200).write("chunk", () => response.destroy());
  },
  garbage: raw("this is no HTTP\r\n\r\n"),
  conflict: raw(
    "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
  ),
  twolengths: raw("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd"),
  badheader: raw("HTTP/1.1 200 OK\r\nx bad: 1\r\n\r\n"),
  endless: ({ socket }) => {
    socket.write("HTTP/1.1 200 OK\r\n");
    socket.write(`x-long: ${"a".repeat(200_000)}\r\n\r\n`);
  },
  hints: (_request, response) => {
    response.writeEarlyHints({ link: "</a>; rel=preload" });
    response.end("ok");
  },
  early: (_request, response) => void response.writeHead(413).end("too much"),
  hop: (_request, response) =>
    void response
      .writeHead(200, {
        connection: "close, x-named",
        "x-named": "1",
        "keep-alive": "timeout=5",
        "x-stays": "1",
        "proxy-authenticate": "Basic",
      })
      .end(),
  cors: (_request, response) =>
    void response
      .writeHead(200, { "access-control-allow-origin": "https://evil.example", vary: "accept" })
      .end(),
  flood: (_request, response, peer) => {
    const chunk = Buffer.alloc(64 * 1024);
    const more = (): void => {
      while (!response.destroyed && peer.flooded < 400 * 1024 * 1024) {
        peer.flooded += chunk.byteLength;
        if (!response.write(chunk)) return void response.once("drain", more);
      }
    };
    more();
  },
};

export class Peer implements AsyncDisposable {
  readonly seen: Seen[] = [];
  readonly name: string;
  /** What every path does meanwhile; null: what it says. */
  mood: keyof typeof BEHAVIOURS | null = null;
  flooded = 0;
  /** Lets `events` go on. */
  next: () => void = () => {};
  kept: Uint8Array = new Uint8Array(0);
  readonly server: Server;

  constructor(name: string, tls: { cert: string; key: string } | null) {
    this.name = name;
    const listener: RequestListener = (request, response) => this.#take(request, response);
    this.server = tls === null ? createServer(listener) : createSecureServer(tls, listener);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** How many requests began with this path. */
  count(path: string): number {
    return this.seen.filter((one) => one.path.startsWith(path)).length;
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const { method = "", url = "", headers } = request;
    const closed = once(response, "close").then(() => undefined);
    this.seen.push({ method, path: url, headers, closed });
    response.on("error", () => {});
    const behaviour = BEHAVIOURS[this.mood ?? url.split(/[/?]/)[1] ?? ""] ?? BEHAVIOURS["echo"];
    behaviour?.(request, response, this);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    if (!this.server.listening) return;
    this.server.close();
    await once(this.server, "close");
  }
}

export async function openPeer(
  name = "peer",
  {
    port = 0,
    path,
    tls = null,
  }: { port?: number; path?: string; tls?: { cert: string; key: string } | null } = {},
): Promise<Peer> {
  const peer = new Peer(name, tls);
  if (path === undefined) peer.server.listen(port, "127.0.0.1");
  else peer.server.listen(path);
  await once(peer.server, "listening");
  return peer;
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  await using peer = await openPeer();
  return peer.port;
}
