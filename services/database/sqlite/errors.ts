// Errors of node:sqlite as answers to handlers: SQLite's own message, then the name of its code, as D1 has it.

import { EdgeError, type Code } from "../../../sdk/errors.ts";

/** By primary code, the low byte. https://sqlite.org/rescode.html */
const NAMES: Readonly<Record<number, readonly [name: string, code: Code]>> = {
  1: ["SQLITE_ERROR", "SERVICE_FAILED"],
  3: ["SQLITE_PERM", "SERVICE_UNAVAILABLE"],
  5: ["SQLITE_BUSY", "SERVICE_CONFLICT"],
  6: ["SQLITE_LOCKED", "SERVICE_CONFLICT"],
  7: ["SQLITE_NOMEM", "SERVICE_TOO_LARGE"],
  8: ["SQLITE_READONLY", "SERVICE_FAILED"],
  10: ["SQLITE_IOERR", "SERVICE_UNAVAILABLE"],
  11: ["SQLITE_CORRUPT", "SERVICE_UNAVAILABLE"],
  13: ["SQLITE_FULL", "SERVICE_TOO_LARGE"],
  14: ["SQLITE_CANTOPEN", "SERVICE_UNAVAILABLE"],
  18: ["SQLITE_TOOBIG", "SERVICE_TOO_LARGE"],
  19: ["SQLITE_CONSTRAINT", "SERVICE_FAILED"],
  20: ["SQLITE_MISMATCH", "SERVICE_FAILED"],
  23: ["SQLITE_AUTH", "SERVICE_INPUT"],
  25: ["SQLITE_RANGE", "SERVICE_INPUT"],
  26: ["SQLITE_NOTADB", "SERVICE_UNAVAILABLE"],
};
/** By extended code: what handlers ask for. */
const CONSTRAINTS: Readonly<Record<number, string>> = {
  275: "SQLITE_CONSTRAINT_CHECK",
  787: "SQLITE_CONSTRAINT_FOREIGNKEY",
  1299: "SQLITE_CONSTRAINT_NOTNULL",
  1555: "SQLITE_CONSTRAINT_PRIMARYKEY",
  1811: "SQLITE_CONSTRAINT_TRIGGER",
  2067: "SQLITE_CONSTRAINT_UNIQUE",
};

/** `refusal`: what the authorizer said. */
export function describeSqliteError(error: unknown, refusal: string | null): EdgeError {
  if (error instanceof EdgeError) return error;
  if (refusal !== null) return new EdgeError("SERVICE_INPUT", `${refusal} (SQLITE_AUTH)`);
  const number: unknown = Reflect.get(Object(error), "errcode");
  const message = error instanceof Error ? error.message : String(error);
  if (typeof number !== "number") {
    return new EdgeError("SERVICE_INPUT", message, { cause: error });
  }
  const [name, code] = NAMES[number & 0xff] ?? ["SQLITE_ERROR", "SERVICE_FAILED"];
  const exact = CONSTRAINTS[number] ?? name;
  return new EdgeError(code, `${message}: ${exact}`, {
    detail: { sqlite: exact, errcode: number },
    cause: error,
  });
}
