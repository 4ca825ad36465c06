// From the guest's RESPONSE record to the exchange: checks every value that crosses, and lets reply streams
// flow only as fast as the socket takes them.

import { BODY, chunkCredit, readNumber } from "../../sdk/bridge.ts";
import { HEADER_BYTES_MAX } from "../../sdk/limits.ts";
import type { Exchange, HeaderList } from "../../sdk/exchange.ts";
import type { Held } from "./held.ts";
import type { Ticket } from "./ticket.ts";

export interface ReplyHead {
  readonly status: number;
  readonly kind: string;
  readonly headers: HeaderList;
  readonly text: string;
}

/** Pairs of lines; names are tokens in lower case, values have no control characters but tab. */
const HEADERS = /^(?:[!#$%&'*+\-.^_`|~0-9a-z]+\n[\t\x20-\x7e\x80-\xff]*\n)*$/;

const SWITCHING = 101;
const SHORT_BYTES_MAX = 64 * 1024;
/** Of one UTF-16 unit. */
const UTF8_BYTES_MAX = 3;
const LINE_FEED = 10;
/** Behind the status, the kind and a line feed after each. */
const HEADERS_AT = 6;

/** null when the record is not what an honest guest sends; "large" when it has more headers than a reply may. */
export type ParseHead = (payload: string) => ReplyHead | "large" | null;

/** Remembers the last header list it found good: most handlers send the same one each time. */
export function createHeadParser(): ParseHead {
  let last = "";
  return (payload) => {
    const status = readNumber(payload, 0, 3);
    if (status < 200 ? status !== SWITCHING : status > 599) return null;
    if (payload.charCodeAt(3) !== LINE_FEED || payload.charCodeAt(5) !== LINE_FEED) return null;
    const kind = payload.charAt(4);
    if ((status === SWITCHING) !== (kind === BODY.SOCKET)) return null;
    const isText = kind === BODY.TEXT;
    const headersEnd = isText ? payload.indexOf("\0", HEADERS_AT) : payload.length;
    if (headersEnd < 0) return null;
    const headers = payload.slice(HEADERS_AT, headersEnd);
    if (headers !== last) {
      // Before the pattern, which could run out of stack.
      if (headers.length > HEADER_BYTES_MAX) return "large";
      if (!HEADERS.test(headers)) return null;
      last = headers;
    }
    const text = isText ? payload.slice(headersEnd + 1) : "";
    return { status, kind, headers: last, text };
  };
}

/** After so much of it credit is given back: fewer crossings than one per chunk, well below the guest's window. */
const GRANT_MIN = 64 * 1024;

export class ReplyStream {
  readonly #exchange: Exchange;
  readonly #whenDone: Ticket["whenDone"];
  readonly #held: Held;
  readonly #grant: (credit: number) => void;
  /** All that was sent so far. */
  bytes = 0;
  /** Bytes that the socket may not have taken yet, and the credit that is given back when it has. */
  #owed = 0;
  #credit = 0;
  #full = false;

  constructor(
    ticket: Pick<Ticket, "exchange" | "whenDone">,
    held: Held,
    grant: (credit: number) => void,
  ) {
    const { exchange } = ticket;
    this.#exchange = exchange;
    this.#whenDone = (listener) => ticket.whenDone(listener);
    this.#held = held;
    this.#grant = grant;
    exchange.onDrained(() => {
      this.#full = false;
      this.#settle();
    });
  }

  /** False, and nothing is written, when too much waits for readers already. */
  write(bytes: ArrayBuffer): boolean {
    if (!this.#held.take(bytes.byteLength)) return false;
    this.bytes += bytes.byteLength;
    this.#owed += bytes.byteLength;
    this.#credit += chunkCredit(bytes.byteLength);
    if (!this.#exchange.write(new Uint8Array(bytes))) this.#full = true;
    if (this.#credit >= GRANT_MIN) this.#settle();
    return true;
  }

  /** No more comes. What the socket has not taken is held until it has. */
  close(): void {
    const bytes = this.#owed;
    this.#owed = 0;
    if (bytes > 0) this.#whenDone(() => this.#held.give(bytes));
  }

  #settle(): void {
    if (this.#full || this.#credit === 0) return;
    const [bytes, credit] = [this.#owed, this.#credit];
    this.#owed = this.#credit = 0;
    this.#held.give(bytes);
    this.#grant(credit);
  }
}

/** Counts the text only where it could be too long: most are shorter by far. */
export function isLarger(text: string, bytes: ArrayBuffer | null, bytesMax: number): boolean {
  if (bytes !== null) return bytes.byteLength > bytesMax;
  return text.length > bytesMax / UTF8_BYTES_MAX && Buffer.byteLength(text) > bytesMax;
}

/** What a whole reply holds until its reader has taken it; shorter ones go to the socket at once. */
export function heldOf({ text }: ReplyHead, bytes: ArrayBuffer | null): number {
  const size = bytes === null ? text.length : bytes.byteLength;
  return size > SHORT_BYTES_MAX ? size : 0;
}

/** A THROWN record as people read it: the stack, which begins with name and message, or those two. */
export function thrownText(payload: string): string {
  const nameEnd = payload.indexOf("\n");
  const messageEnd = payload.indexOf("\n", nameEnd + 1);
  const nameAt = messageEnd + 1;
  const messageAt = nameAt + Number(payload.slice(0, nameEnd));
  const stackAt = messageAt + Number(payload.slice(nameEnd + 1, messageEnd));
  const stack = payload.slice(stackAt);
  const message = payload.slice(messageAt, stackAt);
  if (stack !== "" && stack.includes(message)) return stack;
  // A DOMException's stack does not tell its message.
  const framesAt = stack.indexOf("\n    at ");
  return `${payload.slice(nameAt, messageAt)}: ${message}${framesAt < 0 ? "" : stack.slice(framesAt)}`;
}
