// The id that a request came with takes the place of the node's own, in logs, in replies and for those behind. Two
// requests may then have one id: whoever may choose it is to be trusted with that.

import type { RequestIdPolicy } from "../../../../sdk/gateway/policies.ts";
import type { Policy } from "../../chain.ts";

/** What needs no escaping in any log or header. */
export const REQUEST_ID_CHARS_MAX = 128;
const ID = /^[\w.~:+/=@-]+$/;

export function createRequestId({ accept, header }: RequestIdPolicy): Policy {
  if (accept === "none") return {};
  return {
    onRequest({ exchange, trusted }) {
      const id = exchange.header(header);
      if (id === undefined || id.length > REQUEST_ID_CHARS_MAX || !ID.test(id)) return true;
      if (accept === "all" || trusted(exchange.remoteAddress())) exchange.adoptRequestId?.(id);
      return true;
    },
  };
}
