// The calls of a database binding (runtime/guest/services/database.ts makes them): checks what they say and asks the
// backend. A statement is [sql, [params]]; a result [[columns], [JSON columns], [rows], meta], meta being
// [changes, lastRowId, databaseBytes, durationMs].
//
//   run       [[statements]]                    -> [results]; several are one transaction
//   exec      [script]                          -> how many statements it had
//   begin     [{ readOnly }]                    -> the transaction's number
//   within    [transaction, [statements]]       -> [results]
//   commit    [transaction]
//   rollback  [transaction]
//   open      [statement, { rows }]             -> [[columns], [JSON columns]], then [rows] in pieces
//   probe     []                                -> { version, latencyMs }
//
// and those of migrations.ts, which an operator makes.

import { SQL_CURSOR_ROWS, SQL_SCRIPT_BYTES_MAX, type Cursor } from "../../sdk/services/database.ts";
import { Streamed, type CallContext, type ServicePort } from "../../sdk/services/service.ts";
import type { Value } from "../../sdk/services/values.ts";
import { limitText, optional, readFields, readText } from "../arguments.ts";
import { createPort } from "../port.ts";
import { Leases, type Lease } from "./lease.ts";
import { createMigrationMethods } from "./migrations.ts";
import { createTransactionMethods, type DatabasePortOptions } from "./transactions.ts";
import { packColumns, packResults, readRowCount, readStatement, readStatements } from "./wire.ts";

export function createDatabasePort(options: DatabasePortOptions): ServicePort {
  const { actor, database, caller } = options;
  const leases = new Leases(options);

  return createPort({
    methods: {
      async run([list], context) {
        const statements = readStatements(list);
        const results = await actor.run(
          (backend, signal) => backend.run(database, statements, signal),
          { caller, signal: context.signal },
        );
        return packResults(results, context);
      },
      async exec([script], context) {
        const text = limitText(readText(script, "sql"), "The SQL", SQL_SCRIPT_BYTES_MAX);
        return actor.run((backend, signal) => backend.exec(database, text, signal), {
          caller,
          signal: context.signal,
        });
      },
      ...createTransactionMethods(options, leases),
      ...createMigrationMethods(options),
      async open([given, more], context) {
        const statement = readStatement(given);
        const count = optional(readFields(more, "options")["rows"], "rows", readRowCount);
        const lease = await leases.open<Cursor>(context, {
          make: (backend, signal) =>
            backend.open(database, statement, { rows: count ?? SQL_CURSOR_ROWS }, signal),
          end: (made) => made.close(),
        });
        const columns = await lease.use(context, async (cursor) => cursor.columns);
        return new Streamed(packColumns(columns), readPages(lease, context));
      },
      async probe() {
        const { version, latencyMs } = await actor.probe();
        return { version, latencyMs };
      },
    },
    requestDone: (request) => leases.requestDone(request),
    close: () => leases.close(),
  });
}

/** Pages are asked for one by one: the database waits when the handler does. Whoever sends them on holds them. */
async function* readPages(lease: Lease<Cursor>, context: CallContext): AsyncGenerator<Value> {
  try {
    for (;;) {
      const page = await lease.use(context, (cursor, signal) => cursor.next(signal));
      if (page.rows.length === 0) return;
      yield page.rows;
    }
  } finally {
    lease.end(null);
  }
}
