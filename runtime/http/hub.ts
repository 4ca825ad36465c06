// What a listener and its exchanges share: the limit on bodies, and who is still there when the listener goes
// out of service.

import { setImmediate as turn, setTimeout as delay } from "node:timers/promises";
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

/** What a turn of the event loop takes in which nothing came: far less than what answers one request. */
const QUIET_TURN_MS = 0.1;
/** On a machine with more work than processors none is quiet. */
const TURNS_MAX = 64;

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

  /**
   * `stopAccepting` is called when all that the system has accepted so far is accepted here too. Resolves when no
   * exchange is open, and connections without one have had so long to ask once more; at the latest after the timeout.
   */
  async drain({ timeoutMs, lingerMs, stopAccepting }: HubDrain): Promise<void> {
    this.#draining = true;
    const endMs = performance.now() + timeoutMs;
    await quietTurn();
    stopAccepting();
    await delay(Math.min(lingerMs, timeoutMs));
    do {
      await this.#idle(Math.max(0, endMs - performance.now()));
      await quietTurn();
    } while (this.#open > 0 && performance.now() < endMs);
  }

  async #idle(timeoutMs: number): Promise<void> {
    if (this.#open === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onIdle = resolve;
    const timer = setTimeout(resolve, timeoutMs);
    await promise;
    clearTimeout(timer);
  }
}

interface HubDrain {
  readonly timeoutMs: number;
  readonly lingerMs: number;
  readonly stopAccepting: () => void;
}

/**
 * Resolves at the end of one. Closing a socket with something unread in it, or a port with somebody not accepted, fails
 * a client that has done nothing wrong; after such a turn what came is at most some microseconds old.
 */
async function quietTurn(): Promise<void> {
  await turn();
  for (let at = 0; at < TURNS_MAX; at++) {
    const begunMs = performance.now();
    await turn();
    if (performance.now() - begunMs < QUIET_TURN_MS) return;
  }
}
