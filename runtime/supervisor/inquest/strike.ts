// From a worker's death to the record of the version that caused it.

import type { RestartReason } from "../../../sdk/node.ts";
import type { Culprit } from "../../link/messages.ts";
import type { Log } from "../../observe/log.ts";
import type { ControlPlane } from "../control-plane.ts";

export interface Found {
  readonly plane: Pick<ControlPlane, "control">;
  readonly log: Log;
  readonly culprit: Culprit;
  readonly reason: RestartReason;
}

export async function strike({ plane, log, culprit, reason }: Found): Promise<void> {
  const { endpoint, version } = culprit;
  try {
    const verdict = await plane.control.strike(endpoint, { version, reason });
    if (verdict.strikes === 0) return;
    const text = verdict.quarantined
      ? "is quarantined: it brought down too many workers"
      : "brought down a worker";
    const level = verdict.quarantined ? "error" : "warn";
    const strikes = verdict.strikes;
    log.write(level, `${endpoint} ${text}.`, { endpoint, version, reason, strikes });
  } catch (error) {
    log.write("error", `A strike could not be recorded: ${String(error)}`, { endpoint, version });
  }
}
