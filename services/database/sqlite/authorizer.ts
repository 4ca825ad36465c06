// What statements of handlers may do to a connection that others use after them, and to the machine: tables, views,
// indexes, triggers and full-text search of their own database. Nothing that reaches another file, stays in the
// connection, or decides about a transaction that is not theirs.

import { constants } from "node:sqlite";

/** Pragmas that only tell something; the argument is a name. */
const TELLING = new Set(
  (
    "table_info table_xinfo table_list index_info index_xinfo index_list foreign_key_list " +
    "foreign_key_check quick_check integrity_check function_list collation_list " +
    "compile_options pragma_list module_list"
  ).split(" "),
);
/** Told without an argument, refused with one. */
const READ_ONLY = new Set([
  "page_count",
  "page_size",
  "freelist_count",
  "data_version",
  "encoding",
]);
/** Settings of the file, or of the running transaction only. */
const SETTABLE = new Set(["user_version", "application_id", "defer_foreign_keys", "optimize"]);
const MODULES = new Set(["fts3", "fts4", "fts5", "fts5vocab", "rtree", "geopoly", "rtree_i32"]);
const FUNCTIONS_DENIED = new Set(["load_extension", "fts3_tokenizer"]);
/** What changes nothing: statements of these alone need no lock to write. */
const READING: ReadonlySet<number> = new Set([
  constants.SQLITE_SELECT,
  constants.SQLITE_READ,
  constants.SQLITE_FUNCTION,
  constants.SQLITE_RECURSIVE,
]);
const TEMPORARY: ReadonlySet<number> = new Set([
  constants.SQLITE_CREATE_TEMP_INDEX,
  constants.SQLITE_CREATE_TEMP_TABLE,
  constants.SQLITE_CREATE_TEMP_TRIGGER,
  constants.SQLITE_CREATE_TEMP_VIEW,
]);

export class Authorizer {
  /** The statement that is compiled is the engine's own: everything goes. */
  trusted = false;
  /** In a handler's transaction: savepoints belong to it. */
  savepoints = false;
  /** Whether what was compiled since both were set to false changes anything. */
  writes = false;
  /** And whether it does anything: DROP TABLE IF EXISTS asks for nothing where there is no table, and later may. */
  asked = false;
  /** Why the last statement was refused. */
  reason: string | null = null;

  /** The constants' SQLITE_OK or SQLITE_DENY. */
  decide(action: number, first: string | null, second: string | null): number {
    if (this.trusted) return constants.SQLITE_OK;
    this.asked = true;
    const reason = this.#refusal(action, first ?? "", second);
    if (reason === null) {
      if (!READING.has(action) && !isTelling(action, first, second)) this.writes = true;
      return constants.SQLITE_OK;
    }
    this.reason = reason;
    return constants.SQLITE_DENY;
  }

  #refusal(action: number, first: string, second: string | null): string | null {
    if (TEMPORARY.has(action)) return "Temporary tables, views and triggers are not available.";
    switch (action) {
      case constants.SQLITE_TRANSACTION:
        return "BEGIN, COMMIT and ROLLBACK are not available: use batch() or transaction().";
      case constants.SQLITE_SAVEPOINT:
        return this.savepoints ? null : "SAVEPOINT is available in transaction() only.";
      case constants.SQLITE_ATTACH:
      case constants.SQLITE_DETACH:
        return "ATTACH, DETACH and VACUUM are not available.";
      case constants.SQLITE_PRAGMA:
        return refusePragma(first.toLowerCase(), second);
      case constants.SQLITE_FUNCTION:
        if (!FUNCTIONS_DENIED.has((second ?? "").toLowerCase())) return null;
        return `The function ${second} is not available.`;
      case constants.SQLITE_CREATE_VTABLE:
        if (MODULES.has((second ?? "").toLowerCase())) return null;
        return `Virtual tables of ${second} are not available.`;
      default:
        return null;
    }
  }
}

function isTelling(action: number, name: string | null, value: string | null): boolean {
  if (action !== constants.SQLITE_PRAGMA) return false;
  return value === null || TELLING.has((name ?? "").toLowerCase());
}

function refusePragma(name: string, value: string | null): string | null {
  if (TELLING.has(name) || SETTABLE.has(name)) return null;
  if (READ_ONLY.has(name) && value === null) return null;
  // Reading the rest tells where the file lies, or how the connection is set up.
  if (name === "foreign_keys" && value === null) return null;
  return `PRAGMA ${name}${value === null ? "" : " with a value"} is not available.`;
}
