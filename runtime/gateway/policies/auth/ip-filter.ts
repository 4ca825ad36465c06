// Lets through by address. Denied networks win; with allowed ones, everybody else is refused.

import { createNetworkTest } from "../../../../sdk/gateway/cidr.ts";
import type { Policy } from "../../chain.ts";

export function createIpFilter({
  allow,
  deny,
}: {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}): Policy {
  const isAllowed = allow.length === 0 ? () => true : createNetworkTest(allow);
  const isDenied = createNetworkTest(deny);
  return {
    onRequest(pass) {
      const { address } = pass;
      if (isAllowed(address) && !isDenied(address)) return true;
      pass.ticket.fail("ADDRESS_DENIED");
      return false;
    },
  };
}
