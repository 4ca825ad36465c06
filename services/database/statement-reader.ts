// Statements as handlers give them, read and checked against their parameters. Those of a handler are few and come
// again, so what was read is kept.

import { EdgeError } from "../../sdk/errors.ts";
import type { Dialect, Statement } from "../../sdk/services/database.ts";
import type { Value } from "../../sdk/services/values.ts";
import { parseStatement, type ParsedStatement } from "./sql-text.ts";

const KEPT_MAX = 1_000;
/** Longer ones are read each time. */
const KEPT_CHARS_MAX = 4_000;

export class StatementReader {
  readonly #dialect: Dialect;
  readonly #kept = new Map<string, ParsedStatement>();

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  /** Throws SERVICE_INPUT when there are not as many values as parameters. */
  read({ sql, params }: Statement): ParsedStatement {
    const bound = params.length > 0;
    const key = `${bound ? 1 : 0}${sql}`;
    const parsed = this.#kept.get(key) ?? this.#parse(key, sql, bound);
    if (parsed.parameters === params.length) return parsed;
    // D1's own words, which code looks for.
    const counts = `${parsed.parameters} parameters, ${params.length} values`;
    const text = `Wrong number of parameter bindings for SQL query: ${counts}.`;
    throw new EdgeError("SERVICE_INPUT", text);
  }

  #parse(key: string, sql: string, bound: boolean): ParsedStatement {
    const parsed = parseStatement(sql, { dialect: this.#dialect, bound });
    if (sql.length > KEPT_CHARS_MAX) return parsed;
    if (this.#kept.size >= KEPT_MAX) this.#kept.clear();
    this.#kept.set(key, parsed);
    return parsed;
  }
}

export function dateText(date: Date): string {
  if (!Number.isNaN(date.getTime())) return date.toISOString();
  throw new EdgeError("SERVICE_INPUT", "A parameter is an invalid date.");
}

/** A list or an object, as JSON; bigints as texts, bytes refused. */
export function jsonText(value: Value): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === "bigint") return String(part);
    if (!(part instanceof Uint8Array)) return part;
    throw new EdgeError("SERVICE_INPUT", "Bytes within a list or an object cannot be stored.");
  });
}
