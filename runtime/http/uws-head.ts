// Status line and headers of a reply on uWS.

import type { HeaderList } from "../../sdk/exchange.ts";
import { readReplyHead, STATUS_LINES, type ReplyHead } from "./reply-head.ts";
import type { UwsResponse } from "./uws.ts";

/** Of the list that was read last: most replies have the list of the one before. */
const head: ReplyHead = { length: -1, lines: "", odd: null };
let headOf: HeaderList = "";

/** Answers with the handler's Content-Length or -1. */
export function writeHead(
  res: UwsResponse,
  status: number,
  headers: HeaderList,
  requestId: string,
): number {
  if (headers !== headOf) {
    headOf = headers;
    readReplyHead(headOf, head);
  }
  if (status !== 200) res.writeStatus(STATUS_LINES[status] ?? `${status} Unknown`);
  // One call for all fields: each crosses into the addon.
  res.writeHeader("x-request-id", requestId + head.lines);
  const odd = head.odd;
  if (odd !== null) {
    for (let i = 0; i + 1 < odd.length; i += 2) {
      res.writeHeader(odd[i] ?? "", Buffer.from(odd[i + 1] ?? "", "latin1"));
    }
  }
  return head.length;
}
