// What WebSockets dispatch.

import { Event, type EventInit } from "../event.ts";
import { exposeInterface } from "../interface.ts";

export interface MessageEventInit extends EventInit {
  readonly data?: unknown;
  readonly origin?: unknown;
  readonly lastEventId?: unknown;
}

export class MessageEvent extends Event {
  readonly #data: unknown;
  readonly #origin: string;
  readonly #lastEventId: string;

  constructor(type: unknown, init?: MessageEventInit | null) {
    if (arguments.length === 0) throw new TypeError("MessageEvent requires a type");
    super(type, init);
    this.#data = init?.data ?? null;
    this.#origin = `${(init?.origin ?? "") as string}`;
    this.#lastEventId = `${(init?.lastEventId ?? "") as string}`;
  }

  get data(): unknown {
    return this.#data;
  }

  get origin(): string {
    return this.#origin;
  }

  get lastEventId(): string {
    return this.#lastEventId;
  }

  get source(): null {
    return null;
  }
}
exposeInterface(MessageEvent, "MessageEvent");

export interface CloseEventInit extends EventInit {
  readonly wasClean?: unknown;
  readonly code?: unknown;
  readonly reason?: unknown;
}

export class CloseEvent extends Event {
  readonly #wasClean: boolean;
  readonly #code: number;
  readonly #reason: string;

  constructor(type: unknown, init?: CloseEventInit | null) {
    if (arguments.length === 0) throw new TypeError("CloseEvent requires a type");
    super(type, init);
    this.#wasClean = Boolean(init?.wasClean);
    this.#code = Number(init?.code ?? 0) & 0xffff;
    this.#reason = `${(init?.reason ?? "") as string}`;
  }

  get wasClean(): boolean {
    return this.#wasClean;
  }

  get code(): number {
    return this.#code;
  }

  get reason(): string {
    return this.#reason;
  }
}
exposeInterface(CloseEvent, "CloseEvent");
