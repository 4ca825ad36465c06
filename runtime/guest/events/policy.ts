// What a handler that is used as a policy of the gateway gets: `onRequest`, `onResponse` and `onError`, whichever it
// has. Bodies do not come here: they pass by in the host. Text from the host:
//
//   { method, url, headers, options, route, params, address, claims, reply: null | { status, headers }, error }
//
// Outcome: the methods that there are besides ("r" for onResponse, "e" for onError), and behind a line break, where
// something is to change: of onRequest path and query, line break, headers; of onResponse headers. Or the reply that
// the method returned, with a first header that says so.

import { headersFromPacked } from "../headers.ts";
import type { IncomingEvent, OutgoingResponse } from "../port.ts";
import { isRequest, requestFromHost, requestHead, type Request } from "../request.ts";
import { hasMethod } from "../workers/entrypoints.ts";
import { isResponse, Response, responseHead, takeResponse } from "../response.ts";

interface HostPass {
  readonly method: string;
  readonly url: string;
  readonly headers: string;
  readonly options: unknown;
  readonly route: string;
  readonly params: unknown;
  readonly address: string;
  readonly claims: unknown;
  readonly reply: { readonly status: number; readonly headers: string } | null;
  readonly error: { readonly code: string; readonly status: number } | null;
}

/** As the host: runtime/gateway/policies/custom/outcome.ts. */
const REPLIED = "x-edge-policy\nreply\n";
const parse = JSON.parse;

export function createPolicyEvent(name: string, text: string, handler: unknown): IncomingEvent {
  const host = parse(text) as HostPass;
  const request = requestFromHost({
    method: host.method,
    url: host.url,
    headers: host.headers,
    body: null,
    protocol: "",
  });
  const response = host.reply === null ? null : responseOf(host.reply);
  const { options, route, params, address, claims, error } = host;
  const argument = { request, response, error, options, route, params, address, claims };
  return {
    argument,
    isOptional: true,
    outcome(result) {
      const others =
        (hasMethod(handler, "onResponse") ? "r" : "") + (hasMethod(handler, "onError") ? "e" : "");
      if (isResponse(result) && result !== response) return replied(result);
      if (name === "onRequest" && isRequest(result)) return `${others}\n${changed(result)}`;
      if (result !== undefined && result !== null && result !== response) {
        const may =
          name === "onRequest" ? "nothing, a Request or a Response" : "nothing or a Response";
        throw new TypeError(`${name} returns ${may}.`);
      }
      return response === null ? others : `${others}\n${responseHead(response)?.headers ?? ""}`;
    },
  };
}

/** With headers that can be changed, other than those of a fetch. */
function responseOf({ status, headers }: { status: number; headers: string }): Response {
  return new Response(null, { status, headers: headersFromPacked(headers, "none") });
}

function replied(response: Response): OutgoingResponse {
  const taken = takeResponse(response);
  if (taken === null || taken.socket !== null) {
    throw new TypeError("A policy does not answer with a WebSocket.");
  }
  return { ...taken, headers: REPLIED + taken.headers };
}

/** Path and query of the address: a policy does not choose another host. */
function changed(request: Request): string {
  const { url, headers } = requestHead(request);
  const path = url.slice(url.indexOf("/", url.indexOf("://") + 3));
  const hash = path.indexOf("#");
  return `${hash < 0 ? path : path.slice(0, hash)}\n${headers}`;
}
