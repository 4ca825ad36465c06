// SQLite as a backend of databases: files, run by processes of their own (sqlite/main.ts), which the worker can kill.
// All workers of a node open the same files; SQLite's write-ahead log lets them read while one of them writes.

import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { EdgeError } from "../../sdk/errors.ts";
import {
  SQL_IDLE_MS_MAX,
  type Cursor,
  type DatabaseBackend,
  type ResultSet,
  type Statement,
  type Transaction,
} from "../../sdk/services/database.ts";
import type { Value } from "../../sdk/services/values.ts";
import { parseScript } from "./sql-text.ts";
import { dateText, jsonText, StatementReader } from "./statement-reader.ts";
import { SqlitePool } from "./sqlite/pool.ts";
import type { SqliteProcess } from "./sqlite/process.ts";
import type { Job, Page, SqliteFile, SqliteStatement, SqlValue } from "./sqlite/protocol.ts";

/** Of one file; what D1 has at most. */
const DATABASE_BYTES_MAX: number = 10 * 1_024 ** 3;
/** Files' names have at most 255 bytes. */
const NAME_CHARS_MAX = 200;

export type SqlitePlace =
  /** Every database is a file of this folder. */
  | { readonly folder: string }
  /** There is one database. */
  | { readonly path: string; readonly create: boolean };

export interface SqliteOptions {
  readonly place: SqlitePlace;
  readonly databaseBytesMax?: number;
}

export async function openSqlite(options: SqliteOptions): Promise<DatabaseBackend> {
  const { place, databaseBytesMax: bytesMax = DATABASE_BYTES_MAX } = options;
  if ("folder" in place) await mkdir(place.folder, { recursive: true });
  const reader = new StatementReader("sqlite");
  const pool = new SqlitePool();
  const fileOf = (database: string): SqliteFile =>
    "path" in place
      ? { path: place.path, create: place.create, bytesMax }
      : { path: join(place.folder, fileName(database)), create: true, bytesMax };
  // A folder has no file of its own that could be asked.
  const probed = "path" in place ? fileOf("") : { path: ":memory:", create: true, bytesMax };
  const once = async <T>(
    signal: AbortSignal,
    work: (process: SqliteProcess) => Promise<T>,
  ): Promise<T> => {
    const process = await pool.take({ lasting: false, signal });
    try {
      return await work(process);
    } finally {
      pool.give(process);
    }
  };
  const run = (
    database: string,
    statements: readonly SqliteStatement[],
    signal: AbortSignal,
  ): Promise<readonly ResultSet[]> =>
    once(signal, async (process) => {
      const job: Job = { op: "run", file: fileOf(database), statements };
      const { results = [] } = await process.work(job, signal);
      return results;
    });

  return {
    dialect: "sqlite",
    async run(database, statements, signal) {
      return run(database, readAll(reader, statements), signal);
    },
    async exec(database, script, signal) {
      const parsed = parseScript(script, { dialect: "sqlite", bound: false });
      const statements = parsed.map(({ text }) => ({ text, params: [] }));
      if (statements.length > 0) await run(database, statements, signal);
      return statements.length;
    },
    async begin(database, { readOnly }, signal) {
      const lease = await Lease.take(pool, fileOf(database), signal);
      await lease.start({ op: "begin", file: lease.file, readOnly }, signal);
      return new SqliteTransaction(lease, reader);
    },
    async open(database, statement, { rows }, signal) {
      const lease = await Lease.take(pool, fileOf(database), signal);
      const [read] = readAll(reader, [statement]);
      if (read === undefined) throw new EdgeError("SERVICE_INPUT");
      const page = await lease.start(
        { op: "open", file: lease.file, statement: read, rows },
        signal,
      );
      return new SqliteCursor(lease, page ?? { columns: [], rows: [], bytes: 0 });
    },
    probe: (signal) =>
      once(signal, async (process) => {
        const { version } = await process.work({ op: "probe", file: probed }, signal);
        return { version: `SQLite ${version}` };
      }),
    close: () => pool.close(),
  };
}

