// One request on its way through an isolate, as the worker hands it over. Whoever holds the ticket decides its
// outcome exactly once: `answered` when the handler's reply was taken, `fail` for everything else.

import type { Code } from "../../sdk/errors.ts";
import type { Exchange } from "../../sdk/exchange.ts";
import type { Outcome } from "../../sdk/outcome.ts";

export interface Usage {
  readonly cpuUs: number;
  readonly slices: number;
  /** Where the CPU time went, as frames of a stack; "" when that is not known. */
  readonly burned: string;
}

export interface Ticket {
  readonly exchange: Exchange;
  /** On the monotonic clock (performance.now); its time limit counts from here. */
  readonly startedMs: number;
  /** Sends the problem reply if nothing was sent yet, else breaks the reply off; fixes the outcome. */
  fail(code: Code, logged?: string): void;
  answered(outcome: Outcome): void;
  /** What a request that came near its limits has used; before `fail` or `answered`. */
  used(usage: Usage): void;
  /** Runs once the reply is out or never will be; at once where that is so already. One listener. */
  whenDone(listener: () => void): void;
  /** A log line of the handler. */
  log(level: string, text: string): void;
}
