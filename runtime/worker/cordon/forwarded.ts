// One request on its way through a cordon, at the worker that its client is on. The cordon's process may be in the
// hands of the code it runs: what it sends is checked before it is used, and what it may leave here is bounded.
//
// A request whose cordon died is sent once more if that does nothing twice: its method is safe (RFC 9110, section
// 9.2.1), its body is still here, and nothing of a reply has gone to the client. One that still waits was never sent.

import type { Code } from "../../../sdk/errors.ts";
import type { Limits } from "../../../sdk/limits.ts";
import { parseOutcome, type Outcome } from "../../../sdk/outcome.ts";
import type { Ticket } from "../../isolate/ticket.ts";
import { ForwardedSocket } from "./forwarded-socket.ts";
import { FRAME_BYTES_MAX, OP, packRequest, splitLines, type FrameWriter } from "./frames.ts";

/** Once, and once more. */
export const TRIES_MAX = 2;
/** The cordon ends what is too slow; this is for one that does not. */
const GRACE_MS = 2_000;
/** What may still come of a reply's stream after the cordon was told to hold it: what was under way. */
export const OVERRUN_BYTES_MAX: number = 4 * 1024 * 1024;
/** A body that goes along with its request; larger ones follow when they are asked for. */
const WHOLE_BYTES_MAX: number = FRAME_BYTES_MAX;

const SAFE: readonly string[] = ["GET", "HEAD", "OPTIONS"];

export interface ForwardedOptions {
  readonly ticket: Ticket;
  readonly endpoint: string;
  readonly limits: Pick<Limits, "bodyBytes" | "wallMs">;
  /** Of the registry, as of now. */
  readonly revision: () => number;
  /** Once: nothing is left to do. */
  readonly onOver: (forwarded: Forwarded) => void;
}

export class Forwarded {
  readonly ticket: Ticket;
  /** When it was given to a link that has nobody to send it to; the link's. */
  waitingSinceMs = 0;
  readonly #options: ForwardedOptions;
  readonly #deadlineMs: number;
  #over = false;
  #out: FrameWriter | null = null;
  #id = 0;
  #release: (() => void) | null = null;
  #tries = 0;
  #whole: Uint8Array | null = null;
  /** Its body is being given away. */
  #reading = false;
  #bodyHeld = false;
  #begun = false;
  #full = false;
  #overrun = 0;
  #socket: ForwardedSocket | null = null;

