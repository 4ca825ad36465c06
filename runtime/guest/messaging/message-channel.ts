// MessageChannel within one isolate. Messages are copies, and arrive in a task of their own: after a turn of the host's
// timers, those that wait by then one after the other. A port that is transferred becomes another one at the same end
// of its channel, with the messages that have waited.

import { defineHandlerAttribute, dispatchTrusted, EventTarget } from "../event-target.ts";
import { exposeInterface } from "../interface.ts";
import { MessageEvent, setPortCheck } from "../sockets/socket-events.ts";
import { cloneMoving, refuseToClone, registerTransferable } from "../structured-clone.ts";
import { startTimer } from "../timers.ts";

const apply = Reflect.apply;
const iterator: typeof Symbol.iterator = Symbol.iterator;
/** Only a channel makes ports. */
const INTERNAL = {};

/** A list by links: elements of an array could meet an author's setters. */
interface Waiting {
  readonly data: unknown;
  readonly ports: readonly object[];
  next: Waiting | null;
}

let entangle: (one: MessagePort, other: MessagePort) => void;
let startPort: (port: MessagePort) => void;
let isPort: (value: unknown) => boolean;
let canMove: (port: MessagePort) => boolean;
let movePort: (port: MessagePort) => MessagePort;

export class MessagePort extends EventTarget {
  #other: MessagePort | null = null;
  #first: Waiting | null = null;
  #last: Waiting | null = null;
  #count = 0;
  #started = false;
  #closed = false;
  #due = false;
  /** Closed, or transferred: another one has taken its place. */
  #detached = false;

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
    isPort = (value) => typeof value === "object" && value !== null && #other in value;
    canMove = (port) => !port.#detached;
    movePort = (port) => port.#move();
  }

  postMessage(message: unknown, options: unknown = undefined): void {
    if (arguments.length === 0) throw new TypeError("postMessage requires a message");
    const { data, moved } = cloneMoving(message, transferOf(options), this);
    const other = this.#other;
    if (other !== null) other.#receive({ data, ports: portsOf(moved), next: null });
  }

  start(): void {
    this.#start();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#detached = true;
    const other = this.#other;
    this.#other = null;
    if (other !== null) other.#other = null;
  }

  #start(): void {
    this.#started = true;
    this.#deliverSoon();
  }

  #move(): MessagePort {
    const moved = new MessagePort(INTERNAL);
    moved.#closed = this.#closed;
    moved.#first = this.#first;
    moved.#last = this.#last;
    moved.#count = this.#count;
    const other = this.#other;
    if (other !== null) entangle(moved, other);
    this.#other = null;
    this.#first = null;
    this.#last = null;
    this.#count = 0;
    this.#detached = true;
    this.#closed = true;
    return moved;
  }

  #receive(waiting: Waiting): void {
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
      const init = { __proto__: null, data: waiting.data, ports: waiting.ports };
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
setPortCheck((value) => isPort(value));
refuseToClone((value) => isPort(value));
registerTransferable({
  isKind: (value) => isPort(value),
  canMove: (value) => canMove(value as MessagePort),
  move: (value) => movePort(value as MessagePort),
});

function portsOf(moved: readonly object[]): readonly object[] {
  const ports: object[] = [];
  for (let i = 0; i < moved.length; i++) {
    const each = moved[i];
    if (each !== undefined && isPort(each)) ports[ports.length] = each;
  }
  return ports;
}

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
