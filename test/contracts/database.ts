// What every backend of databases does: the contract of sdk/services/database.ts. test/services/database-*.test.ts run
// it on each, against the real thing.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  SQL_CELL_BYTES,
  SQL_RESULT_BYTES_MAX,
  type DatabaseBackend,
  type Dialect,
  type ResultSet,
} from "../../sdk/services/database.ts";
import { EdgeError } from "../../sdk/errors.ts";
import type { Value } from "../../sdk/services/values.ts";

export interface OpenDatabase extends AsyncDisposable {
  readonly backend: DatabaseBackend;
}

export const NEVER =
  "with recursive a(x) as (select 1 union all select x + 1 from a) select count(*) from a";

export const unlimited: AbortSignal = new AbortController().signal;

export async function ask(
  { backend }: { readonly backend: DatabaseBackend },
  sql: string,
  ...params: Value[]
): Promise<ResultSet> {
  const [result] = await backend.run("main", [{ sql, params }], unlimited);
  if (result === undefined) throw new Error("no result");
  return result;
}

export function describeDatabaseContract(
  name: string,
  { dialect, open }: { readonly dialect: Dialect; readonly open: () => Promise<OpenDatabase> },
): void {
  describe(name, () => {
    let database: OpenDatabase;
    const query = (sql: string, ...params: Value[]): Promise<ResultSet> =>
      ask(database, sql, ...params);
    const rows = async (sql: string, ...params: Value[]): Promise<unknown> =>
      (await query(sql, ...params)).rows;

    beforeAll(async () => {
      database = await open();
    });
    afterAll(() => database[Symbol.asyncDispose]());
    beforeEach(async () => {
      await query("drop table if exists pets");
      await query(
        "create table pets (id integer primary key, name text unique, age integer not null)",
      );
      await query("insert into pets values (1, 'Rex', 3), (2, 'Tom', 5)");
    });

    test("a query gives columns and rows, for both ways to write parameters", async () => {
      const result = await query("select id, name from pets where age > ? and age < ?", 1, 4);
      expect(result.columns.map((column) => column.name)).toEqual(["id", "name"]);
      expect(result.rows).toEqual([[1, "Rex"]]);
      expect(
        await rows("select name, '?' from pets where id = $1 or age = $1 order by id", 2),
      ).toEqual([["Tom", "?"]]);
      expect(await rows("select name from pets where id = ?2 and age = ?1", 5, 2)).toEqual([
        ["Tom"],
      ]);
    });

    test("a query without rows still has its columns", async () => {
      const result = await query("select id, name from pets where id = 9");
      expect(result).toMatchObject({ rows: [], changes: 0 });
      expect(result.columns).toHaveLength(2);
    });

    test("changes are counted, with and without rows coming back", async () => {
      expect(await query("update pets set age = age + 1")).toMatchObject({ changes: 2, rows: [] });
      const inserted = await query("insert into pets values (?, ?, ?) returning id", 3, "Ann", 1);
      expect(inserted).toMatchObject({ changes: 1, rows: [[3]] });
      expect(await query("select 1")).toMatchObject({ changes: 0 });
      expect(await query("delete from pets where id = 9")).toMatchObject({ changes: 0 });
    });

    test("the number of values has to be that of the parameters", async () => {
      await expect(query("select ?, ?", 1)).rejects.toThrow(/Wrong number of parameter bindings/);
      await expect(query("select ?", 1, 2)).rejects.toThrow(/Wrong number of parameter bindings/);
    });

    test("null and texts of any characters come back as they went", async () => {
      const text = "a'b\"c\\d\n\u{1F436}ß$1?;--";
      expect(await rows("select cast(? as text), cast(? as text)", null, text)).toEqual([
        [null, text],
      ]);
    });

    test("whole numbers are exact: numbers as far as those are, then bigints", async () => {
      const sql = "select cast(? as bigint), cast(? as bigint), cast(? as bigint)";
      const largest = Number.MAX_SAFE_INTEGER;
      expect(await rows(sql, largest, 9_223_372_036_854_775_807n, -9_007_199_254_740_993n)).toEqual(
        [[largest, 9_223_372_036_854_775_807n, -9_007_199_254_740_993n]],
      );
    });

    test("statements of a batch are all kept, or none", async () => {
      const insert = "insert into pets values (?, ?, ?)";
      const [, second] = await database.backend.run(
        "main",
        [
          { sql: insert, params: [3, "Ann", 1] },
          { sql: "select count(*) from pets", params: [] },
        ],
        unlimited,
      );
      expect(second?.rows).toEqual([[3]]);
      const failing = database.backend.run(
        "main",
        [
          { sql: insert, params: [4, "Bob", 1] },
          { sql: insert, params: [5, "Bob", 1] },
        ],
        unlimited,
      );
      await expect(failing).rejects.toMatchObject({ code: "SERVICE_FAILED" });
      expect(await rows("select count(*) from pets")).toEqual([[3]]);
    });

    test("a script runs as a whole or not at all", async () => {
      const { backend } = database;
      const script = "insert into pets values (3, ';', 1); -- ;\n update pets set age = 9;";
      expect(await backend.exec("main", script, unlimited)).toBe(2);
      expect(await rows("select count(*) from pets where age = 9")).toEqual([[3]]);
      const failing = "insert into pets values (4, 'x', 1); insert into nothing values (1)";
      await expect(backend.exec("main", failing, unlimited)).rejects.toMatchObject({
        code: "SERVICE_FAILED",
        message: expect.stringMatching(/nothing/),
      });
      expect(await rows("select count(*) from pets")).toEqual([[3]]);
      expect(await backend.exec("main", " -- nothing", unlimited)).toBe(0);
    });

    test.each([
      ["a syntax error", "selec 1", "SERVICE_FAILED", /syntax error/],
      ["a missing table", "select * from nothing", "SERVICE_FAILED", /nothing/],
      ["a duplicate", "insert into pets values (3, 'Rex', 1)", "SERVICE_FAILED", /unique/i],
      ["a missing value", "insert into pets values (3, 'Ann', null)", "SERVICE_FAILED", /null/i],
      ["two statements", "select 1; select 2", "SERVICE_INPUT", /2 statements/],
      ["no statement", "-- nothing", "SERVICE_INPUT", /no statement/],
      ["BEGIN", "begin", "SERVICE_INPUT", /transaction\(\)/],
      ["COMMIT", "commit", "SERVICE_INPUT", /transaction\(\)/],
      ["SAVEPOINT outside of a transaction", "savepoint a", "SERVICE_INPUT", /transaction\(\)/],
    ])("%s is refused with its reason", async (_what, sql, code, message) => {
      await expect(query(sql)).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
      });
      expect(await rows("select count(*) from pets")).toEqual([[2]]);
    });

    test("a transaction is seen by others when it is committed, not before", async () => {
      const { backend } = database;
      const transaction = await backend.begin("main", { readOnly: false }, unlimited);
      const insert = { sql: "insert into pets values (?, 'Ann', 1)", params: [3] };
      await transaction.run([insert], unlimited);
      const count = { sql: "select count(*) from pets", params: [] };
      const [inside] = await transaction.run([count], unlimited);
      expect(inside?.rows).toEqual([[3]]);
      expect(await rows(count.sql)).toEqual([[2]]);
      await transaction.commit(unlimited);
      expect(await rows(count.sql)).toEqual([[3]]);
      await transaction.rollback();
      await expect(transaction.run([count], unlimited)).rejects.toThrow(/over/);
    });

    test("a transaction that is rolled back leaves nothing, however often that is said", async () => {
      const { backend } = database;
      const transaction = await backend.begin("main", { readOnly: false }, unlimited);
      await transaction.run([{ sql: "delete from pets", params: [] }], unlimited);
      await transaction.rollback();
      await transaction.rollback();
      expect(await rows("select count(*) from pets")).toEqual([[2]]);
    });

    test("a failed statement is undone to a savepoint, and the rest is kept", async () => {
      const { backend } = database;
      const transaction = await backend.begin("main", { readOnly: false }, unlimited);
      const run = (sql: string): Promise<unknown> =>
        transaction.run([{ sql, params: [] }], unlimited);
      await run("update pets set age = 7 where id = 1");
      await run("savepoint a");
      await expect(run("insert into pets values (1, 'x', 1)")).rejects.toMatchObject({
        code: "SERVICE_FAILED",
      });
      await run("rollback to a");
      await transaction.commit(unlimited);
      expect(await rows("select age from pets order by id")).toEqual([[7], [5]]);
    });

    test("a transaction that only reads cannot write", async () => {
      const { backend } = database;
      const transaction = await backend.begin("main", { readOnly: true }, unlimited);
      const write = [{ sql: "delete from pets", params: [] }];
      await expect(transaction.run(write, unlimited)).rejects.toMatchObject({
        code: "SERVICE_FAILED",
      });
      await transaction.rollback();
      expect(await query("delete from pets")).toMatchObject({ changes: 2 });
    });

    test("a transaction cannot be ended by a statement", async () => {
      const { backend } = database;
      const transaction = await backend.begin("main", { readOnly: false }, unlimited);
      await transaction.run([{ sql: "delete from pets", params: [] }], unlimited);
      const commit = [{ sql: "/* */ commit", params: [] }];
      await expect(transaction.run(commit, unlimited)).rejects.toMatchObject({
        code: "SERVICE_INPUT",
      });
      await transaction.rollback();
      expect(await rows("select count(*) from pets")).toEqual([[2]]);
    });

    test("a cursor gives all rows in pages, and can be closed before the end", async () => {
      const { backend } = database;
      const sql =
        "with recursive a(x) as (select 1 union all select x + 1 from a where x < ?) select x from a";
      const cursor = await backend.open("main", { sql, params: [1_050] }, { rows: 100 }, unlimited);
      expect(cursor.columns.map((column) => column.name)).toEqual(["x"]);
      const sizes: number[] = [];
      let sum = 0;
      for (;;) {
        const { rows: page } = await cursor.next(unlimited);
        if (page.length === 0) break;
        sizes.push(page.length);
        for (const [x] of page) sum += Number(x);
      }
      await cursor.close();
      expect(sizes).toEqual([...Array<number>(10).fill(100), 50]);
      expect(sum).toBe((1_050 * 1_051) / 2);

      const endless = sql.replace("where x < ?", "");
      const second = await backend.open(
        "main",
        { sql: endless, params: [] },
        { rows: 2 },
        unlimited,
      );
      expect((await second.next(unlimited)).rows).toEqual([[1], [2]]);
      await second.close();
      await second.close();
      expect(await rows("select count(*) from pets")).toEqual([[2]]);
    });

    test("a cursor on a wrong statement fails when it is opened", async () => {
      const opening = database.backend.open(
        "main",
        { sql: "select * from nothing", params: [] },
        { rows: 1 },
        unlimited,
      );
      await expect(opening).rejects.toMatchObject({ code: "SERVICE_FAILED" });
    });

    test("a statement that never ends is ended when it is wanted no more, beside others", async () => {
      const { backend } = database;
      const ending = new AbortController();
      const endless = backend.run("main", [{ sql: NEVER, params: [] }], ending.signal);
      expect(await rows("select count(*) from pets")).toEqual([[2]]);
      ending.abort(new EdgeError("SERVICE_TIMEOUT"));
      await expect(endless).rejects.toMatchObject({ code: "SERVICE_TIMEOUT" });
      expect(await query("update pets set age = 1")).toMatchObject({ changes: 2 });
    });

    test("a transaction whose statement is ended is rolled back", async () => {
      const { backend } = database;
      const transaction = await backend.begin("main", { readOnly: false }, unlimited);
      await transaction.run([{ sql: "delete from pets", params: [] }], unlimited);
      const ending = new AbortController();
      const endless = transaction.run([{ sql: NEVER, params: [] }], ending.signal);
      ending.abort(new EdgeError("SERVICE_TIMEOUT"));
      await expect(endless).rejects.toMatchObject({ code: "SERVICE_TIMEOUT" });
      await expect(transaction.commit(unlimited)).rejects.toThrow(EdgeError);
      expect(await rows("select count(*) from pets")).toEqual([[2]]);
    });

    test("rows of just as many bytes as are allowed come, and one byte more is refused", async () => {
      const sql =
        dialect === "sqlite"
          ? "select cast(substr(hex(zeroblob(?)), 1, ?) as text)"
          : "select repeat('0', greatest(?::int, ?::int))";
      const letters = (SQL_RESULT_BYTES_MAX - 2 * SQL_CELL_BYTES) / 2;
      const result = await query(sql, letters, letters);
      expect(result.bytes).toBe(SQL_RESULT_BYTES_MAX);
      await expect(query(sql, letters + 1, letters + 1)).rejects.toMatchObject({
        code: "SERVICE_TOO_LARGE",
      });
      expect(await rows("select count(*) from pets")).toEqual([[2]]);
    });

    test("writers at the same time lose nothing", async () => {
      const add = (): Promise<unknown> => query("update pets set age = age + 1 where id = 1");
      await Promise.all(Array.from({ length: 40 }, add));
      expect(await rows("select age from pets where id = 1")).toEqual([[43]]);
    });

    test("a changed table is seen by statements that were used before", async () => {
      const sql = "select * from pets where id = ?";
      expect(await rows(sql, 1)).toEqual([[1, "Rex", 3]]);
      await query("alter table pets add column owner text");
      expect(await rows(sql, 1)).toEqual([[1, "Rex", 3, null]]);
    });

    test("a script that had nothing to do has it when there is something", async () => {
      const script = "drop table if exists later; drop table if exists never";
      for (let round = 0; round < 2; round++) {
        expect(await database.backend.exec("main", script, unlimited)).toBe(2);
        await query("create table later (id integer)");
      }
      await query("drop table later");
    });

    test("a probe tells the server's version", async () => {
      const { version } = await database.backend.probe(unlimited);
      expect(version).toMatch(dialect === "sqlite" ? /^SQLite 3\.\d+/ : /^PostgreSQL \d+/);
    });
  });
}
