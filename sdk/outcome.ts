// How a request ended. Exactly one per request, decided in one place (runtime/worker), written to the
// access log and counted. Failures carry the code of the reply.

import { isCode, type Code } from "./errors.ts";

export type Outcome =
  /** The handler (or the gateway itself) answered, whatever the status. */
  | "ok"
  /** The client went away before the reply was complete; logged as status 499. */
  | "client_abort"
  /** Cut off because a drain ran out of time. */
  | "drain_forced"
  /** A reply had begun and its stream failed. */
  | "stream_failed"
  | Code;

/** null: not the name of an outcome. */
export function parseOutcome(text: string): Outcome | null {
  switch (text) {
    case "ok":
    case "client_abort":
    case "drain_forced":
    case "stream_failed":
      return text;
    default:
      return isCode(text) ? text : null;
  }
}
