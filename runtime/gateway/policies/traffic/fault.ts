// Faults on purpose: some requests wait, some fail, so that callers show what they make of it.

import { setTimeout as delay } from "node:timers/promises";
import type { FaultPolicy } from "../../../../sdk/gateway/policies.ts";
import type { Policy } from "../../chain.ts";
import type { Pass } from "../../pass.ts";
import type { PolicyHost } from "../contract.ts";

/** That wait at once in this worker, over all routes; the next goes on at once. */
export const WAITING_MAX = 1_024;
let waiting = 0;

const MARK = "x-edge-fault\nabort\n";

export function createFault(policy: FaultPolicy, { random }: PolicyHost): Policy {
  const { header, delayShare, delayMs, abortShare, abortStatus } = policy;
  const abort = (pass: Pass): boolean => {
    if (abortShare === 0 || random() >= abortShare) return true;
    pass.ticket.exchange.reply(abortStatus, MARK, null);
    return false;
  };
  const wait = async (pass: Pass): Promise<boolean> => {
    waiting++;
    await delay(delayMs);
    waiting--;
    return pass.exchange.state === "open" && abort(pass);
  };
  return {
    onRequest(pass) {
      if (header !== "" && pass.exchange.header(header) === undefined) return true;
      const waits = delayShare > 0 && waiting < WAITING_MAX && random() < delayShare;
      return waits ? wait(pass) : abort(pass);
    },
  };
}
