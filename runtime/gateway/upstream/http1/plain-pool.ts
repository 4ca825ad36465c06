// The connections to one server in plain HTTP/1.1, for requests that are sent whole: undici does the same for all
// kinds of requests at three times the cost (decision 040).
//
// Requests of a turn of the event loop leave together at its end, when everything that had come from the servers has
// been read: what a server sends without being asked ends the connection before the next request is on it, and is not
// taken for its reply. For the same reason a connection rests for a turn before it is used again.

import type { Dispatcher } from "undici";
import { Connection, type Address, type ConnectionOwner } from "./connection.ts";
import { plainHead, Transfer, type ReplyHandler } from "./transfer.ts";

/** A server that says how long it waits may have begun to count before we did. */
const SERVER_KEEP_MARGIN_MS = 2_000;
/** One that has just been opened is not over before it was used, however short its time. */
const FIRST_USE_MS = 1_000;

export interface PlainPoolOptions {
  readonly address: Address;
  readonly connectMs: number;
  readonly maxConnections: number;
  readonly keepAliveMs: number;
  /** 0: any number. */
  readonly requestsPerConnection: number;
}

export class PlainPool implements ConnectionOwner {
  readonly #options: PlainPoolOptions;
  readonly #all = new Set<Connection>();
  /** The one that was used last is used next, so that those that are not needed come to their end. */
  readonly #idle: Connection[] = [];
  #resting: Connection[] = [];
  /** Bounded by who sends: no more requests than `maxConnections` are open to a server. */
  readonly #queue: Transfer[] = [];
  #opening = 0;
  #isScheduled = false;
  #isClosed = false;
  #sweep: NodeJS.Timeout | null = null;

  readonly #turn = (): void => {
    this.#isScheduled = false;
    this.#assign();
    this.#idle.push(...this.#resting);
    const rested = this.#resting.length;
    this.#resting = [];
    if (this.#queue.length > 0 && rested > 0) this.#schedule();
    this.#open();
  };

  constructor(options: PlainPoolOptions) {
    this.#options = options;
  }

  /** False: it is none of those that are sent here. */
  dispatch(request: Dispatcher.DispatchOptions, handler: ReplyHandler): boolean {
    const { body } = request;
    if (this.#isClosed || !(body === null || body === undefined || body instanceof Uint8Array)) {
      return false;
    }
    const head = plainHead(request, body?.byteLength ?? 0);
    if (head === null) return false;
    this.#queue.push(new Transfer(handler, head, body ?? null));
    this.#schedule();
    return true;
  }

  /** What is open finishes. */
  close(): void {
    this.#isClosed = true;
    if (this.#sweep !== null) clearTimeout(this.#sweep);
    for (const connection of [...this.#idle, ...this.#resting]) connection.destroy();
  }

  connected(connection: Connection): void {
    this.#opening--;
    this.#rest(connection, Math.max(this.#options.keepAliveMs, FIRST_USE_MS));
  }

  freed(connection: Connection): void {
    const { keepAliveMs } = this.#options;
    const { serverKeepMs } = connection;
    const isTold = serverKeepMs !== null;
    this.#rest(
      connection,
      isTold ? Math.min(keepAliveMs, serverKeepMs - SERVER_KEEP_MARGIN_MS) : keepAliveMs,
    );
  }

  lost(connection: Connection, error: Error | null): void {
    this.#all.delete(connection);
    remove(this.#idle, connection);
    remove(this.#resting, connection);
    if (error !== null) {
      this.#opening--;
      // It was opened for one of those that wait.
      this.#queue.shift()?.fail(error);
    }
    if (this.#queue.length > 0) this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#turn);
  }

  #assign(): void {
    const now = performance.now();
    const { requestsPerConnection } = this.#options;
    while (this.#queue.length > 0) {
      const connection = this.#idle.pop();
      if (connection === undefined) return;
      if (now >= connection.idleUntilMs) {
        connection.destroy();
        continue;
      }
      const isLast = connection.requests + 1 === requestsPerConnection;
      let isUsed = false;
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        isUsed = connection.send(next, isLast);
        if (isUsed) break;
      }
      if (!isUsed) this.#idle.push(connection);
    }
  }

  #open(): void {
    const { address, connectMs, maxConnections } = this.#options;
    const wanted = this.#queue.length - this.#idle.length;
    while (this.#opening < wanted && this.#all.size < maxConnections) {
      this.#opening++;
      this.#all.add(new Connection(this, address, connectMs));
    }
  }

  #rest(connection: Connection, keepMs: number): void {
    if (keepMs <= 0 || (this.#isClosed && this.#queue.length === 0)) return connection.destroy();
    connection.idleUntilMs = performance.now() + keepMs;
    this.#resting.push(connection);
    this.#sweep ??= setTimeout(() => this.#close(), keepMs).unref();
    this.#schedule();
  }

  /** Those whose time is over. */
  #close(): void {
    this.#sweep = null;
    const now = performance.now();
    const over = this.#idle.filter(({ idleUntilMs }) => now >= idleUntilMs);
    for (const connection of over) connection.destroy();
    if (this.#idle.length === 0) return;
    const nextMs = Math.min(...this.#idle.map(({ idleUntilMs }) => idleUntilMs)) - now;
    this.#sweep = setTimeout(() => this.#close(), Math.max(nextMs, 1)).unref();
  }
}

function remove(list: Connection[], connection: Connection): void {
  const index = list.indexOf(connection);
  if (index >= 0) list.splice(index, 1);
}
