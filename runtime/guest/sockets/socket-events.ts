// What WebSockets and message ports dispatch.

import { Event, type EventInit } from "../event.ts";
import { exposeInterface } from "../interface.ts";

export interface MessageEventInit extends EventInit {
  readonly data?: unknown;
  readonly origin?: unknown;
  readonly lastEventId?: unknown;
  readonly source?: unknown;
  readonly ports?: unknown;
}

const freeze = Object.freeze;

/** Told by the module of ports, which this one must not import. */
let isPort: (value: unknown) => boolean = () => false;
export function setPortCheck(check: (value: unknown) => boolean): void {
  isPort = check;
}

export class MessageEvent extends Event {
  readonly #data: unknown;
  readonly #origin: string;
  readonly #lastEventId: string;
  readonly #source: unknown;
  readonly #ports: readonly unknown[];

  constructor(type: unknown, init?: MessageEventInit | null) {
    if (arguments.length === 0) throw new TypeError("MessageEvent requires a type");
    super(type, init);
    this.#data = init?.data ?? null;
    this.#origin = `${(init?.origin ?? "") as string}`;
    this.#lastEventId = `${(init?.lastEventId ?? "") as string}`;
    const source: unknown = init?.source ?? null;
    if (source !== null && !isPort(source)) throw new TypeError("source must be a MessagePort");
    this.#source = source;
    this.#ports = toPorts(init?.ports);
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

  get source(): unknown {
    return this.#source;
  }

  get ports(): readonly unknown[] {
    return this.#ports;
  }
}
exposeInterface(MessageEvent, "MessageEvent");

const NO_PORTS: readonly unknown[] = freeze([]);

function toPorts(given: unknown): readonly unknown[] {
  if (given === undefined) return NO_PORTS;
  const ports: unknown[] = [];
  for (const port of given as Iterable<unknown>) {
    if (!isPort(port)) throw new TypeError("ports must be a list of MessagePorts");
    ports[ports.length] = port;
  }
  return freeze(ports);
}

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