  constructor(options: ForwardedOptions) {
    const { ticket, limits } = options;
    const { exchange } = ticket;
    this.ticket = ticket;
    this.#options = options;
    this.#deadlineMs = ticket.startedMs + limits.wallMs + GRACE_MS;
    exchange.onGone(() => this.#gone());
    exchange.onDrained(() => {
      if (!this.#full) return;
      this.#full = false;
      this.#overrun = 0;
      this.#out?.push(OP.GO, this.#id);
    });
    if (!exchange.hasBody) return;
    exchange.limitBody(limits.bodyBytes);
    this.#whole = exchange.takeWholeBody();
  }

  /** Also when the listener has answered it: its body was too large. */
  get over(): boolean {
    return this.#over || (!this.#begun && this.ticket.exchange.state !== "open");
  }

  /** `release` is called when it needs no more of these frames. */
  send(out: FrameWriter, id: number, release: () => void): void {
    const { exchange } = this.ticket;
    this.#out = out;
    this.#id = id;
    this.#release = release;
    this.#tries++;
    const whole = this.#whole;
    const along = whole !== null && whole.byteLength <= WHOLE_BYTES_MAX;
    const text = packRequest({
      endpoint: this.#options.endpoint,
      revision: this.#options.revision(),
      requestId: exchange.requestId,
      method: exchange.method,
      url: exchange.url,
      host: exchange.host,
      authority: exchange.authority,
      scheme: exchange.scheme,
      address: exchange.remoteAddress(),
      asksSocket: exchange.upgrade !== null,
      entrypoint: exchange.entrypoint ?? "",
      protocol: exchange.protocol ?? "",
      body: !exchange.hasBody ? "none" : along ? "whole" : "later",
      headers: exchange.headers,
    });
    out.push(OP.REQUEST, id, text, along ? whole : undefined);
  }

  /** False: no cordon of this release sends this. */
  take(op: number, text: string, bytes: Uint8Array): boolean {
    switch (op) {
      case OP.REPLY:
        return this.#reply(text, bytes);
      case OP.BEGIN:
        return this.#begin(text);
      case OP.CHUNK:
        return this.#chunk(bytes);
      case OP.END:
      case OP.BROKEN:
        return this.#end(op, text);
      case OP.SOCKET_ACCEPT:
        return this.#becomeSocket(text);
      case OP.SOCKET_PART:
      case OP.SOCKET_TEXT:
      case OP.SOCKET_BYTES:
      case OP.SOCKET_CLOSE:
        return this.#socket?.take(op, text, bytes) ?? false;
      case OP.READ:
        return this.#read();
      case OP.BODY_HOLD:
        this.#bodyHeld = true;
        this.ticket.exchange.pauseBody();
        return true;
      case OP.BODY_GO:
        this.#bodyHeld = false;
        this.drained();
        return true;
      default:
        return false;
    }
  }

  /** The frames' socket takes more. */
  drained(): void {
    if (this.#reading && !this.#bodyHeld) this.ticket.exchange.resumeBody();
  }

  /** The cordon is gone. True: it may be sent once more. */
  lost(): boolean {
    this.#out = null;
    this.#release = null;
    if (this.over) return false;
    const { method } = this.ticket.exchange;
    const again = !this.#begun && !this.#reading && SAFE.includes(method);
    if (again && this.#tries < TRIES_MAX) return true;
    this.fail("WORKER_CRASH");
    return false;
  }

  expire(now: number, waitingMsMax: number): void {
    if (this.over) this.#settle();
    else if (this.#out === null) {
      if (now - this.waitingSinceMs > waitingMsMax) this.fail("WORKER_CRASH");
    } else if (!this.#begun && now > this.#deadlineMs) this.fail("HANDLER_TIMEOUT");
  }

  fail(code: Code): void {
    if (this.#over) return;
    this.#out?.push(OP.ABORT, this.#id);
    this.ticket.fail(code);
    this.#socket?.lost();
    this.#settle();
  }

  #gone(): void {
    if (this.#over) return;
    this.#out?.push(OP.ABORT, this.#id);
    this.#settle();
  }

  #settle(): void {
    if (this.#over) return;
    this.#over = true;
    this.#whole = null;
    this.#release?.();
    this.#options.onOver(this);
  }

  #reply(text: string, bytes: Uint8Array): boolean {
    const head = this.#begun ? null : parseHead(text);
    if (head === null) return false;
    this.ticket.answered(head.outcome);
    const body = bytes.byteLength === 0 ? null : bytes;
    this.ticket.exchange.reply(head.status, head.headers, body);
    this.#settle();
    return true;
  }

  #begin(text: string): boolean {
    const head = this.#begun ? null : parseHead(text);
    if (head === null) return false;
    this.#begun = true;
    this.#whole = null;
    this.ticket.answered(head.outcome);
    this.ticket.exchange.begin(head.status, head.headers);
    return true;
  }

  #becomeSocket(text: string): boolean {
    const { upgrade } = this.ticket.exchange;
    const [[outcomeText = "", bytesMax], headers] = splitLines(text, 2);
    const outcome = parseOutcome(outcomeText);
    const out = this.#out;
    if (this.#begun || upgrade === null || outcome === null || out === null) return false;
    this.#begun = true;
    this.ticket.answered(outcome);
    const socket = new ForwardedSocket({ id: this.#id, out, onClosed: () => this.#settle() });
    this.#socket = socket;
    if (!socket.open(upgrade, headers, Number(bytesMax))) this.#gone();
    return true;
  }

  #chunk(bytes: Uint8Array): boolean {
    if (!this.#begun || this.#socket !== null) return false;
    const isTaken = this.ticket.exchange.write(bytes);
    if (this.#full) {
      this.#overrun += bytes.byteLength;
      return this.#overrun <= OVERRUN_BYTES_MAX;
    }
    if (!isTaken) {
      this.#full = true;
      this.#out?.push(OP.HOLD, this.#id);
    }
    return true;
  }

  #end(op: number, text: string): boolean {
    const outcome = parseOutcome(text);
    if (outcome === null || (op === OP.END && !this.#begun)) return false;
    if (op === OP.END) this.ticket.exchange.finish();
    else this.ticket.fail(outcome === "drain_forced" ? "SHUTTING_DOWN" : "ISOLATE_FAILED");
    this.#socket?.lost();
    this.#settle();
    return true;
  }

  #read(): boolean {
    if (this.#reading || !this.ticket.exchange.hasBody) return false;
    this.#reading = true;
    const whole = this.#whole;
    this.#whole = null;
    if (whole === null) {
      this.ticket.exchange.readBody({
        chunk: (bytes) => this.#sendBody(bytes),
        end: () => this.#out?.push(OP.BODY_END, this.#id),
        fail: (message) => this.#out?.push(OP.BODY_FAIL, this.#id, message),
      });
    } else {
      this.#sendBody(whole);
      this.#out?.push(OP.BODY_END, this.#id);
    }
    return true;
  }

  #sendBody(bytes: Uint8Array): void {
    const out = this.#out;
    if (out === null || this.#over) return;
    for (let at = 0; at < bytes.byteLength; at += FRAME_BYTES_MAX) {
      out.push(OP.BODY, this.#id, "", bytes.subarray(at, at + FRAME_BYTES_MAX));
    }
    if (out.full) this.ticket.exchange.pauseBody();
  }
}

interface Head {
  readonly status: number;
  readonly outcome: Outcome;
  readonly headers: string;
}

const STATUS = /^[2-5][0-9][0-9]$/;

/** The listener leaves out header fields that could break a message apart, whoever they come from. */
function parseHead(text: string): Head | null {
  const [[status = "", outcomeText = ""], headers] = splitLines(text, 2);
  const outcome = parseOutcome(outcomeText);
  return outcome === null || !STATUS.test(status)
    ? null
    : { status: Number(status), outcome, headers };
}
