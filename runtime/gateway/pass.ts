// One request on its way through a route's policies to its target.

import type { Code } from "../../sdk/errors.ts";
import type { Exchange, HeaderList } from "../../sdk/exchange.ts";
import type { NetworkTest } from "../../sdk/gateway/cidr.ts";
import type { Outcome } from "../../sdk/outcome.ts";
import { clientAddress } from "./client-address.ts";
import type { Consumer } from "./policies/auth/consumers.ts";
import { withoutNamed } from "./upstream/forwarded-headers.ts";

/** Who answers for the request's outcome; the worker's ticket. */
export interface GateTicket {
  /** Replaced before the target sees it, where replies pass through policies. */
  exchange: Exchange;
  /** On performance.now(). */
  readonly startedMs: number;
  /** What has failed; null while nothing has. */
  readonly failure: Code | null;
  /** Sends the problem reply if nothing was sent yet, else breaks the reply off; fixes the outcome. */
  fail(code: Code, logged?: string, headers?: HeaderList): void;
  /** Called when the exchange is over, however it ended; at once if it is. */
  whenDone(listener: () => void): void;
  /** Of what was answered without `fail`. */
  answered(outcome: Outcome): void;
  /** Name of the consumer that asks, for the access log. */
  consumer: string;
  log(level: string, text: string): void;
}

export interface LimitState {
  /** Which policy it is of. */
  readonly id: string;
  readonly limit: number;
  readonly remaining: number;
  readonly resetSec: number;
}

export type PassParts = Pick<Pass, "ticket" | "enter" | "params" | "trusted" | "bodyBytesMax">;

export class Pass {
  readonly ticket: GateTicket;
  /** The client's, without policies. */
  readonly exchange: Exchange;
  /** Hands the request to an endpoint of this name. */
  readonly enter: (endpoint: string) => void;
  readonly params: Readonly<Record<string, string>>;
  /** As they are sent on. */
  headers: HeaderList;
  /** Path and query, as sent on. */
  url: string;
  /** Of the token that was verified. */
  claims: Readonly<Record<string, unknown>> | null = null;
  /** Who asks, by a credential that was verified. */
  consumer: Consumer | null = null;
  /** A policy has found out who asks, whatever it goes by. */
  isKnown = false;
  /** Of the whole exchange; 0: not limited by a policy. */
  totalMs = 0;
  bodyBytesMax: number;
  readonly trusted: NetworkTest;
  /** Of the rate limits that it has passed, the one that has the least left. */
  limit: LimitState | null = null;
  /** The cookie that keeps the client where a split has sent it, as it goes out; "": it has it. */
  splitCookie = "";
  /** How a cache has dealt with it, as RFC 9211 says it; "": there is none. */
  cacheStatus = "";
  #address: string | null = null;

  constructor({ ticket, enter, params, trusted, bodyBytesMax }: PassParts) {
    this.ticket = ticket;
    this.enter = enter;
    this.exchange = ticket.exchange;
    this.params = params;
    this.headers = withoutNamed(ticket.exchange.headers);
    this.url = ticket.exchange.url;
    this.trusted = trusted;
    this.bodyBytesMax = bodyBytesMax;
  }

  /** The client's, behind proxies that are trusted. */
  get address(): string {
    this.#address ??= clientAddress(this.exchange, this.trusted);
    return this.#address;
  }
}
