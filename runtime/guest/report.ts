// Where exceptions go that no caller can catch: thrown by a timer, a listener or a microtask. First to the
// "error" listeners of globalThis, then, unless one of them prevents it, to the log.

import { inspectError } from "./inspect.ts";
import type { Port } from "./port.ts";

let port: Port | null = null;
let dispatch: ((thrown: unknown) => boolean) | null = null;
/** An error thrown while one is being reported goes to the log alone, so that listeners cannot loop. */
let reporting = false;

export function thawReport(thawed: Port): void {
  port = thawed;
}

/** `handler` tells listeners and returns true when one of them prevented the default. */
export function onReport(handler: (thrown: unknown) => boolean): void {
  dispatch = handler;
}

export function reportException(thrown: unknown): void {
  if (!reporting && dispatch !== null) {
    reporting = true;
    try {
      if (dispatch(thrown)) return;
    } finally {
      reporting = false;
    }
  }
  port?.log("error", `Uncaught ${inspectError(thrown)}`);
}

export function reportError(thrown: unknown): void {
  if (arguments.length === 0) throw new TypeError("reportError requires an argument");
  reportException(thrown);
}
