// An occurrence of a cron in this worker, which the supervisor has chosen for it.

import type { Scheduled, ScheduledEnd } from "../../../sdk/schedule/schedule.ts";
import type { Slot } from "../endpoints.ts";
import type { Observers } from "../request-ticket.ts";
import { sendEvent, takesEvents } from "./event.ts";

/** null: the endpoint does not run here, and nothing has begun. */
export async function runScheduled(
  slot: Slot | undefined,
  { cron, scheduledTime }: Scheduled,
  observers: Observers,
): Promise<ScheduledEnd | null> {
  if (slot === undefined || !takesEvents(slot)) return null;
  const begunMs = performance.now();
  const event = { name: "scheduled", text: JSON.stringify({ cron, scheduledTime }) };
  const path = `/${cron.replaceAll(" ", "_")}`;
  const { outcome, returned } = await sendEvent(slot, event, { path, observers });
  return {
    outcome: outcome === "ok" && !returned ? "HANDLER_EXCEPTION" : outcome,
    durationMs: Math.round(performance.now() - begunMs),
  };
}
