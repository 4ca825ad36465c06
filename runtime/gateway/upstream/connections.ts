// The connections to one server: those of http1/ for plain HTTP and requests that are there whole, which are nearly
// all; undici's pool, told what it needs to know, for TLS and for the rest. undici's own time limits are off, since
// the proxy watches over them with a clock that counts in tens of milliseconds instead of half seconds.

import { Pool, type Dispatcher } from "undici";
import { HEADER_BYTES_MAX } from "../../../sdk/limits.ts";
import type { TlsConfig } from "../../../sdk/gateway/config.ts";
import { PlainPool } from "./http1/plain-pool.ts";
import type { ReplyHandler } from "./http1/transfer.ts";
import { dial, type DialHandler, type DialOptions } from "./sockets/dial.ts";

export type { Dispatcher, ReplyHandler };

export interface ConnectionOptions {
  readonly connectMs: number;
  readonly maxConnections: number;
  readonly keepAliveMs: number;
  readonly requestsPerConnection: number;
  readonly tls: TlsConfig;
}

export interface Connections {
  /** As seen by the server: what it gets as Host unless told otherwise. */
  readonly authority: string;
  dispatch(options: Dispatcher.DispatchOptions, handler: ReplyHandler): void;
  /** A WebSocket, on a connection of its own. */
  dial(options: DialOptions, handler: DialHandler): void;
  /** Lets what is open finish. */
  close(): void;
}

const UNIX = "unix:";
const HTTP_PORT = 80;

export function openConnections(url: string, options: ConnectionOptions): Connections {
  const { connectMs, maxConnections, keepAliveMs, requestsPerConnection, tls } = options;
  const socketPath = url.startsWith(UNIX) ? url.slice(UNIX.length) : null;
  const origin = socketPath === null ? url : "http://localhost";
  const pool = new Pool(origin, {
    connections: maxConnections,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: Math.max(keepAliveMs, 1),
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: HEADER_BYTES_MAX,
    ...(requestsPerConnection > 0 && { maxRequestsPerClient: requestsPerConnection }),
    connect: {
      timeout: connectMs,
      // Said here because the environment can turn the default off.
      rejectUnauthorized: tls.verify,
      ...(socketPath !== null && { socketPath }),
      ...(tls.ca !== "" && { ca: tls.ca }),
      ...(tls.cert !== "" && { cert: tls.cert, key: tls.key }),
      ...(tls.serverName !== "" && { servername: tls.serverName }),
    },
  });
  const plain = openPlain(origin, socketPath, options);
  return {
    authority: new URL(origin).host,
    dispatch(request, handler) {
      if (plain?.dispatch(request, handler) !== true) pool.dispatch(request, handler);
    },
    dial: (request, handler) => dial({ origin, socketPath, tls }, request, handler),
    close() {
      plain?.close();
      // Whoever still has a reply under way gets the rest of it.
      pool.close().catch(() => {});
    },
  };
}

/** null: with TLS. */
function openPlain(
  origin: string,
  socketPath: string | null,
  options: ConnectionOptions,
): PlainPool | null {
  const { protocol, hostname, port } = new URL(origin);
  if (protocol !== "http:") return null;
  const host = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
  const address = { host, port: port === "" ? HTTP_PORT : Number(port), socketPath };
  return new PlainPool({ ...options, address });
}
