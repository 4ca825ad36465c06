// Migrations: scripts that are applied to a database once each, in an order that is the caller's. Which were is kept in
// a table of the database itself, wrangler's by name and shape. A script and the note that it was applied are one
// transaction, so that a database is before a script or after it, whatever dies meanwhile.
//
//   applied  [table]                    -> [[name, applied at]], in their order
//   migrate  [table, name, script]      -> whether it was applied now; false: it had been before

import {
  MIGRATION_NAME_CHARS_MAX,
  MIGRATIONS_TABLE_NAME,
  SQL_SCRIPT_BYTES_MAX,
  type DatabaseBackend,
  type Dialect,
  type Statement,
  type Transaction,
} from "../../sdk/services/database.ts";
import { EdgeError } from "../../sdk/errors.ts";
import type { Value } from "../../sdk/services/values.ts";
import { limitText, readText } from "../arguments.ts";
import type { Method } from "../port.ts";
import { parseScript, type ParsedStatement } from "./sql-text.ts";
import type { DatabasePortOptions } from "./transactions.ts";
import { packResults } from "./wire.ts";

/** Any number; whoever migrates a database of Postgres takes this lock, and the other waits. */
const LOCK = "SELECT pg_advisory_xact_lock(7116021905)";

interface Words {
  readonly create: (table: string) => string;
  /** Whether there is the table: a row, or none. */
  readonly find: string;
  /** Run first: from then on nobody else migrates. SQLite has one writer anyway. */
  readonly lock: readonly string[];
}

const WORDS: Readonly<Record<Dialect, Words>> = {
  sqlite: {
    create: (table) =>
      `CREATE TABLE IF NOT EXISTS "${table}" (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, ` +
      `applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)`,
    find: "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower(?)",
    lock: [],
  },
  postgres: {
    create: (table) =>
      `CREATE TABLE IF NOT EXISTS "${table}" (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ` +
      `name text UNIQUE, applied_at timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL)`,
    find: `SELECT 1 WHERE to_regclass('"' || $1::text || '"') IS NOT NULL`,
    lock: [LOCK],
  },
};

export function createMigrationMethods({
  actor,
  database,
  caller,
}: DatabasePortOptions): Readonly<Record<string, Method>> {
  return {
    async applied([given], context) {
      const table = readTable(given);
      const results = await actor.run(
        async (backend, signal) => {
          const { find } = WORDS[backend.dialect];
          const there = await backend.run(database, [{ sql: find, params: [table] }], signal);
          if (there[0]?.rows.length !== 1) return [];
          const sql = `SELECT name, applied_at FROM "${table}" ORDER BY id`;
          return backend.run(database, [statement(sql)], signal);
        },
        { caller, signal: context.signal },
      );
      packResults(results, context);
      return results[0]?.rows ?? [];
    },
    async migrate([given, file, script], context) {
      const table = readTable(given);
      const name = readName(file);
      const text = limitText(readText(script, "sql"), "The SQL", SQL_SCRIPT_BYTES_MAX);
      return actor.run(
        (backend, signal) => migrate(backend, { database, table, name, text }, signal),
        { caller, signal: context.signal },
      );
    },
  };
}

interface Migration {
  readonly database: string;
  readonly table: string;
  readonly name: string;
  readonly text: string;
}

async function migrate(
  backend: DatabaseBackend,
  { database, table, name, text }: Migration,
  signal: AbortSignal,
): Promise<boolean> {
  const { create, lock } = WORDS[backend.dialect];
  const statements = parseScript(text, { dialect: backend.dialect, bound: false });
  const transaction = await backend.begin(database, { readOnly: false }, signal);
  try {
    await transaction.run([...lock, create(table)].map(statement), signal);
    const known = { sql: `SELECT 1 FROM "${table}" WHERE name = ?`, params: [name] };
    const [found] = await transaction.run([known], signal);
    if (found !== undefined && found.rows.length > 0) return false;
    for (const each of statements) await apply(transaction, { name, statement: each }, signal);
    const note = { sql: `INSERT INTO "${table}" (name) VALUES (?)`, params: [name] };
    await transaction.run([note], signal);
    await transaction.commit(signal);
    return true;
  } finally {
    await transaction.rollback();
  }
}

/** One by one, so that an error is that of a line. */
async function apply(
  transaction: Transaction,
  { name, statement: { text, line } }: { name: string; statement: ParsedStatement },
  signal: AbortSignal,
): Promise<void> {
  try {
    await transaction.run([statement(text)], signal);
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    const detail = { ...error.detail, file: name, line };
    throw new EdgeError(error.code, `${name}:${line}: ${error.message}`, { detail, cause: error });
  }
}

function statement(sql: string): Statement {
  return { sql, params: [] };
}

/** It becomes part of the SQL. */
function readTable(value: Value): string {
  const table = readText(value, "table");
  if (MIGRATIONS_TABLE_NAME.test(table)) return table;
  const text = "table: 1 to 63 letters, digits and _ are expected, not beginning with a digit.";
  throw new EdgeError("SERVICE_INPUT", text);
}

function readName(value: Value): string {
  const name = readText(value, "name");
  if (name.length >= 1 && name.length <= MIGRATION_NAME_CHARS_MAX) return name;
  const text = `name: 1 to ${MIGRATION_NAME_CHARS_MAX} characters are expected.`;
  throw new EdgeError("SERVICE_INPUT", text);
}
