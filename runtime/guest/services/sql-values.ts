// Statements and rows as authors have them, and as they cross (services/database/port.ts).

import type { Value } from "../../../sdk/services/values.ts";
import { bytesOf } from "../buffer-source.ts";

const isArray = Array.isArray;
const parse = JSON.parse;
const define = Object.defineProperty;
const toNumber = Number;
const NativeUint8Array = Uint8Array;

/** What crosses as one statement. */
export type PackedStatement = readonly [sql: string, params: readonly Value[]];

export interface Result {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Value[])[];
  readonly changes: number;
  readonly lastRowId: number | bigint | null;
  readonly databaseBytes: number;
  readonly durationMs: number;
}

export type Row = Record<string, unknown>;

/** Which values authors get: D1 has numbers and lists of bytes where ours has bigints and Uint8Arrays. */
export type Reading = "d1" | "own";

export function toParams(values: unknown): readonly Value[] {
  if (values === undefined) return [];
  if (!isArray(values)) throw new TypeError("Parameters are given as a list.");
  const given = values as readonly unknown[];
  const params: Value[] = [];
  for (let at = 0; at < given.length; at++) params[at] = toParam(given[at]);
  return params;
}

function toParam(value: unknown): Value {
  if (value === undefined || typeof value === "symbol" || typeof value === "function") {
    // D1's own words.
    throw new TypeError(`D1_TYPE_ERROR: Type '${typeof value}' not supported for a parameter.`);
  }
  return bytesOf(value) ?? (value as Value);
}

/** Of the host, which has checked it. */
export function readResult(packed: Value): Result {
  const parts = packed as readonly Value[];
  const meta = parts[3] as readonly Value[];
  const columns = parts[0] as readonly string[];
  const rows = parts[2] as Value[][];
  parseJson(rows, parts[1] as readonly number[]);
  return {
    columns,
    rows,
    changes: meta[0] as number,
    lastRowId: meta[1] as number | bigint | null,
    databaseBytes: meta[2] as number,
    durationMs: meta[3] as number,
  };
}

/** Changes the rows in place. */
export function parseJson(rows: Value[][], columns: readonly number[]): void {
  for (let at = 0; at < columns.length; at++) {
    const column = columns[at] as number;
    for (let index = 0; index < rows.length; index++) {
      const row = rows[index] as Value[];
      row[column] = parsed(row[column]);
    }
  }
}

function parsed(value: Value): Value {
  if (typeof value === "string") return parse(value) as Value;
  if (!isArray(value)) return value;
  const list: Value[] = [];
  for (let at = 0; at < value.length; at++) list[at] = parsed(value[at] as Value);
  return list;
}

export function toRows(
  { columns, rows }: Pick<Result, "columns" | "rows">,
  reading: Reading,
): Row[] {
  const objects: Row[] = [];
  for (let at = 0; at < rows.length; at++) {
    objects[at] = toRow(columns, rows[at] as readonly Value[], reading);
  }
  return objects;
}

/** Of several columns with one name the last one stays, as in D1. */
export function toRow(columns: readonly string[], values: readonly Value[], reading: Reading): Row {
  const row: Row = {};
  for (let at = 0; at < columns.length; at++) {
    const name = columns[at] as string;
    const value = toOwn(values[at], reading);
    if (name === "__proto__") {
      define(row, name, { value, enumerable: true, writable: true, configurable: true });
    } else {
      row[name] = value;
    }
  }
  return row;
}

export function toOwn(value: Value, reading: Reading): unknown {
  if (reading === "own") return value;
  if (typeof value === "bigint") return toNumber(value);
  if (!(value instanceof NativeUint8Array)) return value;
  const list: number[] = [];
  for (let at = 0; at < value.length; at++) list[at] = value[at] as number;
  return list;
}
