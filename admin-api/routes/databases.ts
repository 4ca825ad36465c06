// SQL by an operator: one statement, a script, migrations. `{name}` is a service with `scope` beside it where it has
// several databases, or a database as bindings name it.

import type { Hono } from "hono";
import { parseInput } from "../../control/parse.ts";
import type { Json } from "../../sdk/errors.ts";
import { MIGRATIONS_TABLE } from "../../sdk/services/database.ts";
import { OPERATOR_BYTES_MAX } from "../../sdk/services/service.ts";
import type { Value } from "../../sdk/services/values.ts";
import { readJson } from "../body.ts";
import type { AdminDeps } from "../deps.ts";
import { succeed, type AdminContext, type AdminEnv } from "../envelope.ts";
import { findPart } from "../part.ts";
import { migrationSchema, querySchema, scriptSchema } from "../schemas.ts";

const ONE = "/api/databases/:name";
/** SQL as a JSON string, and the fields beside it. */
const BODY_BYTES_MAX: number = OPERATOR_BYTES_MAX + 64 * 1_024;

/** As services/database/wire.ts packs it. */
type Result = readonly [
  columns: readonly string[],
  jsonColumns: readonly number[],
  rows: readonly (readonly Value[])[],
  meta: readonly [
    changes: number,
    lastRowId: number | bigint | null,
    databaseBytes: number,
    durationMs: number,
  ],
];

export function addDatabaseRoutes(app: Hono<AdminEnv>, deps: AdminDeps): void {
  const ask = (
    context: AdminContext,
    scope: string | undefined,
    [method, ...args]: readonly [string, ...Value[]],
  ): Promise<Value> => {
    const part = findPart(deps, "database", { name: context.req.param("name") ?? "", scope });
    return deps.callService({ kind: "database", ...part, method }, args);
  };

  app.post(`${ONE}/query`, async (context) => {
    const { sql, params = [], scope } = parseInput(querySchema, await read(context), {});
    const answer = await ask(context, scope, ["run", [[sql, params as readonly Value[]]]]);
    const [result] = answer as unknown as readonly [Result];
    return succeed(context, resultView(result));
  });

  app.post(`${ONE}/exec`, async (context) => {
    const { sql, scope } = parseInput(scriptSchema, await read(context), {});
    return succeed(context, { count: Number(await ask(context, scope, ["exec", sql])) });
  });

  app.get(`${ONE}/migrations`, async (context) => {
    const { scope, table = MIGRATIONS_TABLE } = context.req.query();
    const applied = (await ask(context, scope, [
      "applied",
      table,
    ])) as readonly (readonly Value[])[];
    const views = applied.map(([name, at]) => ({ name: jsonOf(name), applied_at: jsonOf(at) }));
    return succeed(context, views);
  });

  app.post(`${ONE}/migrations`, async (context) => {
    const body = parseInput(migrationSchema, await read(context), {});
    const { name, sql, table = MIGRATIONS_TABLE, scope } = body;
    const isNew = await ask(context, scope, ["migrate", table, name, sql]);
    return succeed(context, { name, applied: isNew === true });
  });
}

function read(context: AdminContext): Promise<unknown> {
  return readJson(context.req.raw, BODY_BYTES_MAX);
}

/** Rows as D1 gives them, by their columns' names; of two columns with one name the last. */
function resultView([columns, jsonColumns, rows, meta]: Result): Json {
  const [changes, lastRowId, , durationMs] = meta;
  return {
    columns,
    results: rows.map((row) =>
      Object.fromEntries(
        row.map((value, at) => [
          columns[at] ?? `${at}`,
          jsonColumns.includes(at) ? parsed(value) : jsonOf(value),
        ]),
      ),
    ),
    meta: {
      changes,
      last_row_id: jsonOf(lastRowId),
      duration_ms: Math.round(1_000 * durationMs) / 1_000,
    },
  };
}

/** What JSON has not as texts, bytes as D1 has them: a list of numbers. */
function jsonOf(value: Value): Json {
  switch (typeof value) {
    case "bigint":
      return String(value);
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "string":
    case "boolean":
      return value;
    case "object":
      if (value === null) return null;
      if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
      if (value instanceof Uint8Array) return [...value];
      if (Array.isArray(value)) return (value as readonly Value[]).map(jsonOf);
      break;
    default:
  }
  return null;
}

/** Values of JSON columns come as their text, alone or in lists. */
function parsed(value: Value): Json {
  if (Array.isArray(value)) return (value as readonly Value[]).map(parsed);
  return typeof value === "string" ? (JSON.parse(value) as Json) : jsonOf(value);
}
