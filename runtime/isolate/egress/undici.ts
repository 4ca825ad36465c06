// The door to undici: HTTP to the outside. Every socket is opened by the connector below, behind the guard (guard.ts).
// Proxies named in the environment are not used: a proxy would resolve names out of our sight.

import { Agent, buildConnector, fetch, Headers, Response, type Dispatcher } from "undici";
import { HEADER_BYTES_MAX } from "../../../sdk/limits.ts";
import { isPrivateAddress } from "./addresses.ts";
import { guardedLookup, isOpened, literalDenial, type Reach } from "./guard.ts";
import { JoinedReply } from "./joined-reply.ts";
import { giveBackSent } from "./sent-chunks.ts";

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

export interface DispatcherOptions extends Reach {
  readonly connectTimeoutMs?: number;
  readonly headersTimeoutMs?: number;
  readonly bodyTimeoutMs?: number;
}

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
  const connectorOf = (reach: Reach): buildConnector.connector =>
    buildConnector({
      timeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      allowH2: false,
      // Said here because the environment can turn the default off.
      rejectUnauthorized: true,
      lookup: guardedLookup(reach),
    });
  const connect = connectorOf(options);
  const connectAnywhere = connectorOf({ ...options, denied: () => false });
  return (target, told) => {
    const callback: buildConnector.Callback = (...answer) => {
      if (answer[0] === null) giveBackSent(answer[1]);
      told(...answer);
    };
    const { hostname } = target;
    const port = Number(target.port || (target.protocol === "https:" ? 443 : 80));
    if (isOpened(options, hostname, port)) return connectAnywhere(target, callback);
    const denied = literalDenial(options, hostname);
    if (denied === null) connect(target, callback);
    else queueMicrotask(() => callback(denied, null));
  };
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
    const asked = { ...request, headers: asProgram(request.headers, headers) };
    return dispatch(asked, new JoinedReply(handler));
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
