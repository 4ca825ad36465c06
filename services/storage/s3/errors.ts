// What the SDK rejects with, as codes. Nothing of a request (keys, signatures, addresses with them) goes into a
// message.

import { EdgeError, type Code } from "../../../sdk/errors.ts";

/** The fields of the SDK's errors and of Node's that say what happened. */
interface Fields {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly message?: unknown;
  readonly cause?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: unknown };
}

/** By the name that S3 gives an error; what is not here goes by its status. */
const CODES: Readonly<Record<string, Code>> = {
  EntityTooLarge: "SERVICE_TOO_LARGE",
  MetadataTooLarge: "SERVICE_TOO_LARGE",
  KeyTooLongError: "SERVICE_TOO_LARGE",
  EntityTooSmall: "SERVICE_INPUT",
  InvalidArgument: "SERVICE_INPUT",
  InvalidPart: "SERVICE_INPUT",
  InvalidPartOrder: "SERVICE_INPUT",
  InvalidRange: "SERVICE_INPUT",
  NoSuchUpload: "SERVICE_INPUT",
  BadDigest: "SERVICE_INPUT",
  RequestTimeout: "SERVICE_TIMEOUT",
  RequestTimeTooSkewed: "SERVICE_REFUSED",
  InvalidAccessKeyId: "SERVICE_REFUSED",
  SignatureDoesNotMatch: "SERVICE_REFUSED",
  SlowDown: "SERVICE_UNAVAILABLE",
};
const MESSAGE_MAX = 300;

function fieldsOf(error: unknown): Fields {
  return typeof error === "object" && error !== null ? error : {};
}

export function statusOf(error: unknown): number {
  const status = fieldsOf(error).$metadata?.httpStatusCode;
  return typeof status === "number" ? status : 0;
}

/** An error that came as the cause of an EdgeError. */
export function causeStatus(error: unknown): number {
  return error instanceof EdgeError ? statusOf(error.cause) : 0;
}

export function causeName(error: unknown): string {
  const name = error instanceof EdgeError ? fieldsOf(error.cause).name : null;
  return typeof name === "string" ? name : "";
}

/** `signal`: the call's; when it aborted, that is why the call failed. */
export function s3Error(error: unknown, signal: AbortSignal): EdgeError {
  if (error instanceof EdgeError) return error;
  if (signal.aborted) {
    const reason: unknown = signal.reason;
    return reason instanceof EdgeError ? reason : new EdgeError("CANCELLED");
  }
  const { name, code, message } = fieldsOf(error);
  const status = statusOf(error);
  const known = typeof name === "string" && Object.hasOwn(CODES, name) ? CODES[name] : undefined;
  const options = { cause: error };
  if (known !== undefined || (status >= 300 && status < 500)) {
    const text = `S3 says ${describe(name, status)}: ${shorten(message)}`;
    return new EdgeError(known ?? codeOfStatus(status), text, options);
  }
  if (status >= 500) {
    const text = `The S3 server failed (${describe(name, status)}).`;
    return new EdgeError("SERVICE_UNAVAILABLE", text, options);
  }
  // The SDK calls a reset connection a time-out, too.
  if (typeof code === "string" && code !== "ETIMEDOUT") {
    return new EdgeError(
      "SERVICE_UNAVAILABLE",
      `The S3 server cannot be reached (${code}).`,
      options,
    );
  }
  if (name === "TimeoutError" || code === "ETIMEDOUT") {
    return new EdgeError("SERVICE_TIMEOUT", "The S3 server did not answer in time.", options);
  }
  // A reply that is no S3 server's, or one that broke off.
  const text = `The S3 server's reply cannot be read (${shorten(name)}).`;
  return new EdgeError("SERVICE_UNAVAILABLE", text, options);
}

function codeOfStatus(status: number): Code {
  if (status === 401 || status === 403) return "SERVICE_REFUSED";
  // Another region, or plain HTTP where TLS is wanted: the configuration's matter.
  return status < 400 ? "SERVICE_UNAVAILABLE" : "SERVICE_FAILED";
}

/** HEAD has no body, so that the SDK has no name for its error. */
function describe(name: unknown, status: number): string {
  return typeof name === "string" && name !== "Unknown" ? name : `status ${status}`;
}

function shorten(text: unknown): string {
  return typeof text === "string" ? text.slice(0, MESSAGE_MAX) : "";
}
