// What a listener and its exchanges share: the limit on bodies, and who is still there when the listener goes
// out of service.

import type { HeaderList, ListenOptions } from "../../sdk/exchange.ts";
import { ProxiedConnections } from "./proxied/proxied-connections.ts";

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

type HubOptions = Pick<ListenOptions, "bodyBytesMax" | "tls" | "isProxy">;

export class Hub {
  readonly bodyBytesMax: number;
  readonly scheme: "http" | "https";
  /** Value of Strict-Transport-Security; "": not sent. */
  hsts: string;
  /** Who stands behind which connection. */
  readonly proxied: ProxiedConnections | null;
  #draining = false;
  #open = 0;
  #onIdle: (() => void) | null = null;

  constructor({ bodyBytesMax, tls, isProxy }: HubOptions) {
    this.proxied = isProxy === undefined ? null : new ProxiedConnections(isProxy);
    this.bodyBytesMax = bodyBytesMax;
    this.scheme = tls === undefined ? "http" : "https";
    this.hsts = tls?.hsts ?? "";
  }

  /** From here on each reply ends its connection, so that clients move elsewhere. */
  get draining(): boolean {
    return this.#draining;
  }

  /** What a reply's headers are on this listener. */
  outgoing(headers: HeaderList): HeaderList {
    if (this.hsts === "" || /(?:^|\n)strict-transport-security\n/i.test(headers)) return headers;
    return `${headers}strict-transport-security\n${this.hsts}\n`;
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
