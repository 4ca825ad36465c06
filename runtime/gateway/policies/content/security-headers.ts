// What browsers should keep to, said with every reply that does not say it itself.

import { headerOf, withoutHeaders } from "../../../../sdk/gateway/header-list.ts";
import type { SecurityHeadersPolicy } from "../../../../sdk/gateway/policies.ts";
import type { Policy } from "../../chain.ts";
import type { Pass } from "../../pass.ts";

/** A browser takes it over TLS only (RFC 6797, section 7.2). */
const HSTS = "strict-transport-security";

export function createSecurityHeaders({ set, remove }: SecurityHeadersPolicy): Policy {
  const gone = new Set(remove);
  return {
    onReply(pass, head) {
      const list = withoutHeaders(head.headers, gone);
      let added = "";
      for (const [name, value] of set) {
        if (name === HSTS && !isSecure(pass)) continue;
        if (headerOf(list, name) === undefined) added += `${name}\n${value}\n`;
      }
      head.headers = list + added;
    },
  };
}

function isSecure({ exchange, trusted }: Pass): boolean {
  if (exchange.scheme === "https") return true;
  const said = exchange.header("x-forwarded-proto");
  return said === "https" && trusted(exchange.remoteAddress());
}
