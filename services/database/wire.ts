// How statements and results cross to a handler and back (port.ts): what comes is checked.

import { EdgeError } from "../../sdk/errors.ts";
import {
  SQL_BATCH_MAX,
  SQL_BYTES_MAX,
  SQL_CURSOR_ROWS_MAX,
  SQL_PARAMETER_BYTES_MAX,
  SQL_PARAMETERS_MAX,
  type Column,
  type ResultSet,
  type Statement,
} from "../../sdk/services/database.ts";
import type { CallContext } from "../../sdk/services/service.ts";
import type { Value } from "../../sdk/services/values.ts";
import {
  holdOrRefuse,
  limitText,
  readInteger,
  readList,
  readText,
  type Fields,
} from "../arguments.ts";

export function packColumns(
  columns: readonly Column[],
): readonly [readonly string[], readonly number[]] {
  const json: number[] = [];
  for (const [at, column] of columns.entries()) if (column.json) json.push(at);
  return [columns.map(({ name }) => name), json];
}

export function packResults(results: readonly ResultSet[], context: CallContext): Value {
  const bytes = results.reduce((sum, result) => sum + result.bytes, 0);
  holdOrRefuse(context, "The rows are", bytes);
  return results.map(({ columns, rows, changes, lastRowId, databaseBytes, durationMs }) => {
    const [names, json] = packColumns(columns);
    return [names, json, rows, [changes, lastRowId, databaseBytes, durationMs]];
  });
}

export function readStatements(value: Value): readonly Statement[] {
  const list = readList(value, "statements");
  if (list.length >= 1 && list.length <= SQL_BATCH_MAX) return list.map(readStatement);
  const text = `A batch has 1 to ${SQL_BATCH_MAX} statements; these are ${list.length}.`;
  throw new EdgeError("SERVICE_INPUT", text);
}

export function readStatement(value: Value): Statement {
  const [sql, given] = readList(value, "statement");
  const params = readList(given, "parameters");
  if (params.length > SQL_PARAMETERS_MAX) {
    const text = `A statement takes ${SQL_PARAMETERS_MAX} parameters; these are ${params.length}.`;
    throw new EdgeError("SERVICE_INPUT", text);
  }
  limitBytes(params);
  return { sql: limitText(readText(sql, "sql"), "The statement", SQL_BYTES_MAX), params };
}

function limitBytes(params: readonly Value[]): void {
  let bytes = 0;
  for (const value of params) {
    if (typeof value === "string") bytes += value.length;
    else if (value instanceof Uint8Array) bytes += value.byteLength;
  }
  if (bytes <= SQL_PARAMETER_BYTES_MAX) return;
  const text = `The parameters have ${bytes} bytes; ${SQL_PARAMETER_BYTES_MAX} are allowed.`;
  throw new EdgeError("SERVICE_TOO_LARGE", text);
}

export function readRowCount(value: Value, what: string): number {
  return readInteger(value, what, { min: 1, max: SQL_CURSOR_ROWS_MAX });
}

export function readFlag(fields: Fields, name: string): boolean {
  const value = fields[name];
  if (value === undefined || typeof value === "boolean") return value ?? false;
  throw new EdgeError("SERVICE_INPUT", `${name}: true or false is expected.`);
}
