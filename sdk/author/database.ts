// Types of a database binding: `interface Env { readonly DB: SqlDatabase }`. With Workers' own types, `D1Database` has
// the first half of it. test/services/database-face.test.ts uses the real one through these.

/** Of one row, by column. */
export type SqlRow = Record<string, unknown>;

/** A list, one value for each `?`, `?1` or `$1`. */
export type SqlParams = readonly unknown[];

export interface SqlMeta {
  /** Milliseconds. */
  readonly duration: number;
  readonly changes: number;
  readonly last_row_id: number;
  readonly changed_db: boolean;
  readonly size_after: number;
  readonly rows_read: number;
  readonly rows_written: number;
}

export interface SqlResult<Row = SqlRow> {
  readonly success: true;
  readonly meta: SqlMeta;
  readonly results: readonly Row[];
}

/** As Workers' D1PreparedStatement. */
export interface SqlStatement {
  bind(...values: unknown[]): SqlStatement;
  /** The first row, or null. */
  first<Row = SqlRow>(): Promise<Row | null>;
  /** One value of it. */
  first<Value>(column: string): Promise<Value | null>;
  all<Row = SqlRow>(): Promise<SqlResult<Row>>;
  run<Row = SqlRow>(): Promise<SqlResult<Row>>;
  /** Rows as lists; with `columnNames` the names are the first. */
  raw<Values extends readonly unknown[] = unknown[]>(options?: {
    readonly columnNames?: boolean;
  }): Promise<Values[]>;
}

/** What databases, their sessions and transactions have. */
export interface SqlStatements {
  prepare(sql: string): SqlStatement;
  /** All or none. */
  batch<Row = SqlRow>(statements: readonly SqlStatement[]): Promise<SqlResult<Row>[]>;
}

/** What databases and transactions have. */
export interface SqlRunner extends SqlStatements {
  /** What stands in braces is a parameter, never SQL. */
  sql<Row = SqlRow>(strings: TemplateStringsArray, ...values: unknown[]): Promise<Row[]>;
  query<Row = SqlRow>(sql: string, params?: SqlParams): Promise<Row[]>;
  queryOne<Row = SqlRow>(sql: string, params?: SqlParams): Promise<Row | null>;
  /** How many rows it changed. */
  execute(sql: string, params?: SqlParams): Promise<number>;
}

export type SqlHealth =
  | { readonly ok: true; readonly version: string; readonly latencyMs: number }
  | { readonly ok: false; readonly code: string; readonly message: string };

export interface SqlDatabase extends SqlRunner {
  /** Several statements without parameters: all or none. */
  exec(sql: string): Promise<{ readonly count: number; readonly duration: number }>;
  withSession(constraint?: string): SqlStatements & { getBookmark(): null };
  /** What `work` returns; what it did is kept then, and undone when it throws. */
  transaction<T>(
    work: (tx: SqlRunner) => Promise<T>,
    options?: { readonly readOnly?: boolean },
  ): Promise<T>;
  /** Results of any size, `rows` of them (100) at a time. */
  cursor<Row = SqlRow>(
    sql: string,
    params?: SqlParams,
    options?: { readonly rows?: number },
  ): AsyncIterableIterator<Row>;
  health(): Promise<SqlHealth>;
}
