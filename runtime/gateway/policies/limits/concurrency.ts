// Refuses with 429 what would be more than so many open requests of a key at once, counted over all workers of the
// node, or in a store that several nodes share. A place is given back when the exchange is over, however it ends.

import type { ConcurrencyPolicy } from "../../../../sdk/gateway/policies.ts";
import type { Policy } from "../../chain.ts";
import type { Pass } from "../../pass.ts";
import type { PolicyHost } from "../contract.ts";
import type { LimitStore } from "../../shared/limit-stores.ts";
import { createKey } from "./key.ts";
import { withoutStore } from "./rate-limit.ts";

export type ConcurrencyHost = Pick<PolicyHost, "inFlight" | "route" | "stores">;

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
  const later = async (pass: Pass, key: string, isIn: Promise<boolean>): Promise<boolean> =>
    (await isIn) ? hold(pass, key) : refuse(pass);
  const local = (pass: Pass, key: string): boolean | Promise<boolean> => {
    if ((queueMax === 0 || !waiting.has(key)) && open.take(key, max)) return hold(pass, key);
    const isIn = waiting.wait(pass, { id, key, max, queueMax, timeoutMs });
    return isIn === false ? refuse(pass) : later(pass, key, Promise.resolve(isIn));
  };
  const store = host.stores.named(policy.store);
  return {
    onRequest(pass) {
      const key = `${id}\n${keyOf(pass)}`;
      if (store === undefined) return local(pass, key);
      return holdInStore(pass, store, { key, max }, () => local(pass, key));
    },
  };
}

async function holdInStore(
  pass: Pass,
  store: LimitStore,
  { key, max }: { readonly key: string; readonly max: number },
  local: () => boolean | Promise<boolean>,
): Promise<boolean> {
  const place = await store.hold(key, max);
  if (place === "away") return withoutStore(pass, store, local);
  if (place === null) return refuse(pass);
  // At once, if the client has left meanwhile.
  pass.ticket.whenDone(place);
  return true;
}

function refuse(pass: Pass): false {
  pass.ticket.fail("CONCURRENCY_LIMITED", undefined, LATER);
  return false;
}
