// D1PreparedStatement, as Workers code knows it.

import type { SqlMeta } from "../../../sdk/author/database.ts";
import { exposeInterface } from "../interface.ts";
import { runOne, type SqlRunner } from "./sql-runner.ts";
import {
  toOwn,
  toParams,
  toRow,
  toRows,
  type PackedStatement,
  type Result,
  type Row,
} from "./sql-values.ts";
import { ServiceError } from "./service-error.ts";

export interface D1Result {
  readonly success: true;
  readonly meta: SqlMeta;
  readonly results: readonly Row[];
}

const toNumber = Number;
/** Only what is made here has it. */
const INTERNAL = {};

export let createStatement: (runner: SqlRunner, sql: unknown) => D1PreparedStatement;
/** What crosses of it; throws a TypeError for anything else. */
export let packStatement: (statement: unknown) => PackedStatement;

/** Rows read and written are those that came back and those that changed: SQLite tells no more. */
export function toD1Result(result: Result): D1Result {
  const { changes, lastRowId, databaseBytes, durationMs, rows } = result;
  return {
    success: true,
    meta: {
      duration: durationMs,
      changes,
      last_row_id: toNumber(lastRowId),
      changed_db: changes > 0,
      size_after: databaseBytes,
      rows_read: rows.length,
      rows_written: changes,
    },
    results: toRows(result, "d1"),
  };
}

export class D1PreparedStatement {
  readonly #runner: SqlRunner;
  readonly #packed: PackedStatement;

  constructor(internal: unknown, runner: SqlRunner, packed: PackedStatement) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    this.#runner = runner;
    this.#packed = packed;
  }

  static {
    createStatement = (runner, sql) => {
      return new D1PreparedStatement(INTERNAL, runner, [`${sql as string}`, []]);
    };
    packStatement = (statement) => {
      if (typeof statement === "object" && statement !== null && #packed in statement) {
        return statement.#packed;
      }
      throw new TypeError("A batch is a list of what prepare() and bind() give.");
    };
  }

  bind(...values: unknown[]): D1PreparedStatement {
    return new D1PreparedStatement(INTERNAL, this.#runner, [this.#packed[0], toParams(values)]);
  }

  /** The first row, or one column of it; null when there is none. */
  async first(column: unknown = undefined): Promise<unknown> {
    const { columns, rows } = await runOne(this.#runner, this.#packed);
    const row = rows[0];
    if (row === undefined) return null;
    if (column === undefined || column === null) return toRow(columns, row, "d1");
    for (let at = columns.length - 1; at >= 0; at--) {
      if (columns[at] === column) return toOwn(row[at], "d1");
    }
    const text = `D1_COLUMN_NOTFOUND: The result has no column "${column as string}".`;
    throw new ServiceError("SERVICE_INPUT", text);
  }

  async all(): Promise<D1Result> {
    return toD1Result(await runOne(this.#runner, this.#packed));
  }

  async run(): Promise<D1Result> {
    return toD1Result(await runOne(this.#runner, this.#packed));
  }

  /** Rows as lists; with `columnNames` the names are the first of them. */
  async raw(options: { readonly columnNames?: unknown } = {}): Promise<unknown[][]> {
    const { columnNames = false } = options;
    const { columns, rows } = await runOne(this.#runner, this.#packed);
    const lists: unknown[][] = [];
    if (columnNames === true) lists[0] = columns as unknown[];
    for (let index = 0; index < rows.length; index++) {
      const row = rows[index] as readonly never[];
      const list: unknown[] = [];
      for (let at = 0; at < row.length; at++) list[at] = toOwn(row[at], "d1");
      lists[lists.length] = list;
    }
    return lists;
  }
}

exposeInterface(D1PreparedStatement, "D1PreparedStatement");
