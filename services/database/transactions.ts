// The calls that make up a transaction of a handler. Nothing but `commit` keeps what it did.

import { EdgeError } from "../../sdk/errors.ts";
import { SQL_LEASES_MAX, type Transaction } from "../../sdk/services/database.ts";
import type { Value } from "../../sdk/services/values.ts";
import { readFields, readInteger } from "../arguments.ts";
import type { Method } from "../port.ts";
import type { Lease, LeaseOptions, Leases } from "./lease.ts";
import { packResults, readFlag, readStatements } from "./wire.ts";

export interface DatabasePortOptions extends LeaseOptions {
  /** Which of the service's databases. */
  readonly database: string;
}

export function createTransactionMethods(
  { database }: DatabasePortOptions,
  leases: Leases,
): Readonly<Record<string, Method>> {
  const transactions = new Map<number, Lease<Transaction>>();
  let begun = 0;
  const transaction = (id: Value): Lease<Transaction> => {
    const lease = transactions.get(readInteger(id, "transaction", { min: 1, max: begun }));
    if (lease !== undefined) return lease;
    throw new EdgeError("SERVICE_INPUT", "The transaction is over.");
  };
  return {
    async begin([given], context) {
      const readOnly = readFlag(readFields(given, "options"), "readOnly");
      const lease = await leases.open<Transaction>(context, {
        make: (backend, signal) => backend.begin(database, { readOnly }, signal),
        end: (made) => made.rollback(),
      });
      const id = ++begun;
      transactions.set(id, lease);
      forgetOld(transactions);
      return id;
    },
    async within([id, list], context) {
      const statements = readStatements(list);
      const results = await transaction(id).use(context, (made, signal) =>
        made.run(statements, signal),
      );
      return packResults(results, context);
    },
    async commit([id], context) {
      const lease = transaction(id);
      try {
        await lease.use(context, (made, signal) => made.commit(signal));
      } finally {
        lease.end(null);
      }
      return undefined;
    },
    async rollback([id]) {
      const lease = transaction(id);
      lease.end(null);
      await lease.gone;
      return undefined;
    },
  };
}

/** Those that are over are kept for a while, so that a late call is told why. */
function forgetOld(transactions: Map<number, Lease<Transaction>>): void {
  for (const [id, { signal }] of transactions) {
    if (transactions.size <= 2 * SQL_LEASES_MAX) return;
    if (signal.aborted) transactions.delete(id);
  }
}
