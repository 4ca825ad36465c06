// A TCP proxy in front of a real server that makes its network bad: slow, cut, silent, or cut at a chosen byte or call.
// What it does changes at any moment, also for connections that are open.

import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export interface Target {
  readonly host?: string;
  readonly port: number;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

export class TestProxy implements AsyncDisposable {
  readonly host = "127.0.0.1";
  readonly #listener: Server;
  readonly #target: Target;
  readonly #pairs = new Set<Pair>();
  #delayMs = 0;
  #isSilent = false;
  #refuses = false;
  /** Until the cut, of all connections together. */
  #repliesLeft = Infinity;
  #requestsLeft = Infinity;

  constructor(target: Target) {
    this.#target = target;
    this.#listener = createServer((client) => this.#join(client));
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port;
  }

  get address(): string {
    return `${this.host}:${this.port}`;
  }

  /** Open connections. */
  get connections(): number {
    return this.#pairs.size;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#listener.listen(0, this.host, resolve));
  }

  /** From now on whatever the server says comes so much later. */
  slow(delayMs: number): void {
    this.#delayMs = delayMs;
  }

  /** Takes connections and bytes, and passes nothing on in either direction. */
  blackhole(): void {
    this.#isSilent = true;
  }

  /** Resets every connection; new ones are served. */
  cut(): void {
    for (const pair of this.#pairs) this.#reset(pair);
  }

  /** Resets every connection, and new ones at once. */
  refuse(): void {
    this.#refuses = true;
    this.cut();
  }

  /** Lets so many bytes of replies through, then resets the connection on which the next one comes. Once. */
  cutAfterReplyBytes(bytes: number): void {
    this.#repliesLeft = bytes;
  }

  /** Resets the connection on which the n-th piece from a client comes (1: the next), unseen by the server. Once. */
  cutAtRequest(n: number): void {
    this.#requestsLeft = n - 1;
  }

  /** A good network again. Connections that were silent are reset: their bytes are lost. */
  heal(): void {
    if (this.#isSilent) this.cut();
    this.#delayMs = 0;
    this.#isSilent = false;
    this.#refuses = false;
    this.#repliesLeft = Infinity;
    this.#requestsLeft = Infinity;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#listener.close(resolve));
    this.cut();
    await closed;
  }

  #join(client: Socket): void {
    if (this.#refuses) {
      client.on("error", () => undefined);
      client.resetAndDestroy();
      return;
    }
    const { host = "127.0.0.1", port } = this.#target;
    const pair: Pair = { client, server: connect(port, host) };
    this.#pairs.add(pair);
    for (const [from, to] of [
      [pair.client, pair.server],
      [pair.server, pair.client],
    ] as const) {
      from.setNoDelay(true);
      // Whatever ends one side ends the other; a refusal of the server is a reset to the client.
      from.on("error", () => this.#reset(pair));
      from.on("close", () => {
        this.#pairs.delete(pair);
        to.destroySoon();
      });
    }
    client.on("data", (bytes: Buffer) => this.#toServer(pair, bytes));
    pair.server.on("data", (bytes: Buffer) => void this.#toClient(pair, bytes));
    client.on("end", () => pair.server.end());
    pair.server.on("end", () => client.end());
  }

  #toServer(pair: Pair, bytes: Buffer): void {
    if (this.#isSilent) return;
    if (this.#requestsLeft === 0) {
      this.#requestsLeft = Infinity;
      this.#reset(pair);
      return;
    }
    this.#requestsLeft--;
    pair.server.write(bytes);
  }

  async #toClient(pair: Pair, bytes: Buffer): Promise<void> {
    if (this.#isSilent) return;
    if (this.#repliesLeft < bytes.byteLength) {
      const rest = bytes.subarray(0, this.#repliesLeft);
      this.#repliesLeft = Infinity;
      pair.client.write(rest, () => this.#reset(pair));
      return;
    }
    this.#repliesLeft -= bytes.byteLength;
    if (this.#delayMs > 0) await delay(this.#delayMs);
    if (!pair.client.destroyed) pair.client.write(bytes);
  }

  #reset({ client, server }: Pair): void {
    client.resetAndDestroy();
    server.resetAndDestroy();
  }
}

/** In front of a server of this machine. */
export async function startProxy(target: Target): Promise<TestProxy> {
  const proxy = new TestProxy(target);
  await proxy.listen();
  return proxy;
}
