// One request on its way over a plain connection: what is sent, who is told of the reply, and what that one may do
// about it. It outlives its connection's interest in it, so that whoever still holds it reaches no other's request.

import type { Dispatcher } from "undici";

/** undici's, and one more that replaces the others where a short reply has come whole. */
export interface ReplyHandler extends Dispatcher.DispatchHandler {
  onResponseWhole?(
    controller: Dispatcher.DispatchController,
    status: number,
    body: Uint8Array,
  ): void;
}

export interface TransferOwner {
  cut(transfer: Transfer): void;
  pause(): void;
  resume(): void;
}

export class Transfer implements Dispatcher.DispatchController {
  readonly handler: ReplyHandler;
  readonly head: string;
  readonly body: Uint8Array | null;
  rawHeaders: string[] = [];
  rawTrailers: string[] = [];
  aborted = false;
  paused = false;
  reason: Error | null = null;
  #owner: TransferOwner | null = null;

  constructor(handler: ReplyHandler, head: string, body: Uint8Array | null) {
    this.handler = handler;
    this.head = head;
    this.body = body;
  }

  /** False: it is not wanted any more. */
  start(owner: TransferOwner): boolean {
    this.#owner = owner;
    this.handler.onRequestStart?.(this, undefined);
    return !this.aborted;
  }

  /** Nothing it does reaches the connection from here on. */
  leave(): void {
    this.#owner = null;
  }

  fail(error: Error): void {
    this.handler.onResponseError?.(this, error);
  }

  abort(reason: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.#owner?.cut(this);
  }

  pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.#owner?.pause();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.#owner?.resume();
  }
}

/** Belongs to the connection: who forwards the rest writes these itself, or uses undici. */
function isFraming(name: string): boolean {
  switch (name.length) {
    case 6:
      return name === "expect";
    case 7:
      return name === "upgrade";
    case 10:
      return name === "connection" || name === "keep-alive";
    case 17:
      return name === "transfer-encoding";
    default:
      return false;
  }
}

const TARGET = /^[\x21-\x7e\x80-\xff]+$/;
const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * The request up to its headers' last line, but for the empty one and what says whether the connection stays. null: not
 * for here. What is odd, has an unknown length, or whose reply is framed otherwise (HEAD) is undici's.
 */
export function plainHead(
  { method, path, headers, body }: Dispatcher.DispatchOptions,
  bodyBytes: number,
): string | null {
  if (method === "HEAD" || method === "CONNECT" || !METHOD.test(method)) return null;
  if (!TARGET.test(path) || !Array.isArray(headers)) return null;
  let length = body === null || body === undefined ? 0 : -1;
  let text = `${method} ${path} HTTP/1.1\r\n`;
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name: unknown = headers[at];
    const value: unknown = headers[at + 1];
    if (typeof name !== "string" || typeof value !== "string") return null;
    if (isFraming(name) || !METHOD.test(name) || !VALUE.test(value)) return null;
    if (name === "content-length") length = value === String(bodyBytes) ? bodyBytes : -1;
    text += `${name}: ${value}\r\n`;
    // RFC 9110, section 10.1.4.
    if (name === "te") text += "connection: te\r\n";
  }
  return length === bodyBytes ? text : null;
}
