// What went wrong when a mail was sent: whether it may be sent again, and as what the caller is told.

import { EdgeError, type Code } from "../../sdk/errors.ts";
import type { EmailConfig } from "../../sdk/services/config.ts";

/** Of the server's words in a message. */
const WORDS_MAX = 300;

/** What nodemailer's errors say beside the message. */
export interface Failure {
  readonly code?: string | undefined;
  readonly responseCode?: number | undefined;
  readonly response?: string | undefined;
  readonly message?: string | undefined;
}

export interface Attempt {
  /** Whether the server was given anything of the mail itself. */
  hasBegun: () => boolean;
}

/** The server said "not now" to the mail, or was not there before it was given any of it. */
export function isSafeToRetry({ responseCode, code }: Failure, attempt: Attempt): boolean {
  if (responseCode !== undefined) return responseCode >= 400 && responseCode < 500 && !isAuth(code);
  return isConnection(code) && !attempt.hasBegun();
}

function isAuth(code: string | undefined): boolean {
  return code === "EAUTH" || code === "ENOAUTH";
}

function isConnection(code: string | undefined): boolean {
  return code === "ECONNECTION" || code === "ETIMEDOUT" || code === "ESOCKET" || code === "EDNS";
}

/** `attempt` is null where no mail was to be sent. */
export function explain(failure: Failure, attempt: Attempt | null, config: EmailConfig): EdgeError {
  const { code, responseCode } = failure;
  const words = wordsOf(failure);
  const server = `${config.host}:${config.port}`;
  const error = (as: Code, text: string): EdgeError => new EdgeError(as, text, { cause: failure });
  if (isAuth(code)) return error("SERVICE_REFUSED", `${server} refuses user or password: ${words}`);
  if (code === "ETLS" || code === "EREQUIRETLS") {
    return error("SERVICE_UNAVAILABLE", `No encrypted connection to ${server}: ${words}`);
  }
  if (responseCode !== undefined && responseCode !== 421) {
    return error("SERVICE_FAILED", `${server} did not take the mail: ${words}`);
  }
  if (attempt !== null && attempt.hasBegun()) {
    const text = `The connection to ${server} broke while the mail was sent; it may have arrived: ${words}`;
    return error("SERVICE_FAILED", text);
  }
  return error("SERVICE_UNAVAILABLE", `${server} cannot be reached: ${words}`);
}

export function wordsOf({ response, message }: Failure): string {
  return cleaned(response ?? message ?? "no reason given");
}

export function cleaned(text: string): string {
  return text
    .replace(/[\u0000-\u001f\u007f]+/g, " ")
    .trim()
    .slice(0, WORDS_MAX);
}
