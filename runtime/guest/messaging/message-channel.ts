// MessageChannel within one isolate. Messages are copies, and arrive in a task of their own: after a turn of the host's
// timers, those that wait by then one after the other. A port itself cannot be transferred: there is nowhere to go.

import { defineHandlerAttribute, dispatchTrusted, EventTarget } from "../event-target.ts";
import { exposeInterface } from "../interface.ts";
import { MessageEvent } from "../sockets/socket-events.ts";
import { refuseToClone, structuredClone } from "../structured-clone.ts";
import { startTimer } from "../timers.ts";

const apply = Reflect.apply;
const iterator: typeof Symbol.iterator = Symbol.iterator;
/** Only a channel makes ports. */
const INTERNAL = {};

/** A list by links: elements of an array could meet an author's setters. */
interface Waiting {
  readonly data: unknown;
  next: Waiting | null;
}

let entangle: (one: MessagePort, other: MessagePort) => void;
let startPort: (port: MessagePort) => void;
let isPort: (value: object) => boolean;

export class MessagePort extends EventTarget {
  #other: MessagePort | null = null;
  #first: Waiting | null = null;
  #last: Waiting | null = null;
  #count = 0;
  #started = false;
  #closed = false;
  #due = false;

  constructor(internal: unknown) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    super();
  }

  static {
    entangle = (one, other) => {
      one.#other = other;
      other.#other = one;
    };
    startPort = (port) => port.#start();
    isPort = (value) => #other in value;
  }

  postMessage(message: unknown, options: unknown = undefined): void {
    if (arguments.length === 0) throw new TypeError("postMessage requires a message");
    const data = structuredClone(message, { transfer: transferOf(options) });
    const other = this.#other;
    if (other !== null) other.#receive(data);
  }

  start(): void {
    this.#start();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const other = this.#other;
    this.#other = null;
    if (other !== null) other.#other = null;
  }

  #start(): void {
    this.#started = true;
    this.#deliverSoon();
  }

  #receive(data: unknown): void {
    const waiting: Waiting = { data, next: null };
    if (this.#last === null) this.#first = waiting;
    else this.#last.next = waiting;
    this.#last = waiting;
    this.#count++;
    this.#deliverSoon();
  }

  #deliverSoon(): void {
    if (this.#due || !this.#started || this.#closed || this.#first === null) return;
    this.#due = true;
    startTimer(() => void this.#deliver(), 0);
  }

  async #deliver(): Promise<void> {
    for (let left = this.#count; left > 0 && !this.#closed; left--) {
      const waiting = this.#first;
      if (waiting === null) break;
      this.#first = waiting.next;
      if (waiting.next === null) this.#last = null;
      this.#count--;
      // Without a prototype: the event must not read what an author has put on Object.prototype.
      const init = { __proto__: null, data: waiting.data };
      dispatchTrusted(this, new MessageEvent("message", init));
      // oxlint-disable-next-line typescript/await-thenable -- promise jobs of one message come before the next.
      await undefined;
    }
    this.#due = false;
    this.#deliverSoon();
  }
}
exposeInterface(MessagePort, "MessagePort");
defineHandlerAttribute(MessagePort.prototype, "message");
defineHandlerAttribute(MessagePort.prototype, "messageerror");
startWithHandler();
refuseToClone((value) => isPort(value));

/** The standard's: setting `onmessage` starts the port. */
function startWithHandler(): void {
  const found = Object.getOwnPropertyDescriptor(MessagePort.prototype, "onmessage");
  const set = found?.set;
  if (found === undefined || set === undefined) return;
  const members = {
    set onmessage(value: unknown) {
      apply(set, this, [value]);
      startPort(this as unknown as MessagePort);
    },
  };
  const setter = Object.getOwnPropertyDescriptor(members, "onmessage")?.set;
  if (setter !== undefined) {
    Object.defineProperty(MessagePort.prototype, "onmessage", { ...found, set: setter });
  }
}

function transferOf(options: unknown): unknown {
  if (typeof options !== "object" || options === null) return undefined;
  const isList = (options as { [iterator]?: unknown })[iterator] !== undefined;
  return isList ? options : (options as { readonly transfer?: unknown }).transfer;
}

export class MessageChannel {
  readonly #port1 = new MessagePort(INTERNAL);
  readonly #port2 = new MessagePort(INTERNAL);

  constructor() {
    entangle(this.#port1, this.#port2);
  }

  get port1(): MessagePort {
    return this.#port1;
  }

  get port2(): MessagePort {
    return this.#port2;
  }
}
exposeInterface(MessageChannel, "MessageChannel");
