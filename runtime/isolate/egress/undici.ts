// The door to undici: HTTP to the outside, with the guard that no socket passes by.
//
// Every socket is opened by the connector below, which looks at the address it is about to connect to: a literal
// as the URL parser normalised it (it knows all notations), a name after its lookup. What was looked at is what
// is connected to, so a name that changes its answer (DNS rebinding) gains nothing, and neither does a redirect.
// Proxies named in the environment are not used: a proxy would resolve names out of our sight.

import { lookup as systemLookup, type LookupAddress } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { Agent, buildConnector, fetch, Headers, Response, type Dispatcher } from "undici";
import { EdgeError, infoOf } from "../../../sdk/errors.ts";
import { HEADER_BYTES_MAX } from "../../../sdk/limits.ts";
import { isPrivateAddress } from "./addresses.ts";

export { Headers, Response };
export type { Dispatcher };

/** TCP and TLS together; a peer that needs longer is as good as down. */
export const CONNECT_TIMEOUT_MS = 10_000;
/** From the request's last byte to the response's head. Long, since models and reports take minutes. */
export const HEADERS_TIMEOUT_MS = 120_000;
/** Between two pieces of a body that somebody waits for. Event streams send a comment every 15 to 60 s. */
export const BODY_TIMEOUT_MS = 120_000;
/** Below the 5 s after which Node's servers close idle connections, so that they rarely race us. */
export const KEEP_ALIVE_MS = 4_000;
/** Of one process to one origin: many times what one isolate can hold, so that none keeps the others out. */
export const CONNECTIONS_PER_ORIGIN_MAX = 4_096;

export interface DispatcherOptions {
  /** Addresses that may not be connected to. */
  readonly denied: (address: string) => boolean;
  /** Hosts (as in URLs) and ports where nothing is denied. */
  readonly opened?: (host: string, port: number) => boolean;
  /** Replaces the system's resolver. */
  readonly lookup?: Lookup;
  readonly connectTimeoutMs?: number;
  readonly headersTimeoutMs?: number;
  readonly bodyTimeoutMs?: number;
}

export type Lookup = (
  host: string,
  done: (error: Error | null, addresses: readonly LookupAddress[]) => void,
) => void;

const resolveBySystem: Lookup = (host, done) => {
  // The system's resolver honours /etc/hosts and works in libuv's thread pool.
  systemLookup(host, { all: true }, (error, addresses) => done(error, error ? [] : addresses));
};

/** The caller owns it and closes it. */
export function createDispatcher(options: DispatcherOptions): Dispatcher {
  return new Agent({
    connect: guardedConnector(options),
    connections: CONNECTIONS_PER_ORIGIN_MAX,
    pipelining: 1,
    // HTTP/2 would share one connection, and its flow control, among endpoints that must not slow each other.
    allowH2: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS,
    bodyTimeout: options.bodyTimeoutMs ?? BODY_TIMEOUT_MS,
    maxHeaderSize: HEADER_BYTES_MAX,
  });
}

let guarded: Dispatcher | undefined;
let open: Dispatcher | undefined;

/** One per process and kind, so that connections are kept alive across isolates but never across the guard. */
export function sharedDispatcher(allowPrivate: boolean): Dispatcher {
  if (allowPrivate) return (open ??= createDispatcher({ denied: () => false }));
  return (guarded ??= createDispatcher({ denied: isPrivateAddress }));
}

function guardedConnector(options: DispatcherOptions): buildConnector.connector {
  const connectorOf = (denied: DispatcherOptions["denied"]): buildConnector.connector =>
    buildConnector({
      timeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      allowH2: false,
      // Said here because the environment can turn the default off.
      rejectUnauthorized: true,
      lookup: guardedLookup(denied, options.lookup ?? resolveBySystem),
    });
  const connect = connectorOf(options.denied);
  const connectAnywhere = connectorOf(() => false);
  return (target, callback) => {
    const { hostname } = target;
    const port = Number(target.port || (target.protocol === "https:" ? 443 : 80));
    const host = isIP(hostname) === 6 ? `[${hostname}]` : hostname;
    if (options.opened?.(host, port) === true) {
      connectAnywhere(target, callback);
    } else if (isIP(hostname) !== 0 && options.denied(hostname)) {
      queueMicrotask(() => callback(denial(hostname, hostname), null));
    } else {
      connect(target, callback);
    }
  };
}

function guardedLookup(denied: (address: string) => boolean, lookup: Lookup): LookupFunction {
  return (host, options, callback) => {
    lookup(host, (error, addresses) => {
      if (error !== null) return callback(error, []);
      const family = Number(options.family ?? 0);
      const usable = addresses.filter((entry) => family === 0 || entry.family === family);
      const allowed = usable.filter((entry) => !denied(entry.address));
      const [first] = allowed;
      if (first !== undefined) {
        return options.all === true
          ? callback(null, allowed)
          : callback(null, first.address, first.family);
      }
      const [refused] = usable;
      callback(refused === undefined ? notFound(host) : denial(host, refused.address), []);
    });
  };
}

function notFound(host: string): EdgeError {
  return new EdgeError("FETCH_FAILED", `The subrequest to ${host} failed: the host was not found.`);
}

function denial(host: string, address: string): EdgeError {
  const what = host === address ? address : `${host} (${address})`;
  const { fix } = infoOf("EGRESS_DENIED");
  return new EdgeError("EGRESS_DENIED", `${what} is not a public address. ${fix ?? ""}`.trimEnd(), {
    detail: { host, address },
  });
}

export interface Outgoing {
  readonly method: string;
  readonly url: string;
  readonly redirect: "follow" | "manual" | "error";
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null;
}

export interface SendOptions {
  readonly dispatcher: Dispatcher;
  readonly signal: AbortSignal;
  /** Called before each request of a chain of redirects, the first included; what it throws ends the chain. */
  readonly onHop: () => void;
}

/** Resolves when the head has arrived. The body is decoded, and read from the socket only as fast as it is taken. */
export async function send(outgoing: Outgoing, options: SendOptions): Promise<Response> {
  const { method, url, redirect, headers, body } = outgoing;
  const dispatcher = options.dispatcher.compose((dispatch) => (request, handler) => {
    options.onHop();
    return dispatch({ ...request, headers: asProgram(request.headers, headers) }, handler);
  });
  return await fetch(url, {
    method,
    redirect,
    headers,
    body,
    dispatcher,
    signal: options.signal,
    ...(body instanceof ReadableStream ? { duplex: "half" as const } : null),
  });
}

// undici's fetch adds these as a browser would. Servers are asked as by a program unless the author says otherwise.
const BROWSER_HEADERS = ["sec-fetch-mode", "accept-language"];

function asProgram(
  sent: Dispatcher.DispatchOptions["headers"],
  asked: Headers,
): Record<string, string> {
  // What fetch dispatches is always a record of strings.
  const headers = { ...(sent as Record<string, string>) };
  for (const name of BROWSER_HEADERS) {
    const value = asked.get(name);
    if (value === null) delete headers[name];
    else headers[name] = value;
  }
  return headers;
}
