// HTTP/2 behind the node listener: takes connections whose protocol is agreed on, and hands on their streams. What
// one connection can cost is bounded here; floods end the connection and nothing else.

import {
  createServer,
  type Http2Server,
  type Http2Session,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";

/** What browsers open at once to one host, and RFC 9113 section 6.5.2 advises at least 100. */
const STREAMS_MAX = 128;
/** As long as an HTTP/1 connection may rest. */
const IDLE_MS = 10_000;
/** For all streams of a connection, headers and bodies that nobody has read; a stream's window is 64 KB. */
const SESSION_MEMORY_MB = 16;
/** Fields of one request; HTTP/1 is bounded by bytes alone, but here a field of a byte can be an index of a byte. */
const FIELDS_MAX = 256;
/** A client has no use for more. Of pings: that are not answered yet. */
const PINGS_MAX = 10;
const SETTINGS_MAX = 32;
/** Requests that are reset at once, and per second from then on: a page that is left resets some dozens. */
const RESETS_BURST = 500;
const RESETS_PER_SECOND = 33;
/** Frames that are no HTTP/2, and streams beyond the limit, before a client is not worth listening to. */
const INVALID_FRAMES_MAX = 100;
const REJECTED_STREAMS_MAX = 100;

export interface SessionsOptions {
  readonly headerBytesMax: number;
  readonly stream: (
    stream: ServerHttp2Stream,
    raw: readonly string[],
    socket: Socket | null,
  ) => void;
}

export class Http2Sessions {
  readonly #server: Http2Server;
  readonly #open = new Set<ServerHttp2Session>();
  readonly #sockets = new WeakMap<Http2Session, Socket>();
  #taking: Socket | null = null;
  #draining = false;

  constructor({ headerBytesMax, stream: accept }: SessionsOptions) {
    this.#server = createServer({
      maxSessionMemory: SESSION_MEMORY_MB,
      maxHeaderListPairs: FIELDS_MAX,
      maxOutstandingPings: PINGS_MAX,
      maxSettings: SETTINGS_MAX,
      maxSessionInvalidFrames: INVALID_FRAMES_MAX,
      maxSessionRejectedStreams: REJECTED_STREAMS_MAX,
      streamResetBurst: RESETS_BURST,
      streamResetRate: RESETS_PER_SECOND,
      settings: {
        maxConcurrentStreams: STREAMS_MAX,
        maxHeaderListSize: headerBytesMax,
        enablePush: false,
      },
    });
    this.#server.on("session", (session) => this.#opened(session));
    // Each has its own handler; without this one they would end the process.
    this.#server.on("sessionError", () => {});
    this.#server.on("stream", (stream, _headers, _flags, raw: unknown) => {
      stream.on("error", () => {});
      const socket = stream.session === undefined ? undefined : this.#sockets.get(stream.session);
      accept(stream, raw as readonly string[], socket ?? null);
    });
  }

  /** From here on the connection is HTTP/2's. */
  take(socket: Socket): void {
    // What a session has itself as its socket is a stand-in for it. The session begins before this returns.
    this.#taking = socket;
    this.#server.emit("connection", socket);
    this.#taking = null;
  }

  /** Open streams end as they would; clients are told to open no more here. */
  drain(): void {
    this.#draining = true;
    for (const session of this.#open) session.close();
  }

  end(): void {
    for (const session of this.#open) session.destroy();
  }

  #opened(session: ServerHttp2Session): void {
    let streams = 0;
    if (this.#taking !== null) this.#sockets.set(session, this.#taking);
    this.#open.add(session);
    session.on("close", () => this.#open.delete(session));
    session.on("stream", (stream: ServerHttp2Stream) => {
      streams++;
      stream.once("close", () => streams--);
    });
    // A request may take its time; a connection without one may not.
    session.setTimeout(IDLE_MS, () => {
      if (streams === 0) session.close();
    });
    if (this.#draining) session.close();
  }
}
