// The face of a database binding: Workers' D1Database, and beside it sql`…`, query, queryOne, execute, transaction,
// cursor and health, which are the seeds' and ours.

import type { Value } from "../../../sdk/services/values.ts";
import { exposeInterface } from "../interface.ts";
import type { ServiceClient } from "./client.ts";
import { createCursor, type SqlCursor } from "./sql-cursor.ts";
import { createRunner, execute, query, queryTemplate, type SqlRunner } from "./sql-runner.ts";
import {
  createStatement,
  packStatement,
  toD1Result,
  type D1PreparedStatement,
  type D1Result,
} from "./sql-statement.ts";
import { toParams, type PackedStatement, type Row } from "./sql-values.ts";

type Fields = Readonly<Record<string, unknown>>;

const isArray = Array.isArray;
const now = Date.now;
/** Only what is made here has it. */
const INTERNAL = {};

let createWith: (client: ServiceClient) => D1Database;

async function batch(runner: SqlRunner, statements: unknown): Promise<D1Result[]> {
  if (!isArray(statements)) throw new TypeError("A batch is a list of statements.");
  const packed: PackedStatement[] = [];
  for (let at = 0; at < statements.length; at++) packed[at] = packStatement(statements[at]);
  const results = await runner.run(packed);
  const shown: D1Result[] = [];
  for (let at = 0; at < results.length; at++) shown[at] = toD1Result(results[at] as never);
  return shown;
}

class D1Database {
  readonly #client: ServiceClient;
  readonly #runner: SqlRunner;

  constructor(internal: unknown, client: ServiceClient) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    this.#client = client;
    this.#runner = createRunner(client);
  }

  static {
    createWith = (client) => new D1Database(INTERNAL, client);
  }

  prepare(sql: unknown): D1PreparedStatement {
    return createStatement(this.#runner, sql);
  }

  /** All statements, or none. */
  batch(statements: unknown): Promise<D1Result[]> {
    return batch(this.#runner, statements);
  }

  /** Statements without parameters, one behind the other: all, or none. */
  async exec(sql: unknown): Promise<{ count: number; duration: number }> {
    const started = now();
    const count = await this.#client.call("exec", [`${sql as string}`]);
    return { count: count as number, duration: now() - started };
  }

  /** There is one copy of a database here, so every session sees everything. */
  withSession(_constraint: unknown = undefined): D1DatabaseSession {
    return new D1DatabaseSession(INTERNAL, this.#runner);
  }

  /** The rows of a query: sql`SELECT * FROM pets WHERE id = ${id}`. */
  sql(strings: unknown, ...values: unknown[]): Promise<Row[]> {
    return queryTemplate(this.#runner, strings, values);
  }

  query(sql: unknown, params: unknown = undefined): Promise<Row[]> {
    return query(this.#runner, sql, params);
  }

  async queryOne(sql: unknown, params: unknown = undefined): Promise<Row | null> {
    return (await query(this.#runner, sql, params))[0] ?? null;
  }

  /** How many rows it changed. */
  execute(sql: unknown, params: unknown = undefined): Promise<number> {
    return execute(this.#runner, sql, params);
  }

  /**
   * What `work` does with the transaction that it is given is kept when it returns, and undone when it throws, or when
   * the request ends before.
   */
  async transaction(work: unknown, options: Fields = {}): Promise<unknown> {
    if (typeof work !== "function") throw new TypeError("transaction takes a function.");
    const { readOnly = false } = options;
    const id = await this.#client.call("begin", [{ readOnly: readOnly === true }]);
    let result: unknown;
    try {
      result = await (work as (transaction: DatabaseTransaction) => unknown)(
        new DatabaseTransaction(INTERNAL, createRunner(this.#client, id)),
      );
    } catch (error) {
      await this.#rollback(id);
      throw error;
    }
    await this.#client.call("commit", [id]);
    return result;
  }

  /** Rows one by one, for results of any size: for await (const row of db.cursor("SELECT …")) */
  cursor(sql: unknown, params: unknown = undefined, options: Fields = {}): SqlCursor {
    const { rows } = options;
    const statement: PackedStatement = [`${sql as string}`, toParams(params)];
    return createCursor(this.#client, statement, { rows: rows as Value });
  }

  async health(): Promise<Fields> {
    try {
      const probe = (await this.#client.call("probe", [])) as Fields;
      return { ok: true, version: probe["version"], latencyMs: probe["latencyMs"] };
    } catch (error) {
      const { code, message } = error as Fields;
      return { ok: false, code, message };
    }
  }

  /** It is over anyway: what went wrong before is what the author should see. */
  async #rollback(id: Value): Promise<void> {
    try {
      await this.#client.call("rollback", [id]);
    } catch {
      // Ended already, by its time or by the database.
    }
  }
}

class D1DatabaseSession {
  readonly #runner: SqlRunner;

  constructor(internal: unknown, runner: SqlRunner) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    this.#runner = runner;
  }

  prepare(sql: unknown): D1PreparedStatement {
    return createStatement(this.#runner, sql);
  }

  batch(statements: unknown): Promise<D1Result[]> {
    return batch(this.#runner, statements);
  }

  getBookmark(): null {
    return null;
  }
}

/** What `transaction` gives its function. */
class DatabaseTransaction {
  readonly #runner: SqlRunner;

  constructor(internal: unknown, runner: SqlRunner) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    this.#runner = runner;
  }

  prepare(sql: unknown): D1PreparedStatement {
    return createStatement(this.#runner, sql);
  }

  batch(statements: unknown): Promise<D1Result[]> {
    return batch(this.#runner, statements);
  }

  sql(strings: unknown, ...values: unknown[]): Promise<Row[]> {
    return queryTemplate(this.#runner, strings, values);
  }

  query(sql: unknown, params: unknown = undefined): Promise<Row[]> {
    return query(this.#runner, sql, params);
  }

  async queryOne(sql: unknown, params: unknown = undefined): Promise<Row | null> {
    return (await query(this.#runner, sql, params))[0] ?? null;
  }

  execute(sql: unknown, params: unknown = undefined): Promise<number> {
    return execute(this.#runner, sql, params);
  }
}

exposeInterface(D1Database, "D1Database");
exposeInterface(D1DatabaseSession, "D1DatabaseSession");
exposeInterface(DatabaseTransaction, "DatabaseTransaction");

export function createDatabase(client: ServiceClient): object {
  return createWith(client);
}
