// The sessions of HTTP/2 to one server, and their streams. undici has both, but loses what is left of a reply when its
// trailers come while the client does not take more (decision 045).
//
// A request goes on the first session that takes another stream. Where none does, it waits for one that is being made,
// or has one made: while the first is there nobody knows how many streams the server takes.

import { connect as openSession, type ClientHttp2Session, type Settings } from "node:http2";
import type { buildConnector } from "undici";
import { HEADER_BYTES_MAX } from "../../../../sdk/limits.ts";
import { EdgeError } from "../../../../sdk/errors.ts";
import type { ReplyHandler } from "../http1/transfer.ts";
import type { ProxyRequest } from "../trailing-request.ts";
import { StreamTransfer } from "./stream-transfer.ts";

/** Where a server names no number: what RFC 9113 asks servers to take at least. */
const STREAMS_MAX = 100;
/** One that has just been opened is not over before it was used, however short its time. */
const FIRST_USE_MS = 1_000;

export interface Http2PoolOptions {
  readonly origin: string;
  readonly connect: buildConnector.connector;
  readonly connectMs: number;
  readonly keepAliveMs: number;
}

interface Session {
  readonly http2: ClientHttp2Session;
  streams: number;
  streamsMax: number;
  /** Pieces of replies that have come over it. */
  heard: number;
  idle: NodeJS.Timeout | null;
  /** The last stream that the server has looked at, once it has said farewell. */
  lastSeen: number;
}

export class Http2Pool {
  readonly #options: Http2PoolOptions;
  /** That take requests. */
  readonly #sessions = new Set<Session>();
  /** Bounded by who sends: no more requests than `maxConnections` are open to a server. */
  #waiting: StreamTransfer[] = [];
  #isOpening = false;
  #isClosed = false;

  constructor(options: Http2PoolOptions) {
    this.#options = options;
  }

  dispatch(request: ProxyRequest, handler: ReplyHandler): void {
    this.#waiting.push(new StreamTransfer(request, handler));
    this.#assign();
  }

  /** What is open finishes. */
  close(): void {
    this.#isClosed = true;
    for (const session of this.#sessions) session.http2.close();
    this.#sessions.clear();
  }

  #assign(): void {
    for (const session of this.#sessions) {
      // It tells of its end after its streams.
      if (session.http2.closed || session.http2.destroyed) continue;
      while (session.streams < session.streamsMax) {
        const transfer = this.#waiting.shift();
        if (transfer === undefined) return;
        this.#start(session, transfer);
      }
    }
    if (this.#waiting.length > 0) this.#open();
  }

  #start(session: Session, transfer: StreamTransfer): void {
    if (session.idle !== null) clearTimeout(session.idle);
    session.idle = null;
    session.streams++;
    const { protocol } = new URL(this.#options.origin);
    const before = session.heard;
    const heard = (): void => void session.heard++;
    const isUnseen = (id: number): boolean => id > session.lastSeen;
    const over = (): void => {
      session.streams--;
      if (transfer.aborted && session.heard === before) this.#leave(session);
      else this.#rest(session, this.#options.keepAliveMs);
      this.#assign();
    };
    if (!transfer.start(session.http2, protocol.slice(0, -1), { heard, isUnseen, over })) {
      session.streams--;
      this.#rest(session, this.#options.keepAliveMs);
    }
  }

  /** Somebody has given up, and nothing came meanwhile: its server may be gone without a word. */
  #leave(session: Session): void {
    this.#sessions.delete(session);
    if (session.streams === 0) session.http2.destroy();
    else session.http2.close();
  }

  #rest(session: Session, ms: number): void {
    if (session.streams > 0 || session.idle !== null || !this.#sessions.has(session)) return;
    session.idle = setTimeout(() => {
      this.#sessions.delete(session);
      session.http2.close();
    }, ms);
  }

  #open(): void {
    if (this.#isOpening) return;
    if (this.#isClosed) return this.#fail(new EdgeError("SHUTTING_DOWN"));
    this.#isOpening = true;
    const { protocol, host, hostname, port } = new URL(this.#options.origin);
    this.#options.connect({ protocol, host, hostname, port }, (error, socket) => {
      if (error !== null) return this.#fail(error);
      if ("alpnProtocol" in socket && socket.alpnProtocol !== "h2") {
        socket.destroy();
        return this.#fail(new EdgeError("UPSTREAM_FAILED", "the server speaks no HTTP/2"));
      }
      this.#take(
        openSession(this.#options.origin, {
          createConnection: () => socket,
          settings: { enablePush: false, maxHeaderListSize: HEADER_BYTES_MAX },
        }),
      );
    });
  }

  /** It begins with the server's settings. */
  #take(http2: ClientHttp2Session): void {
    const session: Session = {
      http2,
      streams: 0,
      streamsMax: STREAMS_MAX,
      heard: 0,
      idle: null,
      lastSeen: Number.POSITIVE_INFINITY,
    };
    const { connectMs, keepAliveMs } = this.#options;
    let failure: Error = new EdgeError("UPSTREAM_FAILED", "the server hung up");
    let isBegun = false;
    const mute = setTimeout(() => http2.destroy(new EdgeError("UPSTREAM_TIMEOUT")), connectMs);
    const leave = (): void => {
      if (session.idle !== null) clearTimeout(session.idle);
      this.#sessions.delete(session);
    };
    http2.on("remoteSettings", ({ maxConcurrentStreams }: Settings) => {
      session.streamsMax = Math.max(1, maxConcurrentStreams ?? STREAMS_MAX);
      if (!isBegun) {
        isBegun = true;
        clearTimeout(mute);
        this.#isOpening = false;
        this.#sessions.add(session);
        this.#rest(session, Math.max(keepAliveMs, FIRST_USE_MS));
      }
      this.#assign();
    });
    http2.on("goaway", (_code: number, lastSeen: number) => {
      session.lastSeen = lastSeen;
      leave();
    });
    // Its streams are told as well.
    http2.on("error", (error: Error) => {
      failure = error;
      leave();
    });
    http2.on("close", () => {
      clearTimeout(mute);
      leave();
      if (!isBegun) this.#fail(failure);
    });
  }

  /** No session: whoever waits for one learns of it. */
  #fail(error: Error): void {
    this.#isOpening = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const transfer of waiting) transfer.fail(error);
  }
}
