// Promises that were rejected and that nobody handled. Only the engine knows of them, and it tells the host alone, at
// the end of a slice: what comes back here is a copy of the reason, without its promise.

import { dispatchTrusted, globalTarget, hasListeners } from "../event-target.ts";
import { PromiseRejectionEvent } from "../event.ts";
import type { Port } from "../port.ts";

/** As the host makes it: runtime/isolate/jobs/rejections.ts. */
interface Rejection {
  /** For the log. */
  readonly text: string;
  readonly error?: { readonly name: string; readonly message: string; readonly stack: string };
  /** Of what is no error. */
  readonly value?: unknown;
}

const TYPE = "unhandledrejection";
const parse = JSON.parse;
const { defineProperty } = Reflect;
const hasOwn = Object.hasOwn;
const ERRORS: Readonly<Record<string, ErrorConstructor>> = {
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};
let port: Port | null = null;

export function thawRejections(thawed: Port): void {
  port = thawed;
}

/** Whether the host has to tell. */
export function listensForRejections(): boolean {
  return hasListeners(globalTarget, TYPE);
}

export function reportRejection(payload: string): void {
  const { text, error, value } = parse(payload) as Rejection;
  const reason = error === undefined ? value : errorOf(error);
  const event = new PromiseRejectionEvent(TYPE, {
    promise: rejectedWith(reason),
    reason,
    cancelable: true,
  });
  if (dispatchTrusted(globalTarget, event)) port?.log("error", `Unhandled rejection: ${text}`);
}

function errorOf({ name, message, stack }: NonNullable<Rejection["error"]>): Error {
  const Kind = (hasOwn(ERRORS, name) ? ERRORS[name] : undefined) ?? Error;
  const error = new Kind(message);
  defineProperty(error, "stack", {
    value: stack,
    writable: true,
    enumerable: false,
    configurable: true,
  });
  return error;
}

/** Handled already, so that the engine does not tell of this one too. */
function rejectedWith(reason: unknown): Promise<never> {
  const promise = reject(reason);
  void swallow(promise);
  return promise;
}

async function reject(reason: unknown): Promise<never> {
  throw reason;
}

async function swallow(promise: Promise<never>): Promise<void> {
  try {
    await promise;
  } catch {
    // It is the listeners' to look at.
  }
}
