// WebSocketPair and its two ends. What is sent on one end arrives at the other; an end that was given to a Response
// of status 101 stands for the client, and what arrives there leaves for the network (wire.ts). A WebSocket that was
// opened to the outside is the end of a pair too, whose other end stands for the server (dial.ts), for nobody to see.
//
// Events wait until the end is accepted, so that nothing is lost before its listeners are there.

import { blobBytes, createBlob, isBlob } from "../blob.ts";
import { bytesOf } from "../buffer-source.ts";
import { DOMException } from "../dom-exception.ts";
import { defineHandlerAttribute, dispatchTrusted, EventTarget } from "../event-target.ts";
import { Event } from "../event.ts";
import { defineConstants, exposeInterface } from "../interface.ts";
import type { SocketEnd, SocketWire } from "../port.ts";
import { toCode, toProtocols, toReason, toSocketUrl, toText } from "./arguments.ts";
import { dial, type DialAnswer, type DialRequest } from "./dial.ts";
import { CloseEvent, MessageEvent } from "./socket-events.ts";

const STATES = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 } as const;
/** Only what is made here has it. */
const INTERNAL = {};
const NO_STATUS = 1_005;
/** The connection broke off. */
const ABNORMAL = 1_006;
const GOING_AWAY = 1_001;
const OPENED = 101;

/** What has arrived and waits; by links, since elements of an array could meet an author's setters. */
interface Arrived {
  readonly type: "open" | "message" | "error" | "close";
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

export interface DialledSocketAnswer extends DialAnswer {
  /** null when the server did not open it. */
  readonly socket: WebSocket | null;
}

/** For fetch. Answers with the way to give it up. */
export let dialSocket: (
  request: DialRequest,
  answered: (answer: DialledSocketAnswer) => void,
  failed: (error: unknown) => void,
) => () => void;

export class WebSocket extends EventTarget {
  #peer: WebSocket | null = null;
  #wire: SocketWire | null = null;
  #state: number = STATES.OPEN;
  #accepted = false;
  #taken = false;
  #binaryType = "arraybuffer";
  /** Of those that were opened to the outside. */
  #isDialled = false;
  /** By its constructor, so that the standard's rules are the ones to keep. */
  #isClient = false;
  #url = "";
  #origin = "";
  #protocol = "";
  #giveUp: (() => void) | null = null;
  #first: Arrived | null = null;
  #last: Arrived | null = null;

  constructor(url: unknown, protocols: unknown = undefined) {
    super();
    if (url === INTERNAL) return;
    if (arguments.length === 0) throw new TypeError("WebSocket requires an address");
    const { href, origin } = toSocketUrl(url);
    this.#url = href;
    this.#origin = origin;
    this.#binaryType = "blob";
    this.#isClient = true;
    this.#state = STATES.CONNECTING;
    const request = { url: href, protocols: toProtocols(protocols), headers: "" };
    this.#dial(
      request,
      (answer) => (answer.status === OPENED ? this.#opened() : this.#fail()),
      () => this.#fail(),
    );
    this.accept();
  }

  static {
    joinEnds = (one, other) => {
      one.#peer = other;
      other.#peer = one;
    };
    dialSocket = (request, answered, failed) => {
      const socket = new WebSocket(INTERNAL);
      socket.#origin = toSocketUrl(request.url).origin;
      return socket.#dial(
        request,
        (answer) => answered({ ...answer, socket: answer.status === OPENED ? socket : null }),
        failed,
      );
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
        message: (data) => {
          if (socket.#peer !== null) socket.#peer.#take(data);
        },
        closed: (code, reason) => socket.#lose(code, reason),
      };
    };
  }

  get readyState(): number {
    return this.#state;
  }

  get url(): string {
    return this.#url;
  }

  get protocol(): string {
    return this.#protocol;
  }

  get bufferedAmount(): number {
    return this.#peerWire()?.buffered ?? 0;
  }

  get extensions(): string {
    return "";
  }

  /** As what messages of bytes arrive: "blob" or "arraybuffer". */
  get binaryType(): string {
    return this.#binaryType;
  }

  set binaryType(value: unknown) {
    const type = `${value as string}`;
    if (type === "blob" || type === "arraybuffer") this.#binaryType = type;
  }

