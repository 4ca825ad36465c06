// Values of Postgres and of handlers. On the wire all are texts; the server says of which type a parameter is.

import { EdgeError } from "../../../sdk/errors.ts";
import { SQL_CELL_BYTES } from "../../../sdk/services/database.ts";
import type { Value } from "../../../sdk/services/values.ts";
import { readArray, writeArray } from "./arrays.ts";
import { dateText, jsonText } from "../statement-reader.ts";

/** https://www.postgresql.org/docs/current/catalog-pg-type.html; they never change. */
const BOOL = 16;
const BYTEA = 17;
const INT8 = 20;
const JSON_TYPES: readonly number[] = [114, 3_802];
/** Lists of these: lists of texts. */
const JSON_LISTS: readonly number[] = [199, 3_807];
const DATE = 1_082;
const TIMESTAMP = 1_114;
const TIMESTAMPTZ = 1_184;

interface TypeRule {
  readonly to: number;
  readonly from: number[];
  readonly serialize: (value: unknown) => string;
  readonly parse: (text: string) => unknown;
}

const SCALARS: Readonly<Record<string, TypeRule>> = {
  int8: {
    to: INT8,
    from: [INT8],
    serialize: String,
    parse(text) {
      const number = Number(text);
      return Number.isSafeInteger(number) ? number : BigInt(text);
    },
  },
  // As text: whoever looks at it parses it, and that is the handler.
  json: {
    to: JSON_TYPES[0] ?? 0,
    from: [...JSON_TYPES],
    serialize: (value) => (typeof value === "string" ? value : jsonText(value as Value)),
    parse: (text) => text,
  },
  boolean: {
    to: BOOL,
    from: [BOOL],
    serialize: String,
    parse: (text) => text === "t",
  },
  date: {
    to: DATE,
    from: [DATE],
    serialize: serializeDate,
    parse: (text) => toDate(text, "T00:00:00Z"),
  },
  timestamp: {
    to: TIMESTAMP,
    from: [TIMESTAMP],
    serialize: serializeDate,
    parse: (text) => toDate(text, "Z"),
  },
  // The session is in UTC: "2023-11-14 22:13:20.5+00".
  timestamptz: {
    to: TIMESTAMPTZ,
    from: [TIMESTAMPTZ],
    serialize: serializeDate,
    parse: (text) => toDate(text.replace(/\+00$/, ""), "Z"),
  },
  bytea: {
    to: BYTEA,
    from: [BYTEA],
    serialize: (value) =>
      value instanceof Uint8Array ? `\\x${Buffer.from(value).toString("hex")}` : String(value),
    parse: (text) => new Uint8Array(Buffer.from(text.slice(2), "hex")),
  },
};

/** Types and their arrays. Of others, the arrays of enums among them, authors get the text. */
const ARRAYS: Readonly<Record<number, number>> = {
  [BOOL]: 1_000,
  [BYTEA]: 1_001,
  [INT8]: 1_016,
  [DATE]: 1_182,
  [TIMESTAMP]: 1_115,
  [TIMESTAMPTZ]: 1_185,
  114: 199,
  3_802: 3_807,
};
const TEXT_ARRAYS: readonly number[] = [1_002, 1_003, 1_009, 1_014, 1_015, 1_041, 1_231, 2_951];
const NUMBER_ARRAYS: readonly number[] = [1_005, 1_007, 1_021, 1_022, 1_028];

export const TYPES: Readonly<Record<string, TypeRule>> = { ...SCALARS, ...arrayRules() };

function arrayRules(): Record<string, TypeRule> {
  const rules: Record<string, TypeRule> = {};
  const add = (
    array: number,
    { serialize, parse }: Pick<TypeRule, "serialize" | "parse">,
  ): void => {
    rules[`array ${array}`] = {
      to: array,
      from: [array],
      serialize: (value) => writeArray(value, serialize),
      parse: (text) => readArray(text, parse),
    };
  };
  for (const scalar of Object.values(SCALARS)) {
    for (const type of scalar.from) {
      const array = ARRAYS[type];
      if (array !== undefined) add(array, scalar);
    }
  }
  for (const array of TEXT_ARRAYS) add(array, { serialize: String, parse: (text) => text });
  for (const array of NUMBER_ARRAYS) add(array, { serialize: String, parse: Number });
  return rules;
}

export function isJson(type: number): boolean {
  return JSON_TYPES.includes(type) || JSON_LISTS.includes(type);
}

function serializeDate(value: unknown): string {
  return value instanceof Date ? dateText(value) : String(value);
}

/** What JavaScript has no date for (infinity, years before Christ) stays a text. */
function toDate(text: string, zone: string): unknown {
  const date = new Date(`${text.replace(" ", "T")}${zone}`);
  return Number.isNaN(date.getTime()) ? text : date;
}

/** Lists stay lists: whether they are an array or JSON is for the parameter's type to say. */
export function toParameter(value: Value): unknown {
  switch (typeof value) {
    case "string":
    case "number":
    case "bigint":
    case "boolean":
      return value;
    case "object":
      if (value === null || value instanceof Uint8Array || Array.isArray(value)) return value;
      return value instanceof Date ? dateText(value) : jsonText(value);
    default:
      throw new EdgeError("SERVICE_INPUT", `A parameter is ${typeof value}; null is for nothing.`);
  }
}

export function sizeOf(values: readonly unknown[]): number {
  let bytes = SQL_CELL_BYTES;
  for (const value of values) {
    bytes += SQL_CELL_BYTES;
    if (typeof value === "string") bytes += 2 * value.length;
    else if (value instanceof Uint8Array) bytes += value.byteLength;
    else if (Array.isArray(value)) bytes += sizeOf(value);
  }
  return bytes;
}
