// What undici's handlers hold of a transfer that is not undici's: how it stands, and the way to end it.

import type { Dispatcher } from "undici";

export abstract class TransferControl implements Dispatcher.DispatchController {
  rawHeaders: string[] = [];
  rawTrailers: string[] = [];
  aborted = false;
  paused = false;
  reason: Error | null = null;

  /** Tells the handler, once. */
  abstract fail(error: Error): void;
  abstract pause(): void;
  abstract resume(): void;

  abort(reason: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.fail(reason);
  }
}
