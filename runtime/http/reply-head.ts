// The head of a reply: which of the handler's headers go out as they are, and how.

import { STATUS_CODES } from "node:http";
import type { HeaderList } from "../../sdk/exchange.ts";

/**
 * Framing, the connection and the request's id belong to the listener, and both listeners write Date themselves.
 * Content-Length is read (it frames a streamed reply and is what HEAD reports) and then written by the listener,
 * once.
 */
function isOwn(name: string): boolean {
  // By length first: handlers' usual names never get as far as a comparison.
  switch (name.length) {
    case 4:
      return name === "date";
    case 7:
      return name === "trailer" || name === "upgrade";
    case 10:
      return name === "connection" || name === "keep-alive";
    case 12:
      return name === "x-request-id";
    case 14:
      return name === "content-length";
    case 16:
      return name === "proxy-connection";
    case 17:
      return name === "transfer-encoding";
    default:
      return false;
  }
}

/** Tokens and printable ASCII throughout: what nearly every reply has, so that no field is looked at alone. */
const PLAIN_LIST = /^(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+\n[\t -~]*\n)*$/;
const PLAIN_VALUE = /^[\t -~]*$/;
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** What a value may hold on the wire: no control characters but the tab, one byte per character. */
const VALUE = /^[\t -~\x80-\xff]*$/;

export interface ReplyHead {
  /** Handler's Content-Length, or -1. */
  length: number;
  /** All plain fields in one piece, as on the wire: each begins with a line break. */
  lines: string;
  /** Fields with bytes beyond ASCII, name and value in turns. */
  odd: string[] | null;
}

/**
 * Sorts a list into `head`, which the caller owns and may use again. A field that could break the message
 * apart is left out: the list comes from a handler, which is not trusted.
 */
export function readReplyHead(list: HeaderList, head: ReplyHead): void {
  head.length = -1;
  head.lines = "";
  head.odd = null;
  const plain = PLAIN_LIST.test(list);
  for (let at = 0; at < list.length;) {
    const nameEnd = list.indexOf("\n", at);
    const valueEnd = list.indexOf("\n", nameEnd + 1);
    if (nameEnd < 0 || valueEnd < 0) return;
    const name = list.slice(at, nameEnd);
    const value = list.slice(nameEnd + 1, valueEnd);
    at = valueEnd + 1;
    if (isOwn(name)) {
      if (name === "content-length") head.length = parseLength(value);
      continue;
    }
    if (!plain && !(NAME.test(name) && VALUE.test(value))) continue;
    if (!plain && !PLAIN_VALUE.test(value)) (head.odd ??= []).push(name, value);
    else head.lines += `\r\n${name}: ${value}`;
  }
}

/** The same for a listener that writes field by field: names and values in turns. */
export function replyFields(list: HeaderList): {
  readonly length: number;
  readonly fields: string[];
} {
  const head: ReplyHead = { length: -1, lines: "", odd: null };
  readReplyHead(list, head);
  const fields: string[] = head.odd ?? [];
  for (const line of head.lines.split("\r\n").slice(1)) {
    const colon = line.indexOf(": ");
    fields.push(line.slice(0, colon), line.slice(colon + 2));
  }
  return { length: head.length, fields };
}

function parseLength(value: string): number {
  return /^[0-9]{1,15}$/.test(value) ? Number(value) : -1;
}

/** By status: "404 Not Found". */
export const STATUS_LINES: readonly string[] = Array.from(
  { length: 600 },
  (_, status) => `${status} ${STATUS_CODES[status] ?? "Unknown"}`,
);

export function hasNoBody(status: number): boolean {
  return status === 204 || status === 304;
}
