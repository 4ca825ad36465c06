// SQL databases: the contract that every backend of them fulfils (test/contracts/database.ts runs on each), and what
// handlers may ask of it. The names that handlers see are those of Workers' D1Database, and the seeds'.

import type { Backend } from "./service.ts";
import type { Value } from "./values.ts";

/** Of one statement, in UTF-8; what D1 takes. */
export const SQL_BYTES_MAX = 100_000;
/** Of one `exec`: a migration, a dump. */
export const SQL_SCRIPT_BYTES_MAX: number = 10 * 1_024 * 1_024;
/** Of one statement. SQLite's own limit is 32 766, Postgres' 65 534. */
export const SQL_PARAMETERS_MAX = 32_766;
/** Statements of one batch: they hold up other writers while they run. */
export const SQL_BATCH_MAX = 1_000;
/** Of one call's parameters together: they are copied several times on their way. */
export const SQL_PARAMETER_BYTES_MAX: number = 16 * 1_024 * 1_024;
/** Of one call's rows together, as the worker holds them; a cursor has any number. */
export const SQL_RESULT_BYTES_MAX: number = 16 * 1_024 * 1_024;
/** What a value takes beside its own bytes, for that sum: a row of a million NULLs is not free. */
export const SQL_CELL_BYTES = 16;
/** Rows that a cursor gives at once, unless the handler says otherwise. */
export const SQL_CURSOR_ROWS = 100;
export const SQL_CURSOR_ROWS_MAX = 10_000;
/** A transaction or cursor that its handler leaves alone holds locks and a connection. */
export const SQL_IDLE_MS_MAX = 5_000;
/** The same of one that is never left alone. */
export const SQL_LEASE_MS_MAX = 60_000;
/** Of a migration's file, and of the table that keeps which were applied; file names have no more anywhere. */
export const MIGRATION_NAME_CHARS_MAX = 255;
/** Where nothing else is said: wrangler's. */
export const MIGRATIONS_TABLE = "d1_migrations";
/** An unquoted name in every dialect. */
export const MIGRATIONS_TABLE_NAME: RegExp = /^[A-Za-z_]\w{0,62}$/;
/** Transactions and cursors of one binding and worker that are open at once: half of a usual pool. */
export const SQL_LEASES_MAX = 5;
/** More of them that wait. */
export const SQL_LEASES_WAITING_MAX = 100;

export type Dialect = "sqlite" | "postgres";

export interface Statement {
  /** One statement, as the author wrote it: `?`, `?1` and `$1` are parameters in every dialect. */
  readonly sql: string;
  readonly params: readonly Value[];
}

export interface Column {
  readonly name: string;
  /** Values are JSON as text, alone or in lists: whoever shows them parses them. */
  readonly json: boolean;
}

export interface ResultSet {
  readonly columns: readonly Column[];
  /**
   * Whole numbers are numbers as long as those are exact, bigints beyond. Bytes are Uint8Array; Postgres has
   * booleans, dates (of timestamps, in UTC), lists (of arrays) and texts for what JavaScript has no type for.
   */
  readonly rows: readonly (readonly Value[])[];
  /** Rows that it inserted, changed or deleted. */
  readonly changes: number;
  /** Of SQLite: the last rowid that this connection gave; null elsewhere. */
  readonly lastRowId: number | bigint | null;
  /** Of SQLite: the file; 0 where nobody can say. */
  readonly databaseBytes: number;
  /** Of the rows, for whoever holds them. */
  readonly bytes: number;
  readonly durationMs: number;
}

/**
 * Several databases may live in one backend: every call names its own, which needs no making. Backends that have one
 * only leave the name alone. A statement whose signal aborts is ended in the server too.
 */
export interface DatabaseBackend extends Backend {
  readonly dialect: Dialect;
  /** Several statements are one transaction: all or none. */
  run(
    database: string,
    statements: readonly Statement[],
    signal: AbortSignal,
  ): Promise<readonly ResultSet[]>;
  /** Statements without parameters, one behind the other, all or none; how many there were. */
  exec(database: string, script: string, signal: AbortSignal): Promise<number>;
  begin(
    database: string,
    options: { readonly readOnly: boolean },
    signal: AbortSignal,
  ): Promise<Transaction>;
  open(
    database: string,
    statement: Statement,
    options: { readonly rows: number },
    signal: AbortSignal,
  ): Promise<Cursor>;
}

/** Has a connection of its own. One call at a time. */
export interface Transaction {
  /** A failed statement leaves the transaction to be rolled back, or to a savepoint. */
  run(statements: readonly Statement[], signal: AbortSignal): Promise<readonly ResultSet[]>;
  /** When it resolves, all is durable. Whatever happens, the transaction is over. */
  commit(signal: AbortSignal): Promise<void>;
  /** Idempotent, and never fails: what cannot be rolled back by asking is by losing the connection. */
  rollback(): Promise<void>;
}

/** Has a connection of its own. One call at a time. */
export interface Cursor {
  readonly columns: readonly Column[];
  /** Empty at the end. */
  next(signal: AbortSignal): Promise<{ rows: readonly (readonly Value[])[]; bytes: number }>;
  /** Idempotent, never fails. */
  close(): Promise<void>;
}
