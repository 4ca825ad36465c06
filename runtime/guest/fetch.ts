// Outbound fetch: builds a Request by the standard's rules and hands it to the port. Aborting ends the call,
// the upload and whatever of the reply has not been read.

import { parseDataUrl } from "./data-url.ts";
import { DOMException } from "./dom-exception.ts";
import { decodeUtf8 } from "./encoding.ts";
import { type AbortSignal, onSignalAbort } from "./events.ts";
import { settle } from "./job.ts";
import type { IncomingBody, IncomingResponse, OutgoingFetch, Port } from "./port.ts";
import { Request, takeRequest } from "./request.ts";
import { failResponse, type Response, responseFromHost, responseOfSocket } from "./response.ts";
import { dialSocket } from "./sockets/web-socket.ts";

let portFetch: Port["fetch"] | null = null;
let topLevelFetches = 0;

export function thawFetch(port: Port): void {
  // Bound by a closure, so that neither the port nor its function is ever a `this` or an argument.
  portFetch = (request) => port.fetch(request);
}

/** How often fetch was called before thaw. */
export function topLevelFetchCount(): number {
  return topLevelFetches;
}

/** Not async: adopting the inner promise would delay every rejection by three turns. */
export function fetch(input: unknown, init: unknown = undefined): Promise<Response> {
  if (arguments.length === 0) return fail(new TypeError("fetch needs an address or a request."));
  if (portFetch === null) {
    topLevelFetches++;
    const message = "fetch is not possible while the module loads.";
    return fail(new DOMException(message, "InvalidStateError"));
  }
  try {
    return send(new Request(input, init), portFetch);
  } catch (error) {
    return fail(error);
  }
}

/** For the platform's own requests; null while the module loads. */
export function fetchIncoming(request: OutgoingFetch): Promise<IncomingResponse> | null {
  if (portFetch === null) topLevelFetches++;
  return portFetch?.(request) ?? null;
}

/** Of another endpoint, by the binding's name. */
export function fetchBound(binding: string, input: unknown, init: unknown): Promise<Response> {
  const call = portFetch;
  if (call === null) return fetch(input, init);
  try {
    return send(new Request(input, init), (request) => call({ ...request, binding }));
  } catch (error) {
    return fail(error);
  }
}

function send(request: Request, call: Port["fetch"]): Promise<Response> {
  const { signal, cancelBody, ...outgoing } = takeRequest(request);
  if (signal !== null && signal.aborted) {
    cancelBody?.(signal.reason);
    return fail(signal.reason);
  }
  const { url } = outgoing;
  if (url.startsWith("data:")) return load(url, outgoing.method);
  if (!url.startsWith("http:") && !url.startsWith("https:")) {
    return fail(new TypeError(`fetch cannot reach this kind of address: ${url}`));
  }
  if (outgoing.binding === undefined && asksForSocket(outgoing)) return open(outgoing, signal);
  return new Promise((resolve, reject) => {
    let response: Response | null = null;
    const onAbort = signal === null ? null : follow(signal);
    onAbort?.(() => {
      reject(signal?.reason as Error);
      if (response !== null) failResponse(response, signal?.reason);
    });
    settle(
      call({ ...outgoing, onAbort }),
      (incoming: IncomingResponse) => {
        response = responseFromHost(withErrors(incoming));
        resolve(response);
      },
      (error) => reject(failure(error)),
    );
  });
}

/** As Workers do it: the answer's `webSocket` is the server. */
function open({ url, headers }: OutgoingFetch, signal: AbortSignal | null): Promise<Response> {
  return new Promise((resolve, reject) => {
    const request = { url: `ws${url.slice("http".length)}`, protocols: "", headers };
    const giveUp = dialSocket(
      request,
      ({ status, headers: list, socket }) => {
        resolve(
          socket === null
            ? responseFromHost({
                status,
                statusText: "",
                url,
                redirected: false,
                headers: list,
                body: null,
              })
            : responseOfSocket(url, list, socket),
        );
      },
      (error) => reject(failure(error)),
    );
    if (signal === null) return;
    onSignalAbort(signal, () => {
      reject(signal.reason as Error);
      giveUp();
    });
  });
}

function asksForSocket({ method, headers }: OutgoingFetch): boolean {
  if (method !== "GET" || headers === "") return false;
  return `\n${headers}`.toLowerCase().includes("\nupgrade\nwebsocket\n");
}

async function load(url: string, method: string): Promise<Response> {
  const data = parseDataUrl(url);
  if (data === null) throw new TypeError("The data address does not parse.");
  return responseFromHost({
    status: 200,
    statusText: "OK",
    url,
    redirected: false,
    headers: `content-type\n${data.type}\n`,
    body: method === "HEAD" ? null : onePiece(data.bytes),
  });
}

/** A body that breaks off is to the author what a fetch that fails is. */
function withErrors(incoming: IncomingResponse): IncomingResponse {
  const { body } = incoming;
  if (body === null) return incoming;
  return {
    ...incoming,
    body: {
      text: body.text,
      readText: () => orFailure(body.readText()),
      pull: () => orFailure(body.pull()),
      cancel: () => body.cancel(),
    },
  };
}

async function orFailure<T>(read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (error) {
    throw failure(error);
  }
}

function onePiece(bytes: Uint8Array): IncomingBody {
  let left: Uint8Array | null = bytes;
  return {
    text: null,
    readText: async () => decodeUtf8(bytes, { ignoreBom: true }),
    async pull() {
      const next = left;
      left = null;
      return next;
    },
    cancel() {
      left = null;
    },
  };
}

function follow(signal: AbortSignal): (listener: () => void) => void {
  return (listener) => onSignalAbort(signal, listener);
}

async function fail(reason: unknown): Promise<never> {
  throw reason;
}

/** The host's plain data as the TypeError that authors expect, with the code for those who look. */
function failure(error: unknown): TypeError {
  const { code, message, cause } = error as Readonly<Record<string, unknown>>;
  const text = typeof message === "string" ? message : "The subrequest failed.";
  const result = new TypeError(text, cause === undefined ? undefined : { cause });
  if (typeof code === "string") {
    Object.defineProperty(result, "code", { value: code, enumerable: true, configurable: true });
  }
  return result;
}
