// Redis, and the only door to ioredis: one server, the primary that sentinels name, or a cluster, each with TLS or
// without. A few connections per worker, dialled when they are first needed; commands on one connection are pipelined.
//
// While the server is away calls fail at once and the connection is dialled again by itself, with a growing pause.
// Nothing is sent twice: whether a command that was under way has been carried out is not known. A call whose time is
// over takes its connection with it, so that a server that hangs holds no memory here.

import { Cluster, Redis, type RedisOptions } from "ioredis";
import { createHash } from "node:crypto";
import { isIP } from "node:net";
import { EdgeError } from "../sdk/errors.ts";
import type { RedisConfig } from "../sdk/services/config.ts";

/** As the server says it: bytes, numbers, null and lists of these. */
export type Reply = Buffer | number | null | readonly Reply[];
type Argument = string | Buffer | number;

export interface RedisClient {
  send(command: string, args: readonly Argument[], signal: AbortSignal): Promise<Reply>;
  /** One atomic step. All keys have to lie in one slot of a cluster. */
  run(
    script: Script,
    keys: readonly string[],
    args: readonly Argument[],
    signal: AbortSignal,
  ): Promise<Reply>;
  /** "Redis 7.0.15" */
  version(signal: AbortSignal): Promise<string>;
  close(): Promise<void>;
}

export interface Script {
  readonly text: string;
  readonly sha: string;
}

export function createScript(text: string): Script {
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}

/** Within the time that opening a service may take. */
const CONNECT_MS_MAX = 5_000;
const REDIAL_MS_MIN = 50;
const REDIAL_MS_MAX = 2_000;
/** Commands on their way on one connection; each call of a pool is one or a few. */
const PENDING_MAX = 1_000;
/** From here on another connection takes a part: one costs the server and this process more than a few commands. */
const PENDING_MANY = 64;
const KEEP_ALIVE_MS = 30_000;
/** With commands under way; longer than any call waits, for those whose callers have gone. */
const SILENT_MS_MAX = 60_000;

/** Without a word to the server: it is dialled by the first command. */
export function createRedis(config: RedisConfig): RedisClient {
  return new Pool(config);
}

export async function openRedis(config: RedisConfig, signal: AbortSignal): Promise<RedisClient> {
  const pool = new Pool(config);
  try {
    await pool.version(signal);
    return pool;
  } catch (error) {
    await pool.close();
    throw error;
  }
}

class Pool implements RedisClient {
  readonly #config: RedisConfig;
  readonly #connections: Connection[] = [];
  #isClosed = false;

  constructor(config: RedisConfig) {
    this.#config = config;
  }

  async send(command: string, args: readonly Argument[], signal: AbortSignal): Promise<Reply> {
    return this.#pick().send(command, args, signal);
  }

  async run(
    { text, sha }: Script,
    keys: readonly string[],
    args: readonly Argument[],
    signal: AbortSignal,
  ): Promise<Reply> {
    const connection = this.#pick();
    const rest = [keys.length, ...keys, ...args];
    try {
      return await connection.send("EVALSHA", [sha, ...rest], signal);
    } catch (error) {
      if (!(error instanceof EdgeError && error.detail?.["reply"] === "NOSCRIPT")) throw error;
      return connection.send("EVAL", [text, ...rest], signal);
    }
  }

  async version(signal: AbortSignal): Promise<string> {
    const info = String(await this.send("INFO", ["server"], signal));
    return `Redis ${/^redis_version:(\S+)/m.exec(info)?.[1] ?? "of unknown version"}`;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const connection of this.#connections.splice(0)) connection.close();
  }

  /** The first with few commands on their way, so that they cross together; another one while the pool allows it. */
  #pick(): Connection {
    if (this.#isClosed) throw new EdgeError("SERVICE_STOPPED");
    let best: Connection | null = null;
    for (const each of this.#connections) {
      if (each.pending < PENDING_MANY) return each;
      if (best === null || each.pending < best.pending) best = each;
    }
    if (best !== null && this.#connections.length >= this.#config.pool_size) {
      if (best.pending < PENDING_MAX) return best;
      throw new EdgeError("SERVICE_OVERLOADED", "Too many commands wait for Redis.");
    }
    const fresh = new Connection(this.#config);
    this.#connections.push(fresh);
    return fresh;
  }
}

class Connection {
  readonly #client: Redis | Cluster;
  /** Until the first connection stands or has failed. */
  readonly #dialled: Promise<void>;
  #failure: Error | null = null;
  #pending = 0;
  #dialling = true;
  #corked = false;

