// What stands in a worker for an endpoint that runs in a cordon: takes requests as a generation does, and forwards
// them. The cordon applies limits and drain; here a request ends when its reply is out or its cordon is lost.

import type { Limits } from "../../../sdk/limits.ts";
import type { Ticket } from "../../isolate/ticket.ts";
import { Forwarded } from "./forwarded.ts";
import { WAITING_MS_MAX, type CordonLink } from "./link.ts";

export interface RelayOptions {
  readonly link: CordonLink;
  readonly endpoint: string;
  readonly limits: Pick<Limits, "bodyBytes" | "wallMs">;
  readonly revision: () => number;
  /** It takes no more requests, and those it took are over. */
  readonly onGone: () => void;
}

export class Relay {
  readonly #options: RelayOptions;
  readonly #open = new Set<Forwarded>();
  readonly #over = (forwarded: Forwarded): void => {
    this.#open.delete(forwarded);
    this.#endIfIdle();
  };
  #draining = false;

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#open.size;
  }

  accept(ticket: Ticket): void {
    const { link, endpoint, limits, revision } = this.#options;
    const forwarded = new Forwarded({ ticket, endpoint, limits, revision, onOver: this.#over });
    if (forwarded.over) return;
    this.#open.add(forwarded);
    link.accept(forwarded);
  }

  expire(now: number): void {
    for (const forwarded of this.#open) forwarded.expire(now, WAITING_MS_MAX);
  }

  drain(): void {
    this.#draining = true;
    this.#endIfIdle();
  }

  abandon(): void {
    for (const forwarded of this.#open) forwarded.fail("SHUTTING_DOWN");
    this.drain();
  }

  #endIfIdle(): void {
    if (this.#draining && this.#open.size === 0) this.#options.onGone();
  }
}
