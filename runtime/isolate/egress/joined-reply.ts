// Small chunks of a reply, put together as they come: one read of a socket may hold 10 000 of a byte each, and each
// that goes its own way through fetch and its streams keeps the accepting thread for some 20 µs more. They go on as
// soon as all of the read is taken apart, so that nobody waits.

import type { Dispatcher } from "undici";

type Controller = Dispatcher.DispatchController;
type Fields = Parameters<NonNullable<Dispatcher.DispatchHandler["onResponseStart"]>>[2];

/** Copying more costs more than another piece would. */
const SMALL_BYTES_MAX = 1_023;
/** What is put together at most. */
const PIECE_BYTES_MAX: number = 16 * 1024;

export class JoinedReply implements Dispatcher.DispatchHandler {
  readonly #handler: Dispatcher.DispatchHandler;
  #parts: Buffer[] = [];
  #length = 0;
  #isDue = false;

  constructor(handler: Dispatcher.DispatchHandler) {
    this.#handler = handler;
  }

  onRequestStart(controller: Controller, context: unknown): void {
    this.#handler.onRequestStart?.(controller, context);
  }

  onBodySent(chunk: Buffer): void {
    this.#handler.onBodySent?.(chunk);
  }

  onRequestSent(): void {
    this.#handler.onRequestSent?.();
  }

  onResponseStarted(): void {
    this.#handler.onResponseStarted?.();
  }

  onResponseStart(controller: Controller, status: number, fields: Fields, text?: string): void {
    this.#handler.onResponseStart?.(controller, status, fields, text);
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (chunk.length > SMALL_BYTES_MAX) {
      this.#flush(controller);
      this.#handler.onResponseData?.(controller, chunk);
      return;
    }
    if (this.#length + chunk.length > PIECE_BYTES_MAX) this.#flush(controller);
    this.#parts.push(chunk);
    this.#length += chunk.length;
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => this.#flushLate(controller));
  }

  onResponseEnd(controller: Controller, trailers: Fields): void {
    this.#flush(controller);
    this.#handler.onResponseEnd?.(controller, trailers);
  }

  onResponseError(controller: Controller, error: Error): void {
    this.#flush(controller);
    this.#handler.onResponseError?.(controller, error);
  }

  #flush(controller: Controller): void {
    const parts = this.#parts;
    if (parts.length === 0) return;
    this.#parts = [];
    this.#length = 0;
    // Most replies are one chunk.
    const joined = parts.length === 1 ? parts[0] : Buffer.concat(parts);
    if (joined !== undefined) this.#handler.onResponseData?.(controller, joined);
  }

  /** Not called by undici, which would take what is thrown for the request's end. */
  #flushLate(controller: Controller): void {
    this.#isDue = false;
    if (controller.aborted) return;
    try {
      this.#flush(controller);
    } catch (error) {
      controller.abort(error as Error);
    }
  }
}