/** Any name, as that of one file: endpoints choose it. */
function fileName(database: string): string {
  const encoded = encodeURIComponent(database.toWellFormed());
  if (encoded.length <= NAME_CHARS_MAX) return `${encoded}.db`;
  return `${createHash("sha256").update(encoded).digest("hex")}.db`;
}

function readAll(reader: StatementReader, statements: readonly Statement[]): SqliteStatement[] {
  return statements.map((statement) => {
    const { text } = reader.read(statement);
    return { text, params: statement.params.map(toSqlValue) };
  });
}

/** SQLite has five types; the rest becomes what its own functions understand. */
function toSqlValue(value: Value): SqlValue {
  switch (typeof value) {
    case "boolean":
      return value ? 1 : 0;
    case "number":
    case "bigint":
    case "string":
      return value;
    case "object":
      if (value === null || value instanceof Uint8Array) return value;
      if (value instanceof Date) return dateText(value);
      return jsonText(value);
    default:
      throw new EdgeError("SERVICE_INPUT", `A parameter is ${typeof value}; null is for nothing.`);
  }
}

/** A process for one transaction or cursor, until that is over. */
class Lease {
  readonly file: SqliteFile;
  readonly #pool: SqlitePool;
  readonly #process: SqliteProcess;
  #over = false;

  static async take(pool: SqlitePool, file: SqliteFile, signal: AbortSignal): Promise<Lease> {
    return new Lease(pool, file, await pool.take({ lasting: true, signal }));
  }

  private constructor(pool: SqlitePool, file: SqliteFile, process: SqliteProcess) {
    this.#pool = pool;
    this.file = file;
    this.#process = process;
  }

  /** The first job; if it fails the lease is over. */
  async start(job: Job, signal: AbortSignal): Promise<Page | undefined> {
    try {
      return (await this.work(job, signal)).page;
    } catch (error) {
      this.end();
      throw error;
    }
  }

  async work(
    job: Job,
    signal: AbortSignal,
  ): Promise<{ readonly results?: readonly ResultSet[]; readonly page?: Page }> {
    if (this.#over) throw new EdgeError("SERVICE_INPUT", "The transaction or cursor is over.");
    return this.#process.work(job, signal);
  }

  /** The last job. What it cannot do, the end of the process does. */
  async finish(job: Job): Promise<void> {
    if (this.#over) return;
    try {
      await this.#process.work(job, AbortSignal.timeout(SQL_IDLE_MS_MAX));
    } catch {
      this.#process.kill();
    }
    this.end();
  }

  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#pool.give(this.#process);
  }
}

class SqliteTransaction implements Transaction {
  readonly #lease: Lease;
  readonly #reader: StatementReader;

  constructor(lease: Lease, reader: StatementReader) {
    this.#lease = lease;
    this.#reader = reader;
  }

  async run(statements: readonly Statement[], signal: AbortSignal): Promise<readonly ResultSet[]> {
    const { file } = this.#lease;
    const job: Job = { op: "query", file, statements: readAll(this.#reader, statements) };
    const { results = [] } = await this.#lease.work(job, signal);
    return results;
  }

  async commit(signal: AbortSignal): Promise<void> {
    try {
      await this.#lease.work({ op: "commit", file: this.#lease.file }, signal);
    } finally {
      this.#lease.end();
    }
  }

  rollback(): Promise<void> {
    return this.#lease.finish({ op: "rollback", file: this.#lease.file });
  }
}

class SqliteCursor implements Cursor {
  readonly columns: Cursor["columns"];
  readonly #lease: Lease;
  #first: Page | null;

  constructor(lease: Lease, page: Page) {
    this.#lease = lease;
    this.#first = page;
    this.columns = page.columns.map((name) => ({ name, json: false }));
  }

  async next(signal: AbortSignal): Promise<Page> {
    const page = this.#first;
    this.#first = null;
    if (page !== null) return page;
    const { page: next } = await this.#lease.work({ op: "next", file: this.#lease.file }, signal);
    return next ?? { columns: [], rows: [], bytes: 0 };
  }

  close(): Promise<void> {
    return this.#lease.finish({ op: "close", file: this.#lease.file });
  }
}
