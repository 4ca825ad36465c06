// What a handler's `scheduled` method gets, as Workers' ScheduledController. Text from the host:
//
//   { cron, scheduledTime }
//
// Outcome: nothing but that the method returned. A run that failed is not repeated, so noRetry() has nothing to do.

import { exposeInterface } from "../interface.ts";
import type { IncomingEvent } from "../port.ts";

/** Only what is made here has it. */
const INTERNAL = {};
const parse = JSON.parse;

class ScheduledController {
  readonly #cron: string;
  readonly #scheduledTime: number;

  constructor(internal: unknown, cron: string, scheduledTime: number) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    this.#cron = cron;
    this.#scheduledTime = scheduledTime;
  }

  get cron(): string {
    return this.#cron;
  }

  /** Of the occurrence, not of the moment. */
  get scheduledTime(): number {
    return this.#scheduledTime;
  }

  get type(): string {
    return "scheduled";
  }

  noRetry(): void {}
}

exposeInterface(ScheduledController, "ScheduledController");

export function createScheduledEvent(text: string): IncomingEvent {
  const { cron, scheduledTime } = parse(text) as { cron: string; scheduledTime: number };
  return {
    argument: new ScheduledController(INTERNAL, cron, scheduledTime),
    outcome: () => "",
  };
}
