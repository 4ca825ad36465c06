// Where statements run: on the binding, or within a transaction of it.

import type { Value } from "../../../sdk/services/values.ts";
import type { ServiceClient } from "./client.ts";
import {
  readResult,
  toParams,
  toRows,
  type PackedStatement,
  type Result,
  type Row,
} from "./sql-values.ts";

export interface SqlRunner {
  /** Several are one transaction. */
  run(statements: readonly PackedStatement[]): Promise<readonly Result[]>;
}

export function createRunner(client: ServiceClient, transaction: Value = null): SqlRunner {
  return {
    async run(statements) {
      const answer =
        transaction === null
          ? await client.call("run", [statements])
          : await client.call("within", [transaction, statements]);
      const packed = answer as readonly Value[];
      const results: Result[] = [];
      for (let at = 0; at < packed.length; at++) results[at] = readResult(packed[at]);
      return results;
    },
  };
}

export async function runOne(runner: SqlRunner, statement: PackedStatement): Promise<Result> {
  const results = await runner.run([statement]);
  return results[0] as Result;
}

/** The verbs of a database and of a transaction that are ours, and the seeds'. */
export async function query(runner: SqlRunner, sql: unknown, params: unknown): Promise<Row[]> {
  return toRows(await runOne(runner, [`${sql as string}`, toParams(params)]), "own");
}

export async function execute(runner: SqlRunner, sql: unknown, params: unknown): Promise<number> {
  const result = await runOne(runner, [`${sql as string}`, toParams(params)]);
  return result.changes;
}

/** A tagged template: what stands in braces are parameters, never SQL. */
export function queryTemplate(
  runner: SqlRunner,
  strings: unknown,
  values: readonly unknown[],
): Promise<Row[]> {
  const parts = strings as readonly string[];
  if (typeof strings !== "object" || strings === null || parts.length !== values.length + 1) {
    throw new TypeError("sql is a tag: write sql`SELECT ${value}`, not sql(…).");
  }
  let text = parts[0] as string;
  for (let at = 0; at < values.length; at++) text += `$${at + 1}${parts[at + 1]}`;
  return query(runner, text, values);
}
