// From the guest's RESPONSE record to the exchange: checks every value that crosses, and lets reply streams
// flow only as fast as the socket takes them.

import { BODY } from "../../sdk/bridge.ts";
import { HEADER_BYTES_MAX } from "../../sdk/limits.ts";
import type { Exchange, HeaderList } from "../../sdk/exchange.ts";

export interface ReplyHead {
  readonly status: number;
  readonly kind: string;
  readonly headers: HeaderList;
  readonly text: string;
}

/** Pairs of lines; names are tokens in lower case, values have no control characters but tab. */
const HEADERS = /^(?:[!#$%&'*+\-.^_`|~0-9a-z]+\n[\t\x20-\x7e\x80-\xff]*\n)*$/;

/** null when the record is not what an honest guest sends; "large" when it has more headers than a reply may. */
export type ParseHead = (payload: string) => ReplyHead | "large" | null;

/** The host sets it on every reply; a handler cannot speak for it. */
const REQUEST_ID = "x-request-id";

/** Remembers the last header list it found good: most handlers send the same one each time. */
export function createHeadParser(): ParseHead {
  let lastRaw = "";
  let lastGood = "";
  return (payload) => {
    const statusEnd = payload.indexOf("\n");
    const status = Number(payload.slice(0, statusEnd));
    if (!Number.isInteger(status) || status < 200 || status > 599) return null;
    const kind = payload.charAt(statusEnd + 1);
    const headersAt = statusEnd + 3;
    const headersEnd = kind === BODY.TEXT ? payload.indexOf("\0", headersAt) : payload.length;
    if (headersEnd < 0) return null;
    const raw = payload.slice(headersAt, headersEnd);
    // Before the pattern, which could run out of stack.
    if (raw.length > HEADER_BYTES_MAX) return "large";
    if (raw !== lastRaw) {
      if (!HEADERS.test(raw)) return null;
      lastGood = raw.includes(REQUEST_ID) ? withoutRequestId(raw) : raw;
      lastRaw = raw;
    }
    const text = kind === BODY.TEXT ? payload.slice(headersEnd + 1) : "";
    return { status, kind, headers: lastGood, text };
  };
}

function withoutRequestId(headers: HeaderList): HeaderList {
  const lines = headers.split("\n");
  let kept = "";
  // By pairs: a value may be that name as well, as in access-control-expose-headers.
  for (let i = 0; i + 1 < lines.length; i += 2) {
    if (lines[i] !== REQUEST_ID) kept += `${lines[i] ?? ""}\n${lines[i + 1] ?? ""}\n`;
  }
  return kept;
}

/** Bytes after which credit is given back: fewer crossings than one per chunk, well below the guest's window. */
const GRANT_BYTES = 64 * 1024;

export class ReplyStream {
  readonly #exchange: Exchange;
  readonly #grant: (bytes: number) => void;
  #owed = 0;
  #full = false;

  constructor(exchange: Exchange, grant: (bytes: number) => void) {
    this.#exchange = exchange;
    this.#grant = grant;
    exchange.onDrained(() => {
      this.#full = false;
      this.#settle();
    });
  }

  write(bytes: ArrayBuffer): void {
    this.#owed += bytes.byteLength;
    if (!this.#exchange.write(new Uint8Array(bytes))) this.#full = true;
    if (this.#owed >= GRANT_BYTES) this.#settle();
  }

  #settle(): void {
    if (this.#full || this.#owed === 0) return;
    const bytes = this.#owed;
    this.#owed = 0;
    this.#grant(bytes);
  }
}

/** A THROWN record as people read it: the stack, which begins with name and message, or those two. */
export function thrownText(payload: string): string {
  const nameEnd = payload.indexOf("\n");
  const messageEnd = payload.indexOf("\n", nameEnd + 1);
  const nameAt = messageEnd + 1;
  const messageAt = nameAt + Number(payload.slice(0, nameEnd));
  const stackAt = messageAt + Number(payload.slice(nameEnd + 1, messageEnd));
  const stack = payload.slice(stackAt);
  if (stack !== "") return stack;
  return `${payload.slice(nameAt, messageAt)}: ${payload.slice(messageAt, stackAt)}`;
}
