// The connections to one server: those of http1/ for plain HTTP and requests that are there whole, which are nearly
// all; undici's pool, told what it needs to know, for TLS and for the rest. undici's own time limits are off, since
// the proxy watches over them with a clock that counts in tens of milliseconds instead of half seconds.

import { isIP } from "node:net";
import { buildConnector, Pool, type Dispatcher } from "undici";
import { HEADER_BYTES_MAX } from "../../../sdk/limits.ts";
import type { TlsConfig } from "../../../sdk/gateway/config.ts";
import { Http2Pool } from "./http2/pool.ts";
import { PlainPool } from "./http1/plain-pool.ts";
import type { ReplyHandler } from "./http1/transfer.ts";
import { sendTrailing, type ProxyRequest } from "./trailing-request.ts";
import { dial, type DialHandler, type DialOptions } from "./sockets/dial.ts";

export type { Dispatcher, ReplyHandler };

export interface ConnectionOptions {
  readonly connectMs: number;
  readonly maxConnections: number;
  readonly keepAliveMs: number;
  readonly requestsPerConnection: number;
  readonly tls: TlsConfig;
  readonly http2: boolean;
}

export interface Connections {
  /** As seen by the server: what it gets as Host unless told otherwise. */
  readonly authority: string;
  dispatch(options: ProxyRequest, handler: ReplyHandler): void;
  /** A WebSocket, on a connection of its own. */
  dial(options: DialOptions, handler: DialHandler): void;
  /** Lets what is open finish. */
  close(): void;
}

const UNIX = "unix:";
const HTTP_PORT = 80;

export function openConnections(url: string, options: ConnectionOptions): Connections {
  const { maxConnections, keepAliveMs, requestsPerConnection, tls } = options;
  const socketPath = url.startsWith(UNIX) ? url.slice(UNIX.length) : null;
  const origin = socketPath === null ? url : "http://localhost";
  const connect = connector(origin, socketPath, options);
  const socket = (request: DialOptions, handler: DialHandler): void =>
    dial({ origin, socketPath, tls }, request, handler);
  const authority = new URL(origin).host;
  if (options.http2) {
    const sessions = new Http2Pool({ ...options, origin, connect });
    return {
      authority,
      dispatch: (request, handler) => sessions.dispatch(request, handler),
      dial: socket,
      close: () => sessions.close(),
    };
  }
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
    connect,
  });
  const plain = openPlain(origin, socketPath, options);
  return {
    authority,
    dispatch(request, handler) {
      const { trailing } = request;
      if (trailing !== undefined)
        sendTrailing({ origin, connect }, { ...request, trailing }, handler);
      else if (plain?.dispatch(request, handler) !== true)
        pool.dispatch(withoutTe(request), handler);
    },
    dial: socket,
    close() {
      plain?.close();
      // Whoever still has a reply under way gets the rest of it.
      pool.close().catch(() => {});
    },
  };
}

/**
 * Who the server has to be is said by the configuration. undici goes by the request's Host instead, which may be what
 * a client has written (`host: preserve`), and takes no notice of another name that is given.
 */
function connector(
  origin: string,
  socketPath: string | null,
  { connectMs, tls, http2 }: ConnectionOptions,
): buildConnector.connector {
  const connect = buildConnector({
    timeout: connectMs,
    allowH2: http2,
    preferH2: http2,
    // Said here because the environment can turn the default off.
    rejectUnauthorized: tls.verify,
    ...(socketPath !== null && { socketPath }),
    ...(tls.ca !== "" && { ca: tls.ca }),
    ...(tls.cert !== "" && { cert: tls.cert, key: tls.key }),
  });
  const { hostname } = new URL(origin);
  // Nobody is asked for by address; it is compared with the certificate all the same.
  const isAddress = hostname.startsWith("[") || isIP(hostname) !== 0;
  const servername = tls.serverName === "" && !isAddress ? hostname : tls.serverName;
  return ({ servername: _theirs, ...target }, callback) =>
    connect({ ...target, ...(servername !== "" && { servername }) }, callback);
}

/** It wants an option of the connection beside it, and undici takes none but its own. */
function withoutTe(request: Dispatcher.DispatchOptions): Dispatcher.DispatchOptions {
  const { headers } = request;
  if (!Array.isArray(headers)) return request;
  const at = headers.findIndex((part, index) => index % 2 === 0 && part === "te");
  return at < 0 ? request : { ...request, headers: headers.toSpliced(at, 2) };
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
