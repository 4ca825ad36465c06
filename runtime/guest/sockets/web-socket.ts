// WebSocketPair and its two ends. What is sent on one end arrives at the other; an end that was given to a Response of
// status 101 stands for the client, and what arrives there leaves for the network (wire.ts).
//
// Events wait until the end is accepted, so that nothing is lost before its listeners are there.

import { bytesOf } from "../buffer-source.ts";
import { DOMException } from "../dom-exception.ts";
import { encodeUtf8 } from "../encoding.ts";
import { defineHandlerAttribute, dispatchTrusted, EventTarget } from "../event-target.ts";
import type { Event } from "../event.ts";
import { defineConstants, exposeInterface } from "../interface.ts";
import type { SocketEnd, SocketWire } from "../port.ts";
import { CloseEvent, MessageEvent } from "./socket-events.ts";

const STATES = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 } as const;
/** Only what is made here has it. */
const INTERNAL = {};
/** RFC 6455: a control frame has 125 bytes, and two of them are the code. */
const REASON_BYTES_MAX = 123;
const NORMAL = 1_000;
const NO_STATUS = 1_005;
/** The connection broke off. */
const ABNORMAL = 1_006;
/** Codes for applications. */
const OWN_MIN = 3_000;
const OWN_MAX = 4_999;

/** What has arrived and waits; by links, since elements of an array could meet an author's setters. */
interface Arrived {
  readonly data: string | ArrayBuffer;
  readonly close: {
    readonly code: number;
    readonly reason: string;
    readonly wasClean: boolean;
  } | null;
  next: Arrived | null;
}

let joinEnds: (one: WebSocket, other: WebSocket) => void;
let endOf: (socket: WebSocket) => SocketEnd;
let isEnd: (value: unknown) => value is WebSocket;

export class WebSocket extends EventTarget {
  #peer: WebSocket | null = null;
  #wire: SocketWire | null = null;
  #state: number = STATES.OPEN;
  #accepted = false;
  #taken = false;
  #first: Arrived | null = null;
  #last: Arrived | null = null;

  constructor(internal: unknown) {
    super();
    if (internal !== INTERNAL) {
      throw new TypeError("WebSockets are made by WebSocketPair here.");
    }
  }

