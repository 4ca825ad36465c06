// Memcached, and the only door to its package. Of that only the connection with its protocol is used (MemcacheNode),
// and the ring that spreads keys over servers: its client takes an unreachable server for an empty one, and has no
// time-outs of calls. Here a call has `timeout_ms`, after which its connection is given up with everything on it; a
// server that cannot be reached is refused at once and dialled again after a pause. Its keys are not moved to others,
// where nobody would find them later.

import { createNode, Memcache, type HashProvider, type MemcacheNode } from "memcache";
import { EdgeError } from "../../sdk/errors.ts";
import type { MemcachedConfig } from "../../sdk/services/config.ts";

/** Commands on their way on one connection. */
const PENDING_MAX = 1_000;
/** After a failed dial. */
const REDIAL_MS = 200;
/** The package's own, which also ends connections that rest: never. */
const NEVER_MS: number = 2 ** 31 - 1;
const DEFAULT_PORT = 11_211;

export class MemcachedServers {
  readonly all: readonly MemcachedServer[];
  readonly #ring: HashProvider;
  readonly #byId: ReadonlyMap<string, MemcachedServer>;

  constructor(config: MemcachedConfig) {
    const places = config.servers.map(placeOf);
    // Never connected: they only stand in the ring.
    const nodes = places.map(({ host, port }) => createNode(host, port));
    this.#ring = new Memcache({ nodes }).hash;
    this.all = places.map((place) => new MemcachedServer(config, place));
    this.#byId = new Map(nodes.map(({ id }, at) => [id, this.all[at] as MemcachedServer]));
  }

  of(key: string): MemcachedServer {
    const [node] = this.#ring.getNodesByKey(key);
    const server = node === undefined ? undefined : this.#byId.get(node.id);
    if (server !== undefined) return server;
    throw new EdgeError("SERVICE_INPUT", "The service names no server.");
  }

  close(): void {
    for (const server of this.all) server.close();
  }
}

/** One server: up to `pool_size` connections, the pause after a failed dial. */
export class MemcachedServer {
  readonly #config: MemcachedConfig;
  readonly #place: { readonly host: string; readonly port: number };
  #connections: Connection[] = [];
  #failure: EdgeError | null = null;
  #retryAtMs = 0;
  #isClosed = false;

  constructor(config: MemcachedConfig, place: { host: string; port: number }) {
    this.#config = config;
    this.#place = place;
  }

  async send(command: string, signal: AbortSignal): Promise<unknown> {
    return this.#run(signal, (node) => node.command(command));
  }

  /** By their keys, those that are there. */
  async get(keys: readonly string[], signal: AbortSignal): Promise<Map<string, string>> {
    const options = { isMultiline: true, requestedKeys: [...keys] };
    const reply = await this.#run(signal, (node) => node.command(`get ${keys.join(" ")}`, options));
    const { values = [], foundKeys = [] } = Object(reply) as {
      values?: string[];
      foundKeys?: string[];
    };
    return new Map(foundKeys.map((key, at) => [key, values[at] ?? ""]));
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of this.#connections.splice(0)) connection.close();
  }

  async #run(
    signal: AbortSignal,
    work: (node: MemcacheNode) => Promise<unknown>,
  ): Promise<unknown> {
    const connection = this.#pick();
    try {
      return await connection.run(work, signal);
    } finally {
      if (connection.isOver) this.#drop(connection);
    }
  }

  #pick(): Connection {
    if (this.#isClosed) throw new EdgeError("SERVICE_STOPPED");
    const [best] = this.#connections.toSorted((a, b) => a.pending - b.pending);
    const isFull = this.#connections.length >= this.#config.pool_size;
    if (best !== undefined && (best.pending === 0 || isFull)) {
      if (best.pending < PENDING_MAX) return best;
      throw new EdgeError("SERVICE_OVERLOADED", "Too many commands wait for Memcached.");
    }
    if (this.#failure !== null && performance.now() < this.#retryAtMs) throw this.#failure;
    const fresh = new Connection(this.#place, this.#config.timeout_ms, (failure) => {
      this.#failure = failure;
      this.#retryAtMs = performance.now() + REDIAL_MS;
    });
    this.#connections.push(fresh);
    return fresh;
  }

  #drop(connection: Connection): void {
    this.#connections = this.#connections.filter((each) => each !== connection);
  }
}

/** Once it has failed it is over: the package's parser keeps what it has read of a reply that was cut. */
class Connection {
  readonly #node: MemcacheNode;
  readonly #timeoutMs: number;
  readonly #dialled: Promise<void>;
  readonly #over: PromiseWithResolvers<never> = Promise.withResolvers();
  #isOver = false;
  #pending = 0;

  constructor(
    { host, port }: { readonly host: string; readonly port: number },
    timeoutMs: number,
    onDialFailure: (failure: EdgeError | null) => void,
  ) {
    this.#timeoutMs = timeoutMs;
    this.#node = createNode(host, port, { timeout: NEVER_MS });
    this.#over.promise.catch(() => undefined);
    this.#node.on("error", () => undefined);
    this.#node.on("close", () => this.#end(lost("the connection was closed")));
    this.#dialled = this.#node.connect().then(
      () => onDialFailure(null),
      (error: unknown) => {
        const code: unknown = Reflect.get(Object(error), "code");
        const failure = lost(typeof code === "string" ? code : "no connection");
        onDialFailure(failure);
        this.#end(failure);
        throw failure;
      },
    );
    this.#dialled.catch(() => undefined);
  }

  get pending(): number {
    return this.#pending;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** A call that is wanted no more is left alone: its command counts as pending until it is answered or lost. */
  async run(work: (node: MemcacheNode) => Promise<unknown>, signal: AbortSignal): Promise<unknown> {
    signal.throwIfAborted();
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([this.#command(work), this.#over.promise, aborted]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  close(): void {
    this.#end(new EdgeError("SERVICE_STOPPED"));
  }

  async #command(work: (node: MemcacheNode) => Promise<unknown>): Promise<unknown> {
    this.#pending++;
    const timer = setTimeout(() => {
      const text = `Memcached did not answer within ${this.#timeoutMs} ms.`;
      this.#end(new EdgeError("SERVICE_TIMEOUT", text));
    }, this.#timeoutMs);
    try {
      await this.#dialled;
      return await work(this.#node);
    } catch (error) {
      throw replyError(error);
    } finally {
      this.#pending--;
      clearTimeout(timer);
    }
  }

  #end(reason: EdgeError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#over.reject(reason);
    void this.#node.disconnect();
  }
}

function lost(why: string): EdgeError {
  return new EdgeError("SERVICE_UNAVAILABLE", `Memcached cannot be reached: ${why}.`);
}

function replyError(error: unknown): EdgeError {
  if (error instanceof EdgeError) return error;
  const message = error instanceof Error ? error.message : "";
  const word = /^(?:CLIENT_ERROR|SERVER_ERROR|ERROR)/.exec(message)?.[0];
  if (word === undefined) return lost("the connection was closed");
  if (message.includes("too large")) {
    return new EdgeError("SERVICE_TOO_LARGE", "The value is larger than Memcached takes.");
  }
  return new EdgeError("SERVICE_FAILED", `Memcached: ${message}`, { detail: { reply: word } });
}

/** "HOST:PORT" */
function placeOf(address: string): { host: string; port: number } {
  const match = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(address);
  const host = match?.[1] ?? match?.[2] ?? address;
  return { host, port: Number(match?.[3] ?? DEFAULT_PORT) };
}
