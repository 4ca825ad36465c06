// What is written within a cork leaves in one piece. uWS corks by itself while it calls for a request.

import type { UwsResponse } from "../uws.ts";

/** Larger bodies are handed to the socket as it takes them, instead of being copied into its queue. */
export const WHOLE_BYTES_MAX: number = 64 * 1024;

export interface Corkable {
  flushCorked(): void;
}

/** Whom uWS has corked already, because its request callback is running. */
let corked: Corkable | null = null;
/** What to run in the cork. One function for all, so that a reply allocates no closure. */
let corking: Corkable | null = null;

function runCorked(): void {
  const exchange = corking;
  corking = null;
  exchange?.flushCorked();
}

export function cork(exchange: Corkable, res: UwsResponse): void {
  if (corked === exchange) return exchange.flushCorked();
  corking = exchange;
  res.cork(runCorked);
}

/** For the time of a request callback. */
export function setCorked(exchange: Corkable | null): void {
  corked = exchange;
}
