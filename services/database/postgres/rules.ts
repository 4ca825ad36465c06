// Which statements may run where. Connections of a pool serve one caller after the other, so whatever would stay in
// one is refused, or the connection is not used again. That keeps honest callers apart; what a hostile one may do is
// for the rights of the server's user to say, and all endpoints that bind the service share those.

import { EdgeError } from "../../../sdk/errors.ts";
import type { ParsedStatement } from "../sql-text.ts";

const TRANSACTION = new Set(["BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT"]);
const SAVEPOINT = new Set(["SAVEPOINT", "RELEASE"]);
const SESSION = new Set(
  "SET RESET DISCARD LISTEN UNLISTEN PREPARE EXECUTE DEALLOCATE LOAD COPY".split(" "),
);
/** Within a transaction it ends with that. */
const LOCAL = new Set(["LOCAL", "CONSTRAINTS"]);
/** What leaves something behind in the connection, or may. */
const TAINTING =
  /\b(?:set_config|pg_(?:try_)?advisory_lock|temp|temporary|pg_temp|dblink_connect)\b|^\s*(?:do|call)\b/i;

/** Throws SERVICE_INPUT. */
export function assertAllowed({ words }: ParsedStatement, within: boolean): void {
  const [first = "", second = "", third = ""] = words;
  const toSavepoint = first === "ROLLBACK" && (second === "TO" || third === "TO");
  if (SAVEPOINT.has(first) || toSavepoint) {
    if (within) return;
    throw new EdgeError("SERVICE_INPUT", "Savepoints are available in transaction() only.");
  }
  if (TRANSACTION.has(first) || (first === "PREPARE" && second === "TRANSACTION")) {
    const text = "BEGIN, COMMIT and ROLLBACK are not available: use batch() or transaction().";
    throw new EdgeError("SERVICE_INPUT", text);
  }
  if (!SESSION.has(first) || (first === "SET" && within && LOCAL.has(second))) return;
  const instead = first === "SET" ? " Within transaction(), SET LOCAL is." : "";
  throw new EdgeError("SERVICE_INPUT", `${first} is not available.${instead}`);
}

/** Whether the connection must not serve anybody after it. */
export function taints({ text }: Pick<ParsedStatement, "text">): boolean {
  return TAINTING.test(text);
}
