// Brings an event to a handler in this worker and its outcome back. Events keep the rules of requests: the endpoint's
// limits, one outcome, one line in the access log.

import { randomUUID } from "node:crypto";
import type { Outcome } from "../../../sdk/outcome.ts";
import { Generation } from "../../isolate/generation.ts";
import type { HandlerEvent } from "../../isolate/ticket.ts";
import type { Slot } from "../endpoints.ts";
import { RequestTicket, type Observers } from "../request-ticket.ts";
import { EventExchange } from "./event-exchange.ts";

export interface EventEnd {
  readonly outcome: Outcome;
  /** The method returned; false: it threw, or did not come to its end. */
  readonly returned: boolean;
  /** What the guest says of it: hostile. "" when the method did not come to its end. */
  readonly text: string;
}

/** What of `slot` takes events in this process: not what a cordon serves, nor what is stopped or not deployed. */
export function takesEvents(slot: Slot): boolean {
  const { endpoint } = slot.deployed;
  return (
    slot.generation instanceof Generation &&
    !slot.quarantined &&
    endpoint.enabled &&
    !endpoint.stopped
  );
}

/** `path`: what the access log shows beside the event's name. */
export function sendEvent(
  slot: Slot,
  event: HandlerEvent,
  { path, observers }: { readonly path: string; readonly observers: Observers },
): Promise<EventEnd> {
  const requestId = randomUUID();
  const exchange = new EventExchange({ method: event.name.toUpperCase(), path, requestId });
  return new Promise((resolve) => {
    const ticket = new RequestTicket(exchange, observers, event);
    ticket.slot = slot;
    ticket.whenDone(() => {
      const { outcome } = ticket;
      const text = outcome === "ok" ? exchange.text : "";
      resolve({ outcome, returned: exchange.status === 200, text });
    });
    slot.generation?.accept(ticket);
  });
}
