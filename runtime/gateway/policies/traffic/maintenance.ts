// Closed for all but those who look after it.

import { createNetworkTest } from "../../../../sdk/gateway/cidr.ts";
import type { MaintenancePolicy } from "../../../../sdk/gateway/policies.ts";
import type { Policy } from "../../chain.ts";

export function createMaintenance({ enabled, allow, retryAfterSec }: MaintenancePolicy): Policy {
  if (!enabled) return {};
  const mayPass = createNetworkTest(allow);
  return {
    onRequest(pass) {
      if (mayPass(pass.address)) return true;
      pass.ticket.fail("MAINTENANCE", undefined, `retry-after\n${retryAfterSec}\n`);
      return false;
    },
  };
}
