// One database file, open in a process that runs SQLite. Nothing here waits for anything but SQLite.

import { DatabaseSync, type StatementSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { EdgeError } from "../../../sdk/errors.ts";
import {
  SQL_CELL_BYTES,
  SQL_RESULT_BYTES_MAX,
  type ResultSet,
} from "../../../sdk/services/database.ts";
import { Authorizer } from "./authorizer.ts";
import { describeSqliteError } from "./errors.ts";
import type { Page, SqliteFile, SqliteStatement, SqlValue } from "./protocol.ts";

/** Compiled statements that are kept: a handler has a few dozen. */
const STATEMENTS_MAX = 100;
/** Longer ones are compiled each time: nobody says them twice. */
const STATEMENT_CHARS_MAX = 10_000;
/** Of a text, a blob or a row. SQLite's own limit is a gigabyte, which a process here does not have. */
const VALUE_BYTES_MAX: number = SQL_RESULT_BYTES_MAX;
/** How long a writer waits for another one. Whoever holds the lock for longer has been left alone and loses it. */
const BUSY_MS_MAX = 10_000;
/** What a finished checkpoint leaves of the write-ahead log. */
const LOG_BYTES_KEPT = 16_777_216;

interface Compiled {
  readonly statement: StatementSync;
  readonly writes: boolean;
  readonly hasColumns: boolean;
}

interface Reading {
  readonly statement: StatementSync;
  readonly rows: Iterator<unknown>;
  readonly count: number;
}

export class SqliteConnection {
  readonly #database: DatabaseSync;
  readonly #authorizer = new Authorizer();
  readonly #compiled = new Map<string, Compiled>();
  readonly #totals: StatementSync;
  readonly #pages: StatementSync;
  readonly #pageBytes: number;
  #begun = false;
  #reading: Reading | null = null;

  /** Throws EdgeError. */
  constructor({ path, create, bytesMax }: SqliteFile) {
    try {
      this.#database = new DatabaseSync(create ? path : new URL("?mode=rw", pathToFileURL(path)), {
        readBigInts: true,
        returnArrays: true,
        enableForeignKeyConstraints: true,
        enableDoubleQuotedStringLiterals: false,
        timeout: BUSY_MS_MAX,
        limits: { attach: 0, length: VALUE_BYTES_MAX },
      });
      const database = this.#database;
      database.enableDefensive(true);
      // FULL: what was committed survives a power cut, as with every other database.
      database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
      database.exec(`PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = ${LOG_BYTES_KEPT}`);
      this.#pageBytes = Number(first(database.prepare("PRAGMA page_size").get()));
      const pagesMax = Math.max(1, Math.floor(bytesMax / this.#pageBytes));
      database.exec(`PRAGMA max_page_count = ${pagesMax}`);
      this.#totals = database.prepare("SELECT total_changes(), changes(), last_insert_rowid()");
      this.#pages = database.prepare("PRAGMA page_count");
      database.setAuthorizer((action, one, two) => this.#authorizer.decide(action, one, two));
    } catch (error) {
      throw describeSqliteError(error, null);
    }
  }

  /** One statement, or several as one transaction. */
  run(statements: readonly SqliteStatement[]): readonly ResultSet[] {
    if (statements.length === 1) return this.query(statements);
    this.begin({ readOnly: !this.#anyWrites(statements) });
    try {
      const results = this.query(statements);
      this.commit();
      return results;
    } catch (error) {
      this.rollback();
      throw error;
    }
  }

  /** Within the transaction that runs, if one does. */
  query(statements: readonly SqliteStatement[]): readonly ResultSet[] {
    let bytes = 0;
    return statements.map((statement) => {
      // A conflict clause or a trigger may have rolled it back on its own; what follows must not be kept alone.
      if (this.#begun && !this.#database.isTransaction) throw rolledBack();
      const result = this.#translated(() => this.#execute(statement, SQL_RESULT_BYTES_MAX - bytes));
      bytes += result.bytes;
      return result;
    });
  }

  begin({ readOnly }: { readonly readOnly: boolean }): void {
    this.#own(readOnly ? "BEGIN" : "BEGIN IMMEDIATE");
    if (readOnly) this.#own("PRAGMA query_only = 1");
    this.#authorizer.savepoints = true;
    this.#begun = true;
  }

  commit(): void {
    if (!this.#database.isTransaction) {
      this.rollback();
      throw rolledBack();
    }
    try {
      this.#own("COMMIT");
    } catch (error) {
      this.rollback();
      throw error;
    }
    this.#over();
  }

  rollback(): void {
    if (this.#database.isTransaction) this.#own("ROLLBACK");
    this.#over();
  }

  open(statement: SqliteStatement, count: number): Page {
    return this.#translated(() => {
      const { statement: compiled } = this.#compile(statement.text);
      this.#reading = {
        statement: compiled,
        rows: compiled.iterate(...statement.params) as Iterator<unknown>,
        count,
      };
      return this.#page(this.#reading);
    });
  }

  /** The next rows of what was opened. */
  next(): Page {
    const reading = this.#reading;
    if (reading === null) throw new EdgeError("SERVICE_INPUT", "The cursor is closed.");
    return this.#translated(() => this.#page(reading));
  }

  closeCursor(): void {
    this.#reading?.rows.return?.();
    this.#reading = null;
  }

  close(): void {
    this.#compiled.clear();
    this.#database.close();
  }

  version(): string {
    return String(first(this.#database.prepare("SELECT sqlite_version()").get()));
  }

  #over(): void {
    this.#authorizer.savepoints = false;
    this.#begun = false;
    this.#own("PRAGMA query_only = 0");
  }

  #own(sql: string): void {
    this.#authorizer.trusted = true;
    try {
      this.#database.exec(sql);
    } catch (error) {
      throw describeSqliteError(error, null);
    } finally {
      this.#authorizer.trusted = false;
    }
  }

  #anyWrites(statements: readonly SqliteStatement[]): boolean {
    try {
      return statements.some(({ text }) => this.#compile(text).writes);
    } catch {
      // It needs what a statement before it makes; or is wrong, and will say so when its turn comes.
      return true;
    }
  }

  #compile(text: string): Compiled {
    const known = this.#compiled.get(text);
    if (known !== undefined) {
      this.#compiled.delete(text);
      this.#compiled.set(text, known);
      return known;
    }
    this.#authorizer.writes = false;
    this.#authorizer.asked = false;
    const statement = this.#prepare(text);
    const writes = this.#authorizer.writes || !this.#authorizer.asked;
    const compiled = { statement, writes, hasColumns: statement.columns().length > 0 };
    if (text.length <= STATEMENT_CHARS_MAX) this.#compiled.set(text, compiled);
    if (this.#compiled.size > STATEMENTS_MAX) {
      const [oldest = ""] = this.#compiled.keys();
      this.#compiled.delete(oldest);
    }
    return compiled;
  }

  /** Some errors come of a table as it was before another process changed it; reading the file tells. */
  #prepare(text: string): StatementSync {
    try {
      return this.#database.prepare(text);
    } catch (error) {
      if (this.#authorizer.reason !== null) throw error;
      this.#own("SELECT 1 FROM sqlite_schema LIMIT 1");
      return this.#database.prepare(text);
    }
  }

  #execute({ text, params }: SqliteStatement, bytesMax: number): ResultSet {
    const started = performance.now();
    const { statement, hasColumns } = this.#compile(text);
    const before = this.#changes();
    const rows: SqlValue[][] = [];
    let bytes = 0;
    if (hasColumns) {
      for (const row of statement.iterate(...params) as Iterable<unknown>) {
        const values = readRow(row);
        bytes += sizeOf(values);
        if (bytes > bytesMax) throw tooLarge();
        rows.push(values);
      }
    } else {
      statement.run(...params);
    }
    const after = this.#changes();
    return {
      columns: columnsOf(statement),
      rows,
      changes: after.total === before.total ? 0 : after.last,
      lastRowId: after.rowId,
      databaseBytes: Number(first(this.#pages.get())) * this.#pageBytes,
      bytes,
      durationMs: performance.now() - started,
    };
  }

  #page({ statement, rows, count }: Reading): Page {
    const found: SqlValue[][] = [];
    let bytes = 0;
    while (found.length < count && bytes < SQL_RESULT_BYTES_MAX) {
      const next = rows.next();
      if (next.done === true) break;
      const values = readRow(next.value);
      bytes += sizeOf(values);
      found.push(values);
    }
    return { columns: columnsOf(statement).map(({ name }) => name), rows: found, bytes };
  }

  #changes(): { total: number; last: number; rowId: number | bigint } {
    const [total, last, rowId] = readRow(this.#totals.get());
    return {
      total: Number(total),
      last: Number(last),
      rowId: typeof rowId === "bigint" ? rowId : Number(rowId),
    };
  }

  #translated<T>(work: () => T): T {
    this.#authorizer.reason = null;
    try {
      return work();
    } catch (error) {
      throw describeSqliteError(error, this.#authorizer.reason);
    }
  }
}

/** After it ran: another process may have changed the table, and the statement was compiled anew. */
function columnsOf(statement: StatementSync): { name: string; json: boolean }[] {
  return statement.columns().map(({ name }) => ({ name, json: false }));
}

function readRow(row: unknown): SqlValue[] {
  const values = row as SqlValue[];
  for (let at = 0; at < values.length; at++) {
    const value = values[at];
    if (typeof value === "bigint") values[at] = exact(value);
  }
  return values;
}

function first(row: unknown): SqlValue {
  return readRow(row)[0] ?? null;
}

function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function sizeOf(values: readonly SqlValue[]): number {
  let bytes = SQL_CELL_BYTES;
  for (const value of values) {
    bytes += SQL_CELL_BYTES;
    if (typeof value === "string") bytes += 2 * value.length;
    else if (value instanceof Uint8Array) bytes += value.byteLength;
  }
  return bytes;
}

function tooLarge(): EdgeError {
  const text = `The rows take more than ${SQL_RESULT_BYTES_MAX} bytes. Ask for fewer, or use a cursor.`;
  return new EdgeError("SERVICE_TOO_LARGE", text);
}

function rolledBack(): EdgeError {
  return new EdgeError(
    "SERVICE_FAILED",
    "A statement of the transaction has rolled it back: none of it was kept.",
  );
}