  /** From now on events are dispatched, first those that have waited. */
  accept(): void {
    if (this.#taken) throw new TypeError("This end belongs to the client: accept the other one.");
    if (this.#accepted) return;
    this.#accepted = true;
    this.#peerWire()?.want();
    void this.#dispatchWaiting();
  }

  send(data: unknown): void {
    if (arguments.length === 0) throw new TypeError("send requires a message");
    if (!this.#accepted) throw new TypeError("Call accept() before send().");
    if (this.#state === STATES.CONNECTING) {
      throw new DOMException("The WebSocket is not open yet.", "InvalidStateError");
    }
    const bytes = isBlob(data) ? blobBytes(data) : bytesOf(data);
    const message = bytes === null ? toText(data) : copyOf(bytes);
    if (this.#state !== STATES.OPEN) return;
    const peer = this.#peer;
    if (peer !== null) peer.#take(message);
  }

  close(code: unknown = undefined, reason: unknown = undefined): void {
    const number = code === undefined ? NO_STATUS : toCode(code, this.#isClient);
    const text = reason === undefined ? "" : toReason(reason);
    if (!this.#accepted && !this.#taken) this.accept();
    if (this.#state >= STATES.CLOSING) return;
    const isOpen = this.#state === STATES.OPEN;
    this.#state = STATES.CLOSING;
    if (!isOpen) return this.#giveUp?.();
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
    this.#peerWire()?.want();
    // What was sent before the response was given.
    for (let each = this.#first; each !== null; each = each.next) {
      if (each.close !== null) closeWire(wire, each.close.code, each.close.reason);
      else if (each.type === "message") wire.send(each.data);
    }
    this.#first = null;
    this.#last = null;
  }

  /** Its other end is the server's. */
  #dial(
    request: DialRequest,
    answered: (answer: DialAnswer) => void,
    failed: (error: unknown) => void,
  ): () => void {
    const network = new WebSocket(INTERNAL);
    joinEnds(this, network);
    this.#isDialled = true;
    const giveUp = dial(request, {
      end: endOf(network),
      answered: (answer) => {
        this.#protocol = answer.protocol;
        answered(answer);
      },
      failed,
    });
    this.#giveUp = giveUp;
    return giveUp;
  }

  #peerWire(): SocketWire | null {
    return this.#peer === null ? null : this.#peer.#wire;
  }

  #opened(): void {
    // Closed meanwhile: the host is told to give it up.
    if (this.#state !== STATES.CONNECTING) return;
    this.#state = STATES.OPEN;
    this.#receive({ type: "open", data: "", close: null, next: null });
  }

  #fail(): void {
    this.#finish(ABNORMAL, "", false);
  }

  /** What the other end has sent. */
  #take(data: string | ArrayBuffer): void {
    if (this.#wire === null) this.#receive({ type: "message", data, close: null, next: null });
    else this.#wire.send(data);
  }

  /** The connection to the client or the server is over. */
  #lose(code: number, reason: string): void {
    this.#state = STATES.CLOSED;
    this.#wire = null;
    const peer = this.#peer;
    if (peer !== null) peer.#finish(code, reason, code !== ABNORMAL);
  }

  #finish(code: number, reason: string, wasClean: boolean): void {
    if (this.#state === STATES.CLOSED) return;
    this.#state = STATES.CLOSED;
    if (this.#wire !== null) return closeWire(this.#wire, code, reason);
    if (this.#isDialled && !wasClean) {
      this.#receive({ type: "error", data: "", close: null, next: null });
    }
    const close = { code, reason, wasClean };
    this.#receive({ type: "close", data: "", close, next: null });
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
      dispatchTrusted(this, this.#eventOf(each));
      this.#first = each.next;
    }
    this.#last = null;
  }

  #eventOf({ type, data, close }: Arrived): Event {
    if (type === "close") return new CloseEvent("close", close);
    if (type !== "message") return new Event(type);
    const isBytes = typeof data !== "string";
    const shown =
      isBytes && this.#binaryType === "blob" ? createBlob(new Uint8Array(data), "") : data;
    return new MessageEvent("message", { data: shown, origin: this.#origin });
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

function copyOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

/** Nobody can be told that a connection broke off by a code of its own. */
function closeWire(wire: SocketWire, code: number, reason: string): void {
  wire.close(code === ABNORMAL ? GOING_AWAY : code, reason);
}
