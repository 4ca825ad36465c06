// A smaller body than the node's own limit. One that announces more is refused before it is read; one that turns out
// to be more is refused by the listener, or ends the request to the upstream when a part was sent on already.

import type { Policy } from "../../chain.ts";

export function createBodyLimit(bytesMax: number): Policy {
  return {
    onRequest(pass) {
      pass.bodyBytesMax = Math.min(pass.bodyBytesMax, bytesMax);
      const length = pass.exchange.hasBody ? pass.exchange.header("content-length") : undefined;
      if (length === undefined || Number(length) <= bytesMax) return true;
      pass.ticket.fail("BODY_TOO_LARGE");
      return false;
    },
  };
}
