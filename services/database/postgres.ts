// PostgreSQL as a backend of databases: the door of its driver. Of that a connection is used, not its pool, which lets
// statements stand in line behind a stranger's and loses connections that were reserved while the server was away.

import type { Socket } from "node:net";
import createClient, { type Options, type Sql } from "postgres";
import { EdgeError } from "../../sdk/errors.ts";
import type { PostgresConfig } from "../../sdk/services/config.ts";
import {
  SQL_IDLE_MS_MAX,
  SQL_LEASE_MS_MAX,
  SQL_RESULT_BYTES_MAX,
  type Column,
  type DatabaseBackend,
  type ResultSet,
} from "../../sdk/services/database.ts";
import type { Value } from "../../sdk/services/values.ts";
import { PostgresBackend } from "./postgres/backend.ts";
import { AnswerGuard, cancelRequest, CONNECT_MS_MAX, dial, tooLarge } from "./postgres/dial.ts";
import { describePostgresError } from "./postgres/errors.ts";
import { isJson, sizeOf, toParameter, TYPES } from "./postgres/values.ts";
import type { Connection, Page, Prepared } from "./postgres/connection.ts";
import { taints } from "./postgres/rules.ts";

/** Prepared statements of one connection; each takes memory in the server. Others are planned each time. */
const PREPARED_MAX = 200;
/** How long a cancelled statement may take to end before its connection is cut off. */
const CANCEL_MS_MAX = 1_000;

export async function openPostgres(
  config: PostgresConfig,
  { signal }: { readonly signal: AbortSignal },
): Promise<DatabaseBackend> {
  const connect = (): Connection => connectPostgres(config, (onSocket) => dial(config, onSocket));
  const backend = new PostgresBackend(connect, config.pool_size);
  try {
    await backend.probe(signal);
    return backend;
  } catch (error) {
    await backend.close();
    throw error;
  }
}

/** Gives every socket of the connection, also those that only cancel what runs on another. */
export type Dial = (onSocket: (socket: Socket) => void) => Promise<Socket>;

export function connectPostgres(config: PostgresConfig, dialServer: Dial): Connection {
  return new PostgresConnection(config, dialServer);
}

/** What the driver's queries are, as far as they are used here. */
interface Running extends Promise<Done> {
  values(): Running;
  forEach(onRow: (row: unknown[]) => void): Running;
  cursor(rows: number): AsyncIterable<unknown[][] & Done>;
  /** Of the connection, once it has been sent. */
  readonly state: { readonly pid: number | null; readonly secret: number | null } | null;
}

interface Done {
  readonly command: string;
  readonly count: number | null;
  readonly columns: readonly { readonly name: string; readonly type: number }[] | null | undefined;
}

class PostgresConnection implements Connection {
  readonly #dialServer: Dial;
  readonly #client: Sql;
  readonly #sockets = new Set<Socket>();
  readonly #prepared = new Set<string>();
  #guard: AnswerGuard | null = null;
  #worn = false;
  #tainted = false;
  #cancelling = false;
  #closed = false;
  #page: AsyncIterator<unknown[][] & Done> | null = null;

