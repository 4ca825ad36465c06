// Calls the methods of handlers that the gateway uses as policies. As with every event the rules of requests hold:
// the endpoint's limits, one outcome, one line in the access log.

import { isCode } from "../../../sdk/errors.ts";
import type { Exchange, HeaderList } from "../../../sdk/exchange.ts";
import { REPLIED, type PolicyEnd, type RunPolicy } from "../../gateway/policies/custom/outcome.ts";
import type { Endpoints } from "../endpoints.ts";
import { RequestTicket, type Observers } from "../request-ticket.ts";
import { takesEvents } from "./event.ts";
import { EventExchange } from "./event-exchange.ts";

const OK = 200;

export function createRunPolicy(endpoints: () => Endpoints, observers: Observers): RunPolicy {
  return async ({ endpoint, method, path, text, client }) => {
    const slot = endpoints().slot(endpoint);
    // What a cordon serves takes no events.
    if (slot === undefined || !takesEvents(slot)) return { kind: "failed", code: "NOT_DEPLOYED" };
    const exchange = new PolicyExchange(client, {
      method: method.toUpperCase(),
      path,
      requestId: client.requestId,
    });
    return new Promise((resolve) => {
      const ticket = new RequestTicket(exchange, observers, { name: method, text });
      ticket.slot = slot;
      ticket.whenDone(() => resolve(endOf(ticket, exchange)));
      slot.generation?.accept(ticket);
    });
  };
}

function endOf({ outcome }: RequestTicket, exchange: PolicyExchange): PolicyEnd {
  if (exchange.replied) return { kind: "replied" };
  if (outcome === "ok" && exchange.status === OK) return { kind: "ended", text: exchange.text };
  return { kind: "failed", code: isCode(outcome) ? outcome : "HANDLER_EXCEPTION" };
}

/** An event's, but that a reply which says so goes to the gateway's client. */
class PolicyExchange extends EventExchange {
  replied = false;
  readonly #client: Exchange;

  constructor(client: Exchange, options: ConstructorParameters<typeof EventExchange>[0]) {
    super(options);
    this.#client = client;
  }

  override reply(status: number, headers: HeaderList, body: string | Uint8Array | null): void {
    if (this.state !== "open") return;
    this.replied = headers.startsWith(REPLIED);
    if (this.replied) this.#client.reply(status, headers.slice(REPLIED.length), body);
    super.reply(status, headers, this.replied ? null : body);
  }

  override begin(status: number, headers: HeaderList): void {
    if (this.state !== "open") return;
    if (!headers.startsWith(REPLIED)) return super.begin(status);
    this.replied = true;
    this.state = "streaming";
    this.status = status;
    this.#client.begin(status, headers.slice(REPLIED.length));
    if (this.#client.state !== "streaming") this.end(status);
  }

  override write(chunk: Uint8Array): boolean {
    return this.state === "streaming" ? this.#client.write(chunk) : true;
  }

  override onDrained(listener: () => void): void {
    this.#client.onDrained(listener);
  }

  override finish(): void {
    if (this.state !== "streaming") return;
    this.#client.finish();
    this.end(this.status);
  }

  override reset(): void {
    if (this.state !== "streaming") return;
    this.#client.reset();
    this.end(this.status);
  }

  override onGone(listener: () => void): void {
    this.#client.onGone(() => {
      if (this.state === "done") return;
      listener();
      this.end(this.status);
    });
  }
}
