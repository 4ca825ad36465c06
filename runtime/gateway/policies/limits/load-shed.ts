// Refuses with 503 while this worker cannot keep up, the less important routes first: what is refused at once costs
// next to nothing, and leaves the time to others.

import type { LoadShedPolicy, Priority } from "../../../../sdk/gateway/policies.ts";
import type { Policy } from "../../chain.ts";
import type { PolicyHost } from "../contract.ts";

/** How many times `maxLagMs` a route of that priority bears. */
const BEARS: Readonly<Record<Priority, number>> = { low: 1, normal: 2, high: 4 };

export function createLoadShed(policy: LoadShedPolicy, host: Pick<PolicyHost, "lag">): Policy {
  const meter = host.lag();
  const limitMs = policy.maxLagMs * BEARS[policy.priority];
  return {
    onRequest(pass) {
      if (meter.lagMs < limitMs) return true;
      pass.ticket.fail("OVERLOADED");
      return false;
    },
  };
}