  constructor(config: RedisConfig) {
    this.#client = createClient(config);
    this.#client.on("error", (error: Error) => {
      this.#failure = error;
    });
    this.#client.on("node error", (error: Error) => {
      this.#failure = error;
    });
    this.#client.on("ready", () => {
      this.#failure = null;
    });
    // A failure is told by the commands that wait for it.
    this.#dialled = new Promise((resolve) => {
      this.#client.once("ready", () => resolve());
      this.#client.once("error", () => resolve());
      this.#client.once("close", () => resolve());
    });
    void this.#dialled.then(() => {
      this.#dialling = false;
    });
    this.#client.connect().catch(() => undefined);
  }

  get pending(): number {
    return this.#pending;
  }

  /** A call that is wanted no more is left alone: its command counts as pending until it is answered or lost. */
  async send(command: string, args: readonly Argument[], signal: AbortSignal): Promise<Reply> {
    signal.throwIfAborted();
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => {
      this.#onAbort(signal);
      reject(signal.reason as Error);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([this.#ask(command, args), aborted]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  async #ask(command: string, args: readonly Argument[]): Promise<Reply> {
    this.#pending++;
    try {
      if (this.#dialling) await this.#dialled;
      this.#cork();
      return (await this.#client.callBuffer(command, ...args)) as Reply;
    } catch (error) {
      throw this.#translate(error);
    } finally {
      this.#pending--;
    }
  }

  close(): void {
    this.#client.disconnect();
  }

  /** What is sent in one turn is one write. Of a cluster each node has a socket of its own, which is not shown. */
  #cork(): void {
    if (this.#corked || this.#client instanceof Cluster) return;
    const stream = this.#client.stream as Redis["stream"] | undefined;
    if (stream === undefined) return;
    this.#corked = true;
    stream.cork();
    process.nextTick(() => {
      this.#corked = false;
      stream.uncork();
    });
  }

  /** Fails every command on its way; the connection is dialled again. */
  #onAbort(signal: AbortSignal): void {
    const reason: unknown = signal.reason;
    if (reason instanceof EdgeError && reason.code === "SERVICE_TIMEOUT") {
      this.#client.disconnect(true);
    }
  }

  #translate(error: unknown): EdgeError {
    if (error instanceof EdgeError) return error;
    const own = error instanceof Error ? error : null;
    if (own?.name === "ReplyError") return replyError(own.message);
    const cause = this.#failure ?? own;
    if (cause?.name === "ReplyError") return replyError(cause.message);
    const why = reasonOf(cause);
    return new EdgeError("SERVICE_UNAVAILABLE", `Redis cannot be reached: ${why}.`, { cause });
  }
}

/** Of a failed connection: the system's code, never an address with a password in it. */
function reasonOf(cause: Error | null): string {
  const code: unknown = Reflect.get(Object(cause), "code");
  if (typeof code === "string") return code;
  const last: unknown = Reflect.get(Object(cause), "lastNodeError");
  if (last instanceof Error) return reasonOf(last);
  return cause === null ? "no connection" : "the connection was lost";
}

const REFUSED: ReadonlySet<string> = new Set(["NOAUTH", "WRONGPASS", "NOPERM"]);
const AWAY: ReadonlySet<string> = new Set([
  "LOADING",
  "MASTERDOWN",
  "CLUSTERDOWN",
  "READONLY",
  "TRYAGAIN",
  "BUSY",
  "NOREPLICAS",
]);

function replyError(message: string): EdgeError {
  const word = /^[A-Z]+/.exec(message)?.[0] ?? "";
  const detail = { reply: word };
  // "invalid password" before Redis 6.
  if (REFUSED.has(word) || /invalid password|AUTH/i.test(message)) {
    return new EdgeError("SERVICE_REFUSED", `Redis refuses the node: ${word || "AUTH"}.`, {
      detail,
    });
  }
  if (AWAY.has(word)) {
    return new EdgeError("SERVICE_UNAVAILABLE", `Redis takes no commands now: ${word}.`, {
      detail,
    });
  }
  return new EdgeError("SERVICE_FAILED", `Redis: ${message}`, { detail });
}

function createClient(config: RedisConfig): Redis | Cluster {
  const { username, password, cluster, sentinels } = config;
  const options = {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(config.use_tls && { tls: tlsOf(config) }),
    db: config.database,
    lazyConnect: true,
    connectTimeout: CONNECT_MS_MAX,
    keepAlive: KEEP_ALIVE_MS,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    socketTimeout: SILENT_MS_MAX,
    autoResendUnfulfilledCommands: false,
    retryStrategy: redialMs,
    // A primary that was demoted says so: the next connection asks the sentinels again.
    reconnectOnError: ({ message }: Error) => message.startsWith("READONLY"),
  };
  if (cluster !== undefined && cluster.length > 0) {
    const { db: _database, ...redisOptions } = options;
    return new Cluster(cluster.map(placeOf), {
      redisOptions,
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: redialMs,
      slotsRefreshTimeout: CONNECT_MS_MAX,
    });
  }
  if (sentinels !== undefined && sentinels.length > 0) {
    return new Redis({
      ...options,
      sentinels: sentinels.map(placeOf),
      name: config.sentinel_master ?? "mymaster",
      sentinelRetryStrategy: redialMs,
    });
  }
  return new Redis({ ...options, host: config.host, port: config.port });
}

function redialMs(attempt: number): number {
  return Math.min(REDIAL_MS_MIN * 2 ** Math.min(attempt, 10), REDIAL_MS_MAX);
}

function tlsOf({ host, tls_ca: ca }: RedisConfig): NonNullable<RedisOptions["tls"]> {
  return { ...(ca !== undefined && { ca }), ...(isIP(host) === 0 && { servername: host }) };
}

/** "HOST:PORT" */
function placeOf(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  return { host, port: Number(address.slice(colon + 1)) };
}
