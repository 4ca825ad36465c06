// Databases on Postgres: statements, transactions and cursors over a pool of connections.

import { EdgeError } from "../../../sdk/errors.ts";
import {
  SQL_IDLE_MS_MAX,
  type Column,
  type Cursor,
  type DatabaseBackend,
  type ResultSet,
  type Statement,
  type Transaction,
} from "../../../sdk/services/database.ts";
import type { Probe } from "../../../sdk/services/service.ts";
import { parseScript } from "../sql-text.ts";
import { StatementReader } from "../statement-reader.ts";
import type { Connection, Page, Prepared } from "./connection.ts";
import { ConnectionPool } from "./pool.ts";
import { assertAllowed, taints } from "./rules.ts";

const BEGIN = "BEGIN";
/** The query fixes what the transaction sees, and with it that it only reads: no SET can change that any more. */
const BEGIN_READING = "BEGIN READ ONLY; SELECT 1";

export class PostgresBackend implements DatabaseBackend {
  readonly dialect = "postgres";
  readonly #pool: ConnectionPool<Connection>;
  readonly #reader = new StatementReader("postgres");

  /** `connect` is told the name that calls give, which says nothing where the server is one database. */
  constructor(connect: (database: string) => Connection, connectionsMax: number) {
    this.#pool = new ConnectionPool(connect, connectionsMax);
  }

  async run(
    database: string,
    statements: readonly Statement[],
    signal: AbortSignal,
  ): Promise<readonly ResultSet[]> {
    const [first, ...others] = this.#readAll(statements, false);
    if (first === undefined) return [];
    return this.#once(database, signal, async (connection) => {
      if (others.length === 0) return [await connection.run(first, signal)];
      return this.#together(connection, signal, () =>
        runAll(connection, [first, ...others], signal),
      );
    });
  }

  exec(database: string, script: string, signal: AbortSignal): Promise<number> {
    return this.#once(database, signal, async (connection) => {
      const statements = parseScript(script, { dialect: "postgres", bound: false });
      for (const statement of statements) assertAllowed(statement, false);
      // One message is one transaction, unless it has a single statement: some want to be alone.
      const sql = statements.map(({ text }) => text).join(";\n");
      if (sql !== "") await connection.script(sql, signal);
      if (statements.some(taints)) connection.close();
      return statements.length;
    });
  }

  async begin(
    database: string,
    { readOnly }: { readonly readOnly: boolean },
    signal: AbortSignal,
  ): Promise<Transaction> {
    const connection = await this.#pool.take(database, signal);
    const give = (): void => this.#pool.give(connection);
    try {
      await connection.script(readOnly ? BEGIN_READING : BEGIN, signal);
      const read = (statements: readonly Statement[]): Prepared[] =>
        this.#readAll(statements, true);
      return new PostgresTransaction({ connection, give, read });
    } catch (error) {
      connection.close();
      give();
      throw error;
    }
  }

  async open(
    database: string,
    statement: Statement,
    { rows }: { readonly rows: number },
    signal: AbortSignal,
  ): Promise<Cursor> {
    const [read] = this.#readAll([statement], false);
    const connection = await this.#pool.take(database, signal);
    const give = (): void => this.#pool.give(connection);
    try {
      if (read === undefined) throw new EdgeError("SERVICE_INPUT");
      return new PostgresCursor({
        connection,
        give,
        first: await connection.open(read, rows, signal),
      });
    } catch (error) {
      connection.close();
      give();
      throw error;
    }
  }

  probe(signal: AbortSignal, database = ""): Promise<Probe> {
    return this.#once(database, signal, async (connection) => {
      const statement = { text: "SELECT version()", parameters: 0, params: [] };
      const { rows } = await connection.run(statement, signal);
      const text = rows[0]?.[0];
      if (typeof text !== "string") return { version: "unknown" };
      return { version: /^\w+ [\d.]+/.exec(text)?.[0] ?? text };
    });
  }

  async close(): Promise<void> {
    this.#pool.close();
  }

  async #once<T>(
    database: string,
    signal: AbortSignal,
    work: (connection: Connection) => Promise<T>,
  ): Promise<T> {
    const connection = await this.#pool.take(database, signal);
    try {
      return await work(connection);
    } finally {
      this.#pool.give(connection);
    }
  }

  async #together<T>(
    connection: Connection,
    signal: AbortSignal,
    work: () => Promise<T>,
  ): Promise<T> {
    await connection.script(BEGIN, signal);
    try {
      const result = await work();
      await commit(connection, signal);
      return result;
    } catch (error) {
      await rollback(connection);
      throw error;
    }
  }

  #readAll(statements: readonly Statement[], within: boolean): Prepared[] {
    return statements.map((statement) => {
      const parsed = this.#reader.read(statement);
      assertAllowed(parsed, within);
      return { text: parsed.text, parameters: parsed.parameters, params: statement.params };
    });
  }
}

async function runAll(
  connection: Connection,
  statements: readonly Prepared[],
  signal: AbortSignal,
): Promise<readonly ResultSet[]> {
  const results: ResultSet[] = [];
  for (const statement of statements) results.push(await connection.run(statement, signal));
  return results;
}

async function commit(connection: Connection, signal: AbortSignal): Promise<void> {
  // A transaction in which something failed is not committed, and Postgres does not call that an error.
  if ((await connection.script("COMMIT", signal)) === "COMMIT") return;
  const text = "A statement of the transaction has failed, so none of it was kept.";
  throw new EdgeError("SERVICE_FAILED", text);
}

async function rollback(connection: Connection): Promise<void> {
  if (connection.worn) return connection.close();
  try {
    await connection.script("ROLLBACK", AbortSignal.timeout(SQL_IDLE_MS_MAX));
  } catch {
    connection.close();
  }
}

interface Leased {
  readonly connection: Connection;
  /** To be called once. */
  readonly give: () => void;
}

class PostgresTransaction implements Transaction {
  readonly #leased: Leased & { readonly read: (statements: readonly Statement[]) => Prepared[] };
  #over = false;

  constructor(
    leased: Leased & { readonly read: (statements: readonly Statement[]) => Prepared[] },
  ) {
    this.#leased = leased;
  }

  async run(statements: readonly Statement[], signal: AbortSignal): Promise<readonly ResultSet[]> {
    this.#assertOpen();
    return runAll(this.#leased.connection, this.#leased.read(statements), signal);
  }

  async commit(signal: AbortSignal): Promise<void> {
    this.#assertOpen();
    this.#over = true;
    try {
      await commit(this.#leased.connection, signal);
    } catch (error) {
      this.#leased.connection.close();
      throw error;
    } finally {
      this.#leased.give();
    }
  }

  async rollback(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    await rollback(this.#leased.connection);
    this.#leased.give();
  }

  #assertOpen(): void {
    if (this.#over) throw new EdgeError("SERVICE_INPUT", "The transaction is over.");
  }
}

class PostgresCursor implements Cursor {
  readonly columns: readonly Column[];
  readonly #leased: Leased;
  #first: Page | null;
  #over = false;

  constructor({ first, ...leased }: Leased & { readonly first: Page }) {
    this.columns = first.columns;
    this.#leased = leased;
    this.#first = first;
  }

  async next(signal: AbortSignal): Promise<Page> {
    if (this.#over) throw new EdgeError("SERVICE_INPUT", "The cursor is closed.");
    const page = this.#first ?? (await this.#leased.connection.next(signal));
    this.#first = null;
    return page;
  }

  /** A connection in the middle of an answer is of no use to anybody. */
  async close(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    this.#leased.connection.close();
    this.#leased.give();
  }
}
