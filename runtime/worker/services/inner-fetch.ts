// `env.NAME.fetch(request)`: a subrequest that another endpoint of this node answers, without a network. The callee
// sees a request as any other: its own limits, log line and metrics. How deep endpoints have called each other stands
// in the request's cdn-loop header (RFC 8586), which crosses into cordons as headers do.

import { EdgeError } from "../../../sdk/errors.ts";
import type { HeaderList } from "../../../sdk/exchange.ts";
import { nextRequestId } from "../../http/request-id.ts";
import type { Send } from "../../isolate/egress/subrequest.ts";
import type { Fetched } from "../../isolate/egress/response-head.ts";
import { Headers, Response } from "../../isolate/egress/undici.ts";
import type { EndpointFaults } from "./faults.ts";
import { InnerExchange, type InnerReply } from "./inner-exchange.ts";

/** Endpoints that call each other in one chain; more is a circle. Workers ends them after as many. */
export const DEPTH_MAX = 16;
const LOOP_HEADER = "cdn-loop";

/** Hands the exchange to the endpoint, or answers in its place. */
export type InnerDispatch = (endpoint: string, exchange: InnerExchange) => void;

export interface BoundEndpoint {
  readonly endpoint: string;
  /** The export that answers; "": the default one. */
  readonly entrypoint: string;
}

export function createInnerFetch(
  { endpoint, entrypoint }: BoundEndpoint,
  dispatch: InnerDispatch,
): Send {
  return async ({ method, url, headers, body }, { signal, onHop, trail }) => {
    onHop();
    // The caller's own request tells, not what it says in this one.
    const depth = depthOf(trail()) + 1;
    if (depth > DEPTH_MAX) {
      throw new EdgeError(
        "LOOP_DETECTED",
        `${DEPTH_MAX} endpoints have called each other in one chain.`,
      );
    }
    headers.set(LOOP_HEADER, `islet;depth=${depth}`);
    const exchange = new InnerExchange({
      method,
      url: new URL(url),
      headers: listOf(headers),
      body,
      requestId: nextRequestId(),
      signal,
      entrypoint,
    });
    dispatch(endpoint, exchange);
    return responseOf(url, await exchange.replied);
  };
}

export interface BoundEndpoints {
  /** By the binding's name. */
  readonly endpoints: ReadonlyMap<string, BoundEndpoint>;
  readonly faults: Pick<EndpointFaults, "send">;
}

/** Those that an endpoint binds, by the binding's name. */
export function boundFetches(
  { endpoints, faults }: BoundEndpoints,
  dispatch: InnerDispatch,
): ReadonlyMap<string, Send> {
  return new Map(
    [...endpoints].map(([name, endpoint]) => [
      name,
      faults.send(name, createInnerFetch(endpoint, dispatch)),
    ]),
  );
}

function depthOf(header: string): number {
  const depth = /(?:^|,)\s*islet;depth=(\d{1,3})\s*(?:,|$)/.exec(header)?.[1];
  return depth === undefined ? 0 : Number(depth);
}

function listOf(headers: Headers): HeaderList {
  let list = "";
  for (const [name, value] of headers) list += `${name}\n${value}\n`;
  return list;
}

function responseOf(url: string, { status, headers: list, body }: InnerReply): Fetched {
  const headers = new Headers();
  const parts = list.split("\n");
  for (let at = 0; at + 1 < parts.length; at += 2)
    headers.append(parts[at] ?? "", parts[at + 1] ?? "");
  const { statusText, redirected, body: stream } = new Response(body, { status });
  return { status, statusText, url, redirected, headers, body: stream, raw: true };
}
