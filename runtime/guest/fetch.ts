// Outbound fetch: builds a Request by the standard's rules and hands it to the port. Aborting ends the call,
// the upload and whatever of the reply has not been read.

import { DOMException } from "./dom-exception.ts";
import { type AbortSignal, onSignalAbort } from "./events.ts";
import { settle } from "./job.ts";
import type { IncomingResponse, Port } from "./port.ts";
import { Request, takeRequest } from "./request.ts";
import { failResponse, type Response, responseFromHost } from "./response.ts";

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

export async function fetch(input: unknown, init: unknown = undefined): Promise<Response> {
  if (arguments.length === 0) throw new TypeError("fetch needs an address or a request.");
  const request = new Request(input, init);
  if (portFetch === null) {
    topLevelFetches++;
    throw new DOMException("fetch is not possible while the module loads.", "InvalidStateError");
  }
  return send(request, portFetch);
}

function send(request: Request, call: Port["fetch"]): Promise<Response> {
  const { signal, ...outgoing } = takeRequest(request);
  if (signal !== null && signal.aborted) return fail(signal.reason);
  const { url } = outgoing;
  if (!url.startsWith("http:") && !url.startsWith("https:")) {
    return fail(new TypeError(`fetch cannot reach this kind of address: ${url}`));
  }
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
        response = responseFromHost(incoming);
        resolve(response);
      },
      (error) => reject(failure(error)),
    );
  });
}

function follow(signal: AbortSignal): (listener: () => void) => void {
  return (listener) => onSignalAbort(signal, listener);
}

async function fail(reason: unknown): Promise<never> {
  throw reason;
}

/** The host's plain data as the TypeError that authors expect, with the code for those who look. */
function failure(error: unknown): TypeError {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  const result = new TypeError(typeof message === "string" ? message : "The subrequest failed.");
  if (typeof code === "string") {
    Object.defineProperty(result, "code", { value: code, enumerable: true, configurable: true });
  }
  return result;
}
