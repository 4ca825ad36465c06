// Refuses with 429 what would be more than so many open requests of a key at once, counted over all workers of the
// node. A place is given back when the exchange is over, however it ends.

import type { ConcurrencyPolicy } from "../../../../sdk/gateway/policies.ts";
import type { Policy } from "../../chain.ts";
import type { Pass } from "../../pass.ts";
import type { PolicyHost } from "../contract.ts";
import { createKey } from "./key.ts";

export type ConcurrencyHost = Pick<PolicyHost, "inFlight" | "route">;

const LATER = "retry-after\n1\n";

export function createConcurrency(policy: ConcurrencyPolicy, host: ConcurrencyHost): Policy {
  const { id, max, queueMax, timeoutMs } = policy;
  const keyOf = createKey(policy.key, host.route);
  const { open, waiting } = host.inFlight();
  const hold = (pass: Pass, key: string): true => {
    pass.ticket.whenDone(() => {
      open.give(key);
      waiting.freed(key);
    });
    return true;
  };
  const refuse = (pass: Pass): false => {
    pass.ticket.fail("CONCURRENCY_LIMITED", undefined, LATER);
    return false;
  };
  const later = async (pass: Pass, key: string, isIn: Promise<boolean>): Promise<boolean> =>
    (await isIn) ? hold(pass, key) : refuse(pass);
  return {
    onRequest(pass) {
      const key = `${id}\n${keyOf(pass)}`;
      if ((queueMax === 0 || !waiting.has(key)) && open.take(key, max)) return hold(pass, key);
      const isIn = waiting.wait(pass, { id, key, max, queueMax, timeoutMs });
      return isIn === false ? refuse(pass) : later(pass, key, Promise.resolve(isIn));
    },
  };
}