  constructor(config: PostgresConfig, dialServer: Dial) {
    this.#dialServer = dialServer;
    this.#client = createClient(
      clientOptions(config, {
        socket: () => this.#dial(),
        onclose: () => {
          this.#worn = true;
        },
      }),
    );
  }

  get worn(): boolean {
    return this.#worn || this.#tainted;
  }

  async run(statement: Prepared, signal: AbortSignal): Promise<ResultSet> {
    const started = performance.now();
    const rows: Value[][] = [];
    let bytes = 0;
    const query = this.#query(statement).values();
    void query.forEach((row) => {
      bytes += sizeOf(row);
      if (bytes <= SQL_RESULT_BYTES_MAX) rows.push(row as Value[]);
      else this.#cancel(query);
    });
    const { command, count, columns } = await this.#settled(query, signal, () =>
      bytes > SQL_RESULT_BYTES_MAX ? tooLarge() : null,
    );
    return {
      columns: readColumns(columns),
      rows,
      changes: command === "SELECT" || command === "SHOW" ? 0 : Number(count ?? 0),
      lastRowId: null,
      databaseBytes: 0,
      bytes,
      durationMs: performance.now() - started,
    };
  }

  async script(sql: string, signal: AbortSignal): Promise<string> {
    const query = this.#client.unsafe(sql, [], { simple: true } as never);
    const done = await this.#settled(query as unknown as Running, signal);
    return done.command ?? "";
  }

  open(statement: Prepared, rows: number, signal: AbortSignal): Promise<Page> {
    this.#page = this.#query(statement).values().cursor(rows)[Symbol.asyncIterator]();
    return this.next(signal);
  }

  async next(signal: AbortSignal): Promise<Page> {
    if (this.#page === null) throw new EdgeError("SERVICE_INPUT", "The cursor is closed.");
    this.#guard?.begin();
    const next = (await this.#watched(Promise.resolve(this.#page.next()), signal, () => {
      this.close();
    })) as IteratorResult<unknown[][] & Done, unknown>;
    if (next.done === true) return { columns: [], rows: [], bytes: 0 };
    const found = [...next.value] as Value[][];
    const bytes = found.reduce((sum, row) => sum + sizeOf(row), 0);
    return { columns: readColumns(next.value.columns), rows: found, bytes };
  }

  /** Nothing waits for the server: what it is at ends with the connection. */
  close(): void {
    this.#worn = true;
    this.#closed = true;
    for (const socket of this.#sockets) socket.destroy();
    void this.#client.end({ timeout: 0 });
  }

  async #dial(): Promise<Socket> {
    const socket = await this.#dialServer((each) => this.#own(each));
    this.#guard = new AnswerGuard(socket);
    return socket;
  }

  #own(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    if (this.#closed) socket.destroy();
  }

  #query({ text, params }: Prepared): Running {
    if (this.#page !== null) this.close();
    const known = this.#prepared.has(text);
    if (!known && this.#prepared.size < PREPARED_MAX) this.#prepared.add(text);
    const options = { prepare: known || this.#prepared.has(text), simple: false };
    const values = params.map((value) => this.#client.typed(toParameter(value) as never, 0));
    // What it leaves behind must not meet the next one.
    if (taints({ text })) this.#tainted = true;
    this.#guard?.begin();
    return this.#client.unsafe(text, values, options as never) as unknown as Running;
  }

  /** `refusal`: what is wrong with an answer that has come. */
  async #settled(
    query: Running,
    signal: AbortSignal,
    refusal: () => EdgeError | null = () => null,
  ): Promise<Done> {
    const done = (await this.#watched(query, signal, () => this.#cancel(query), refusal)) as Done;
    if (Array.isArray(done)) return done;
    // COPY: the answer is a stream, and the connection waits for what nobody gives it.
    this.close();
    throw new EdgeError("SERVICE_INPUT", "COPY is not available.");
  }

  async #watched(
    work: Promise<unknown>,
    signal: AbortSignal,
    onAbort: () => void,
    refusal: () => EdgeError | null = () => null,
  ): Promise<unknown> {
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    try {
      const done = await work;
      const refused = refusal();
      if (refused !== null) throw refused;
      return done;
    } catch (error) {
      const described = describePostgresError(error);
      if (described.code === "SERVICE_UNAVAILABLE") this.#worn = true;
      const reason: unknown = signal.reason;
      if (signal.aborted && reason instanceof EdgeError) throw reason;
      throw refusal() ?? described;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Asks the server to end it. That may come late and hit what runs then, so the connection ends with it. */
  #cancel(query: Running): void {
    if (this.#cancelling) return;
    this.#cancelling = true;
    this.#worn = true;
    const timer = setTimeout(() => this.close(), CANCEL_MS_MAX);
    const over = (): void => clearTimeout(timer);
    query.then(over, over);
    void this.#sendCancel(query).catch(() => this.close());
  }

  /** The driver's own way to cancel leaves a rejection to nobody when the server does not answer. */
  async #sendCancel({ state }: Running): Promise<void> {
    const { pid, secret } = state ?? {};
    if (typeof pid !== "number" || typeof secret !== "number") return this.close();
    const socket = await this.#dialServer((each) => this.#own(each));
    socket.end(cancelRequest(pid, secret));
    socket.resume();
  }
}

function readColumns(columns: Done["columns"]): Column[] {
  return (columns ?? []).map(({ name, type }) => ({ name, json: isJson(type) }));
}

function clientOptions(
  config: PostgresConfig,
  hooks: { socket: () => Promise<Socket>; onclose: () => void },
): Options<Record<string, never>> {
  const options = {
    ...hooks,
    host: config.host,
    port: config.port,
    database: config.database,
    user: config.username,
    pass: config.password ?? "",
    max: 1,
    // The socket is ready and encrypted when the driver gets it.
    ssl: false,
    connect_timeout: CONNECT_MS_MAX / 1_000,
    idle_timeout: 0,
    max_pipeline: 0,
    // A connection that is lost over this question of the driver's own ends the process.
    fetch_types: false,
    types: TYPES,
    onnotice: () => undefined,
    connection: {
      application_name: "islet",
      TimeZone: "UTC",
      DateStyle: "ISO",
      bytea_output: "hex",
      // A worker that dies or hangs must not hold locks.
      idle_in_transaction_session_timeout: SQL_IDLE_MS_MAX * 2,
      statement_timeout: Math.min(
        config.statement_timeout_ms || SQL_LEASE_MS_MAX,
        SQL_LEASE_MS_MAX,
      ),
      ...(config.read_only ? { default_transaction_read_only: "on" } : {}),
    },
  };
  return options as unknown as Options<Record<string, never>>;
}
