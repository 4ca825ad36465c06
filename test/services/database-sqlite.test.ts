// SQLite, the embedded database.

import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EdgeError } from "../../sdk/errors.ts";
import { openSqlite, type SqliteOptions } from "../../services/database/sqlite.ts";
import {
  ask,
  describeDatabaseContract,
  NEVER,
  unlimited,
  type OpenDatabase,
} from "../contracts/database.ts";

interface Opened extends OpenDatabase {
  readonly folder: string;
}

async function open(options: Partial<SqliteOptions> = {}): Promise<Opened> {
  const folder = mkdtempSync(join(tmpdir(), "islet-sqlite-"));
  const backend = await openSqlite({ place: { folder: join(folder, "sqlite") }, ...options });
  return {
    backend,
    folder,
    async [Symbol.asyncDispose]() {
      await backend.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

describeDatabaseContract("SQLite", { dialect: "sqlite", open });

test("values of SQLite's five types come back, and others as its functions take them", async () => {
  await using database = await open();
  const bytes = new Uint8Array([0, 255, 3]);
  const date = new Date(1_700_000_000_000);
  const { rows } = await ask(
    database,
    "select ?, ?, ?, ?, ?, ?, ?",
    1.5,
    "a",
    bytes,
    true,
    date,
    { a: [1n, null] },
    [],
  );
  const json = '{"a":["1",null]}';
  expect(rows).toEqual([[1.5, "a", bytes, 1, "2023-11-14T22:13:20.000Z", json, "[]"]]);
  await expect(ask(database, "select ?", undefined)).rejects.toMatchObject({
    code: "SERVICE_INPUT",
  });
  await expect(ask(database, "select ?", [bytes])).rejects.toThrow(/Bytes within a list/);
  await expect(ask(database, "select ?", new Date(NaN))).rejects.toThrow(/invalid date/);
});

describe("what reaches beyond a database", () => {
  let database: Opened;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database[Symbol.asyncDispose]());

  test.each([
    ["ATTACH", "attach '/etc/passwd' as a", /ATTACH/],
    ["ATTACH of nothing", "attach '' as a", /ATTACH/],
    ["VACUUM INTO", "vacuum into '/tmp/stolen.db'", /VACUUM/],
    ["load_extension", "select load_extension('x')", /load_extension/],
    ["the tokenizer's pointer", "select fts3_tokenizer('x')", /fts3_tokenizer/],
    ["writable_schema", "pragma writable_schema = 1", /writable_schema/],
    ["journal_mode", "pragma journal_mode = off", /journal_mode/],
    ["the file's path", "pragma database_list", /database_list/],
    ["the file's path as a table", "select file from pragma_database_list", /database_list/],
    ["max_page_count", "pragma max_page_count = 9999999", /max_page_count/],
    ["temp_store_directory", "pragma temp_store_directory = '/'", /temp_store_directory/],
    ["a temporary table", "create temp table a(b)", /Temporary/],
    ["the schema table", "delete from sqlite_master", /may not be modified/],
    ["a virtual table of another kind", "create virtual table a using dbstat", /dbstat/],
    ["query_only", "pragma query_only = 0", /query_only/],
  ])("%s is refused", async (_what, sql, message) => {
    await expect(ask(database, sql)).rejects.toThrow(message);
  });
});

test("what a database needs works: full-text search, triggers, pragmas that tell", async () => {
  await using database = await open();
  const { backend } = database;
  const script = `create table t (a integer primary key, b text);
    create virtual table words using fts5 (b);
    create trigger t_words after insert on t begin insert into words values (new.b); end;
    insert into t (b) values ('one two'), ('three'); pragma user_version = 7;`;
  expect(await backend.exec("main", script, unlimited)).toBe(5);
  expect((await ask(database, "select b from words where words match 'two'")).rows).toHaveLength(1);
  expect((await ask(database, "pragma user_version")).rows).toEqual([[7]]);
  expect((await ask(database, "pragma table_info(t)")).rows).toHaveLength(2);
  expect((await ask(database, "select name from pragma_table_info('t')")).rows).toHaveLength(2);
  const inserted = await ask(database, "insert into t (b) values ('x')");
  expect(inserted).toMatchObject({ changes: 1, lastRowId: 3 });
  expect(inserted.databaseBytes).toBeGreaterThan(4_096);
});

test("foreign keys hold", async () => {
  await using database = await open();
  const script = "create table a (id integer primary key); create table b (a references a(id))";
  await database.backend.exec("main", script, unlimited);
  await expect(ask(database, "insert into b values (1)")).rejects.toMatchObject({
    code: "SERVICE_FAILED",
    message: "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT_FOREIGNKEY",
  });
});

test("a transaction that a statement rolls back on its own keeps nothing of what follows", async () => {
  await using database = await open();
  const { backend } = database;
  await backend.exec("main", "create table t (a primary key); insert into t values (1)", unlimited);
  const transaction = await backend.begin("main", { readOnly: false }, unlimited);
  const run = (sql: string): Promise<unknown> => transaction.run([{ sql, params: [] }], unlimited);
  await expect(run("insert or rollback into t values (1)")).rejects.toThrow(/UNIQUE/);
  await expect(run("insert into t values (2)")).rejects.toThrow(/rolled/);
  await expect(transaction.commit(unlimited)).rejects.toThrow(/rolled/);
  expect((await ask(database, "select a from t")).rows).toEqual([[1]]);
});

test("databases of one service do not see each other, whatever their names are", async () => {
  await using database = await open();
  const { backend, folder } = database;
  const names = ["a/b", "a", "../a", "", "ü\u0000", "x".repeat(500)];
  for (const name of names) {
    await backend.exec(name, "create table t (a)", unlimited);
  }
  const files = readdirSync(join(folder, "sqlite")).filter((file) => file.endsWith(".db"));
  expect(files).toHaveLength(names.length);
  expect(readdirSync(folder)).toEqual(["sqlite"]);
});

test("another worker sees what one has written at once, and both write", async () => {
  await using first = await open();
  const second = await openSqlite({ place: { folder: join(first.folder, "sqlite") } });
  try {
    await ask(first, "create table t (a integer)");
    await ask(first, "insert into t values (0)");
    const add = (database: { backend: typeof second }): Promise<unknown> =>
      ask(database, "update t set a = a + 1");
    const both = [first, { backend: second }];
    await Promise.all(Array.from({ length: 20 }, (_, at) => add(both[at % 2] ?? first)));
    expect((await ask({ backend: second }, "select a from t")).rows).toEqual([[20]]);
  } finally {
    await second.close();
  }
});

test("a file may be as large as allowed and no larger", async () => {
  await using database = await open({ databaseBytesMax: 20 * 4_096 });
  await ask(database, "create table t (a)");
  await ask(database, "insert into t values (zeroblob(?))", 17 * 4_000);
  await expect(ask(database, "insert into t values (zeroblob(13000))")).rejects.toMatchObject({
    code: "SERVICE_TOO_LARGE",
    message: expect.stringMatching(/full/),
  });
  expect((await ask(database, "select count(*) from t")).rows).toEqual([[1]]);
});

test("a statement that wants all memory is ended, and others go on", async () => {
  await using database = await open();
  const hungry = `with recursive a(x) as (select 1 union all select x + 1 from a limit 200)
    select count(*) from (select hex(zeroblob(4000000)) || x as y from a order by y limit 199)`;
  await expect(ask(database, hungry)).rejects.toMatchObject({
    code: "SERVICE_TOO_LARGE",
    message: expect.stringMatching(/memory/),
  });
  expect((await ask(database, "select 1")).rows).toEqual([[1]]);
});

test("every process may be busy for ever, and all are free again when their callers give up", async () => {
  await using database = await open();
  const { backend } = database;
  await ask(database, "create table t (a)");
  const ending = new AbortController();
  const endless = Array.from({ length: 6 }, () =>
    backend.run("main", [{ sql: NEVER, params: [] }], ending.signal),
  );
  const next = ask(database, "insert into t values (1)");
  ending.abort(new EdgeError("SERVICE_TIMEOUT"));
  for (const each of endless) await expect(each).rejects.toMatchObject({ code: "SERVICE_TIMEOUT" });
  await next;
  expect((await ask(database, "select count(*) from t")).rows).toEqual([[1]]);
});

test("a file that is no database, or is missing, makes the service unavailable and is left as it is", async () => {
  await using database = await open();
  const path = join(database.folder, "a b?.txt");
  const missing = await openSqlite({ place: { path, create: false } });
  await expect(ask({ backend: missing }, "select 1")).rejects.toMatchObject({
    code: "SERVICE_UNAVAILABLE",
  });
  expect(existsSync(path)).toBe(false);
  await missing.close();
  writeFileSync(
    path,
    "this is no database, but a text that is long enough to be looked at".repeat(99),
  );
  const broken = await openSqlite({ place: { path, create: true } });
  await expect(ask({ backend: broken }, "select 1")).rejects.toMatchObject({
    code: "SERVICE_UNAVAILABLE",
    message: expect.stringMatching(/SQLITE_NOTADB/),
  });
  await broken.close();
});

test("a closed backend leaves no process", async () => {
  const database = await open();
  const endless = database.backend.run("main", [{ sql: NEVER, params: [] }], unlimited);
  const refused = expect(endless).rejects.toThrow(EdgeError);
  await database[Symbol.asyncDispose]();
  await refused;
});
