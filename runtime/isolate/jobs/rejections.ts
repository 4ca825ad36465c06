// What becomes of promises of the guest's that were rejected and that nobody handled: a line of the log, or an event
// in the guest where something listens to it (runtime/guest/events/rejections.ts), which then logs.

import { CELL } from "../../../sdk/bridge.ts";
import { LOG_LINE_BYTES_MAX } from "../../../sdk/limits.ts";
import { takeLog } from "../guest-log.ts";
import { rejectedError, rejectionText } from "../slice/fault.ts";
import type { OpenJobs } from "./open-jobs.ts";

/**
 * Events between two requests that are for none: their time is nobody's, and a listener may leave rejected promises
 * behind itself.
 */
export const STRAYS_MAX = 8;

/** `id`: 0 for no request; it may be over. */
export type TellRejection = (id: number, payload: string) => void;

export class Rejections {
  readonly #jobs: OpenJobs;
  readonly #logBytesMax: number;
  readonly #tell: TellRejection;
  #cell: Int32Array | null = null;
  #strays = 0;

  constructor(jobs: OpenJobs, logBytesMax: number, tell: TellRejection) {
    this.#jobs = jobs;
    this.#logBytesMax = logBytesMax;
    this.#tell = tell;
  }

  attach(cells: SharedArrayBuffer): void {
    this.#cell = new Int32Array(cells);
  }

  /** Another request comes in. */
  accepted(): void {
    this.#strays = 0;
  }

  /** `ids`: whose code ran. */
  take(ids: readonly number[], reason: unknown): void {
    const isOpen = (id: number): boolean => this.#jobs.has(id);
    // The pool tells of it when the reply may be out.
    const id = ids.find(isOpen) ?? ids.find((one) => this.#jobs.lately(one) !== undefined) ?? 0;
    if (this.#cell?.[CELL.LISTENS] !== 1) {
      const line = `error\nUnhandled rejection: ${rejectionText(reason)}`;
      takeLog(this.#jobs.lately(id), line, this.#logBytesMax);
    } else if (isOpen(id) || this.#strays++ < STRAYS_MAX) this.#tell(id, payloadOf(reason));
  }
}

function payloadOf(reason: unknown): string {
  const text = cut(rejectionText(reason));
  if (reason instanceof Error) {
    const { name, message, stack } = rejectedError(reason);
    return JSON.stringify({
      text,
      error: { name, message: cut(message), stack: cut(stack) },
    });
  }
  if (typeof reason === "object" && reason !== null) return JSON.stringify({ text, value: {} });
  const isPlain = typeof reason !== "bigint" && typeof reason !== "symbol";
  const value = isPlain ? reason : reason.toString();
  return JSON.stringify({ text, value: typeof value === "string" ? cut(value) : value });
}

function cut(text: string): string {
  return text.length > LOG_LINE_BYTES_MAX ? text.slice(0, LOG_LINE_BYTES_MAX) : text;
}
