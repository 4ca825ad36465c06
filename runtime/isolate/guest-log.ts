// Log lines of a handler, within what one request may write.

import { LOG_LINE_BYTES_MAX, logCost } from "../../sdk/limits.ts";
import type { JsonObject } from "../../sdk/errors.ts";
import type { Job } from "./jobs/job.ts";

/** `payload`: of a LOG record. */
export function takeLog(job: Job | undefined, payload: string, bytesMax: number): void {
  if (job === undefined) return;
  const levelEnd = payload.indexOf("\n");
  const [level = "", size = "0"] = payload.slice(0, levelEnd).split(" ", 2);
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
    return;
  }
  const fields = size === "0" ? null : parseFields(text.slice(0, Number(size)));
  if (fields === null) job.ticket.log(level, text);
  else job.ticket.log(level, text.slice(Number(size)), fields);
}

/** null: what no honest guest says. */
function parseFields(text: string): JsonObject | null {
  try {
    const fields: unknown = JSON.parse(text);
    const isObject = typeof fields === "object" && fields !== null && !Array.isArray(fields);
    return isObject ? (fields as JsonObject) : null;
  } catch {
    return null;
  }
}
