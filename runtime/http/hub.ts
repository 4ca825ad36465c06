// What a listener and its exchanges share: the limit on bodies, and who is still there when the listener goes
// out of service.

import type { HeaderList } from "../../sdk/exchange.ts";

export interface RequestHead {
  readonly method: string;
  readonly url: string;
  readonly path: string;
  readonly host: string;
  readonly authority: string;
  readonly headers: HeaderList;
  /** Content-Length, -1 for chunked, 0 for no body. */
  readonly length: number;
  /** The client asks for the end of the connection after the reply, or has lost its trust. */
  readonly closes: boolean;
}

export class Hub {
  readonly bodyBytesMax: number;
  #draining = false;
  #open = 0;
  #onIdle: (() => void) | null = null;

  constructor(bodyBytesMax: number) {
    this.bodyBytesMax = bodyBytesMax;
  }

  /** From here on each reply ends its connection, so that clients move elsewhere. */
  get draining(): boolean {
    return this.#draining;
  }

  /** Each exchange calls once `opened` and once `closed`. */
  opened(): void {
    this.#open++;
  }

  closed(): void {
    this.#open--;
    if (this.#open === 0) this.#onIdle?.();
  }

  /** Resolves when no exchange is open, at the latest after the timeout. */
  async drain(timeoutMs: number): Promise<void> {
    this.#draining = true;
    if (this.#open === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onIdle = resolve;
    const timer = setTimeout(resolve, timeoutMs);
    await promise;
    clearTimeout(timer);
  }
}
