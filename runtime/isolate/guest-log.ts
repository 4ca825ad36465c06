// Log lines of a handler, within what one request may write.

import { LOG_LINE_BYTES_MAX, logCost } from "../../sdk/limits.ts";
import type { Job } from "./jobs/job.ts";

/** `payload`: of a LOG record, level \n text. */
export function takeLog(job: Job | undefined, payload: string, bytesMax: number): void {
  if (job === undefined) return;
  const levelEnd = payload.indexOf("\n");
  const level = payload.slice(0, levelEnd);
  let text = payload.slice(levelEnd + 1);
  const before = job.logBytes;
  job.logBytes += logCost(text.length);
  if (text.length > LOG_LINE_BYTES_MAX) text = `${text.slice(0, LOG_LINE_BYTES_MAX)}… (cut)`;
  if (before > bytesMax) return;
  if (job.logBytes > bytesMax) {
    job.ticket.log(
      "warn",
      `Further log lines of this request were dropped (limit logBytes: ${bytesMax}).`,
    );
  } else job.ticket.log(level, text);
}
