// One request on its way through an isolate, as the worker hands it over. Whoever holds the ticket decides its
// outcome exactly once: `answered` when the handler's reply was taken, `fail` for everything else.

import type { Code, JsonObject } from "../../sdk/errors.ts";
import type { Exchange } from "../../sdk/exchange.ts";
import type { Outcome } from "../../sdk/outcome.ts";

export interface Usage {
  readonly cpuUs: number;
  readonly slices: number;
  /** Where the CPU time went, as frames of a stack; "" when that is not known. */
  readonly burned: string;
}

/** Something that happens to a handler beside requests: a batch of messages. */
export interface HandlerEvent {
  /** The method of the handler's that it is for. */
  readonly name: string;
  /** As the guest reads it (runtime/guest/events/). */
  readonly text: string;
}

export interface Ticket {
  /** Of an event, it takes the outcome; its method, address and headers do not cross. */
  readonly exchange: Exchange;
  /** null: a request. */
  readonly event: HandlerEvent | null;
  /** On the monotonic clock (performance.now); its time limit counts from here. */
  readonly startedMs: number;
  /** Sends the problem reply if nothing was sent yet, else breaks the reply off; fixes the outcome. */
  fail(code: Code, logged?: string): void;
  answered(outcome: Outcome): void;
  /** What a request that came near its limits has used; before `fail` or `answered`. */
  used(usage: Usage): void;
  /** Runs once the reply is out or never will be; at once where that is so already. One listener. */
  whenDone(listener: () => void): void;
  /** A log line of the handler. `fields`: the handler's own. */
  log(level: string, text: string, fields?: JsonObject): void;
}

/** As sdk/bridge.ts says. */
export function eventPayload({ name, text }: HandlerEvent, requestId: string): string {
  return `${name}\n${requestId}\n${text}`;
}

/** The part of a request's record that is seldom there. */
export function targetOf({ entrypoint = "", protocol }: Exchange): string {
  return protocol === undefined ? entrypoint : `${entrypoint}\t${protocol}`;
}