  static {
    joinEnds = (one, other) => {
      one.#peer = other;
      other.#peer = one;
    };
    const receive = (peer: WebSocket | null, data: string | ArrayBuffer): void => {
      if (peer !== null) peer.#receive({ data, close: null, next: null });
    };
    isEnd = (value): value is WebSocket =>
      typeof value === "object" && value !== null && #wire in value;
    endOf = (socket) => {
      if (socket.#taken || socket.#accepted) {
        throw new TypeError("The WebSocket is in use: accepted, or part of another response.");
      }
      socket.#taken = true;
      return {
        attach: (wire) => socket.#attach(wire),
        message: (data) => receive(socket.#peer, data),
        closed: (code, reason) => socket.#lose(code, reason),
      };
    };
  }

  get readyState(): number {
    return this.#state;
  }

  get url(): string {
    return "";
  }

  get protocol(): string {
    return "";
  }

  get extensions(): string {
    return "";
  }

  /** Whether messages of bytes arrive as ArrayBuffers: always. */
  get binaryType(): string {
    return "arraybuffer";
  }

  /** From now on events are dispatched, first those that have waited. */
  accept(): void {
    if (this.#taken) throw new TypeError("This end belongs to the client: accept the other one.");
    if (this.#accepted) return;
    this.#accepted = true;
    void this.#dispatchWaiting();
  }

  send(data: unknown): void {
    if (arguments.length === 0) throw new TypeError("send requires a message");
    if (!this.#accepted) throw new TypeError("Call accept() before send().");
    const bytes = bytesOf(data);
    const message = bytes === null ? toText(data) : copyOf(bytes);
    if (this.#state !== STATES.OPEN) return;
    const peer = this.#peer;
    if (peer === null) return;
    if (peer.#wire !== null) peer.#wire.send(message);
    else peer.#receive({ data: message, close: null, next: null });
  }

  close(code: unknown = undefined, reason: unknown = undefined): void {
    const number = code === undefined ? NO_STATUS : toCode(code);
    const text = reason === undefined ? "" : toReason(reason);
    if (!this.#accepted && !this.#taken) this.#accepted = true;
    if (this.#state >= STATES.CLOSING) return;
    this.#state = STATES.CLOSING;
    const peer = this.#peer;
    if (peer === null) return;
    if (peer.#wire !== null) peer.#wire.close(number, text);
    else {
      peer.#finish(number, text, true);
      this.#finish(number, text, true);
    }
  }

  #attach(wire: SocketWire): void {
    this.#wire = wire;
    // What was sent before the response was given.
    for (let each = this.#first; each !== null; each = each.next) {
      if (each.close === null) wire.send(each.data);
      else wire.close(each.close.code, each.close.reason);
    }
    this.#first = null;
    this.#last = null;
  }

  /** The client's connection is over. */
  #lose(code: number, reason: string): void {
    this.#state = STATES.CLOSED;
    this.#wire = null;
    const peer = this.#peer;
    if (peer !== null) peer.#finish(code, reason, code !== ABNORMAL);
  }

  #finish(code: number, reason: string, wasClean: boolean): void {
    if (this.#state === STATES.CLOSED) return;
    this.#state = STATES.CLOSED;
    this.#receive({ data: "", close: { code, reason, wasClean }, next: null });
  }

  #receive(arrived: Arrived): void {
    if (this.#last === null) this.#first = arrived;
    else this.#last.next = arrived;
    this.#last = arrived;
    if (this.#accepted && this.#first === arrived) void this.#dispatchWaiting();
  }

  /** Each in a turn of its own, as tasks would be. */
  async #dispatchWaiting(): Promise<void> {
    for (let each = this.#first; each !== null; each = each.next) {
      // oxlint-disable-next-line typescript/await-thenable -- one turn of the promise jobs.
      await undefined;
      dispatchTrusted(this, eventOf(each));
      this.#first = each.next;
    }
    this.#last = null;
  }
}
exposeInterface(WebSocket, "WebSocket");
defineConstants(WebSocket, STATES);
for (const type of ["open", "message", "close", "error"]) {
  defineHandlerAttribute(WebSocket.prototype, type);
}

/** `const [client, server] = Object.values(new WebSocketPair())`. */
export class WebSocketPair {
  readonly 0: WebSocket;
  readonly 1: WebSocket;

  constructor() {
    this[0] = new WebSocket(INTERNAL);
    this[1] = new WebSocket(INTERNAL);
    joinEnds(this[0], this[1]);
  }
}
exposeInterface(WebSocketPair, "WebSocketPair");

/** The end that `new Response(null, { webSocket })` takes. Throws a TypeError when it is none, or in use. */
export function takeSocket(value: unknown): SocketEnd {
  if (!isEnd(value)) throw new TypeError("webSocket has to be an end of a WebSocketPair.");
  return endOf(value);
}

function toText(data: unknown): string {
  const text = `${data as string}`;
  return text.isWellFormed() ? text : text.toWellFormed();
}

function copyOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

function eventOf({ data, close }: Arrived): Event {
  return close === null ? new MessageEvent("message", { data }) : new CloseEvent("close", close);
}

function toCode(value: unknown): number {
  const code = Number(value);
  if (code === NORMAL || (Number.isInteger(code) && code >= OWN_MIN && code <= OWN_MAX))
    return code;
  // Servers close with these too.
  if (code >= 1_001 && code <= 1_014 && code !== 1_004 && code !== 1_005 && code !== 1_006) {
    return code;
  }
  throw new DOMException(
    "A close code is 1000 to 1014 without 1004 to 1006, or 3000 to 4999.",
    "InvalidAccessError",
  );
}

function toReason(value: unknown): string {
  const reason = toText(value);
  if (encodeUtf8(reason).byteLength <= REASON_BYTES_MAX) return reason;
  throw new DOMException(`A reason has ${REASON_BYTES_MAX} bytes at most.`, "SyntaxError");
}
