// A limit of time for the whole exchange, on the way to an upstream.

import type { Policy } from "../../chain.ts";

export function createTimeout(totalMs: number): Policy {
  return {
    onRequest(pass) {
      pass.totalMs = totalMs;
      return true;
    },
  };
}
