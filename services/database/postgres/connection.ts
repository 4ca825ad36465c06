// A connection to Postgres, as the parts of this folder see it; the driver is behind ../postgres.ts.

import type { Column, ResultSet } from "../../../sdk/services/database.ts";
import type { Value } from "../../../sdk/services/values.ts";
import type { PooledConnection } from "./pool.ts";

/** With parameters as Postgres has them. */
export interface Prepared {
  readonly text: string;
  readonly parameters: number;
  readonly params: readonly Value[];
}

export interface Page {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Value[])[];
  readonly bytes: number;
}

/** One call at a time; each rejects with an EdgeError. When a signal aborts, the statement is ended in the server. */
export interface Connection extends PooledConnection {
  run(statement: Prepared, signal: AbortSignal): Promise<ResultSet>;
  /** Statements without parameters, in one message; the server's word for the last one. */
  script(sql: string, signal: AbortSignal): Promise<string>;
  /** The first page of a cursor. A connection that has one open serves nothing else. */
  open(statement: Prepared, rows: number, signal: AbortSignal): Promise<Page>;
  next(signal: AbortSignal): Promise<Page>;
}
