// What is open of one request in this isolate.

import type { ContextSignal, ResponseSource } from "../port.ts";

interface Waiter<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
}

export interface Entry {
  readonly id: number;
  /** The host's; what `ctx` tells. */
  requestId: string;
  /** Its reply has no body, whatever the handler returns. */
  isHead: boolean;
  answered: boolean;
  streaming: ResponseSource | null;
  background: number;
  logBytes: number;
  credit: number;
  creditWaiter: (() => void) | null;
  pull: Waiter<Uint8Array | null> | null;
  text: Waiter<string> | null;
  /** The author's. */
  request: object | null;
  readonly startedAt: number;
  /** Of the context, once somebody has looked at it. */
  signal: ContextSignal | null;
  /** Why it is aborted, when nobody had looked at it by then. */
  abortReason: AbortReason | null;
}

interface AbortReason {
  readonly message: string;
  readonly name: "AbortError" | "TimeoutError";
}

/** Of a reply stream: what may be under way before the host grants more (chunkCredit). */
const STREAM_CREDIT = 256 * 1024;

export function createEntry(id: number, now: number): Entry {
  return {
    id,
    requestId: "",
    isHead: false,
    answered: false,
    streaming: null,
    background: 0,
    logBytes: 0,
    credit: STREAM_CREDIT,
    creditWaiter: null,
    pull: null,
    text: null,
    request: null,
    startedAt: now,
    signal: null,
    abortReason: null,
  };
}

export function credit(entry: Entry): Promise<void> {
  return new Promise((resolve) => {
    entry.creditWaiter = resolve;
  });
}

export function abortContext(entry: Entry, reason: AbortReason): void {
  entry.abortReason ??= reason;
  entry.signal?.abort(reason.message, reason.name);
}

export function failBody(entry: Entry, message: string): void {
  const error = new TypeError(message);
  entry.pull?.reject(error);
  entry.text?.reject(error);
  entry.pull = null;
  entry.text = null;
}

export function abort(entry: Entry, reason: string): void {
  failBody(entry, reason);
  const source = entry.streaming;
  entry.streaming = null;
  source?.cancel(reason);
  entry.creditWaiter?.();
}
