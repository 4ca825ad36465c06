// What happens to a handler beside requests, by the name of the method that is called for it. To add one: a file here
// that makes the method's argument of the host's text, and its name in boot.ts.

import type { IncomingEvent } from "../port.ts";
import { createPolicyEvent } from "./policy.ts";
import { createQueueEvent } from "./queue-batch.ts";
import { createScheduledEvent } from "./scheduled.ts";

export function createEvent(name: string, text: string, handler: unknown): IncomingEvent | null {
  switch (name) {
    case "queue":
      return createQueueEvent(text);
    case "onRequest":
    case "onResponse":
    case "onError":
      return createPolicyEvent(name, text, handler);
    case "scheduled":
      return createScheduledEvent(text);
    default:
      return null;
  }
}
