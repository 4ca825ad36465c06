// What handlers have as `env.DB`: Workers' D1Database and our verbs beside it, on a real SQLite.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createDatabase } from "../../runtime/guest/services/database.ts";
import type { SqlDatabase } from "../../sdk/handler.ts";
import type { DatabaseBackend } from "../../sdk/services/database.ts";
import { ServiceActor } from "../../services/actor.ts";
import { createDatabasePort } from "../../services/database/port.ts";
import { openSqlite } from "../../services/database/sqlite.ts";
import { createLocalClient } from "./local-client.ts";

const folder = mkdtempSync(join(tmpdir(), "islet-face-"));
const actor = new ServiceActor<DatabaseBackend>("main", {
  now: () => performance.now(),
  onHealth: () => undefined,
  onPanic: (error) => expect.fail(String(error)),
});
let db: SqlDatabase;

beforeAll(async () => {
  actor.start({
    limits: { concurrency: 10, queue: 100, timeoutMs: 30_000 },
    open: () => openSqlite({ place: { folder } }),
  });
  const port = createDatabasePort({ actor, database: "main", caller: "shop" });
  db = createDatabase(createLocalClient(port)) as SqlDatabase;
});
afterAll(async () => {
  await actor.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  await db.exec(`drop table if exists pets;
    create table pets (id integer primary key, name text unique, photo blob);
    insert into pets values (1, 'Rex', x'00ff'), (2, 'Tom', null)`);
});

test("all and run give results with figures, as Workers' do", async () => {
  const { success, meta, results } = await db
    .prepare("select id, name from pets where id < ?")
    .bind(2)
    .all();
  expect({ success, results }).toEqual({ success: true, results: [{ id: 1, name: "Rex" }] });
  expect(meta).toMatchObject({ changes: 0, changed_db: false, rows_read: 1, rows_written: 0 });
  const inserted = await db.prepare("insert into pets (name) values ($1)").bind("Ann").run();
  expect(inserted).toMatchObject({ success: true, results: [] });
  expect(inserted.meta).toMatchObject({
    changes: 1,
    last_row_id: 3,
    changed_db: true,
    rows_written: 1,
    size_after: expect.any(Number),
    duration: expect.any(Number),
  });
});

test("first gives a row, a column of it, or null", async () => {
  const statement = db.prepare("select id, name from pets where name = ?");
  expect(await statement.bind("Tom").first()).toEqual({ id: 2, name: "Tom" });
  expect(await statement.bind("Tom").first("name")).toBe("Tom");
  expect(await statement.bind("nobody").first()).toBeNull();
  expect(await statement.bind("nobody").first("name")).toBeNull();
  await expect(statement.bind("Tom").first("age")).rejects.toThrow(/D1_COLUMN_NOTFOUND.*"age"/);
});

test("raw gives lists, with names if they are wanted", async () => {
  const statement = db.prepare("select id, id, name from pets order by id");
  expect(await statement.raw()).toEqual([
    [1, 1, "Rex"],
    [2, 2, "Tom"],
  ]);
  const named = await statement.raw({ columnNames: true });
  expect(named[0]).toEqual(["id", "id", "name"]);
  expect(named).toHaveLength(3);
});

test("a statement is not changed by bind", async () => {
  const statement = db.prepare("select name from pets where id = ?");
  const [first, second] = [statement.bind(1), statement.bind(2)];
  expect(await first.first("name")).toBe("Rex");
  expect(await second.first("name")).toBe("Tom");
  await expect(statement.first()).rejects.toThrow(/Wrong number of parameter bindings/);
});

test("a batch is all or nothing", async () => {
  const insert = db.prepare("insert into pets (name) values (?)");
  const count = db.prepare("select count(*) as n from pets");
  const results = await db.batch([insert.bind("Ann"), insert.bind("Bob"), count]);
  expect(results.map(({ meta }) => meta["changes"])).toEqual([1, 1, 0]);
  expect(results[2]?.results).toEqual([{ n: 4 }]);
  await expect(db.batch([insert.bind("Eve"), insert.bind("Rex")])).rejects.toMatchObject({
    name: "ServiceError",
    code: "SERVICE_FAILED",
    message: "UNIQUE constraint failed: pets.name: SQLITE_CONSTRAINT_UNIQUE",
  });
  expect(await count.first("n")).toBe(4);
});

test.each([[{}], [[{}]], [["select 1"]], [[null]]])(
  "a batch of %j is refused",
  async (statements) => {
    await expect(db.batch(statements as never)).rejects.toThrow(TypeError);
  },
);

test("exec runs a script and counts it", async () => {
  const { count, duration } = await db.exec(
    "insert into pets (name) values (';');\ndelete from pets",
  );
  expect({ count, duration: typeof duration }).toEqual({ count: 2, duration: "number" });
  expect(await db.query("select * from pets")).toEqual([]);
});

test("a session is the database itself", async () => {
  const session = db.withSession("first-primary");
  expect(await session.prepare("select name from pets where id = 1").first("name")).toBe("Rex");
  const [result] = await session.batch([session.prepare("select 1 as one")]);
  expect(result?.results).toEqual([{ one: 1 }]);
  expect(session.getBookmark()).toBeNull();
});

test("D1's methods give numbers and lists where ours give bigints and bytes", async () => {
  const sql = "select photo, 9223372036854775807 as large from pets where id = 1";
  expect(await db.prepare(sql).first()).toEqual({ photo: [0, 255], large: 2 ** 63 });
  expect(await db.prepare(sql).raw()).toEqual([[[0, 255], 2 ** 63]]);
  expect(await db.queryOne(sql)).toEqual({
    photo: new Uint8Array([0, 255]),
    large: 9_223_372_036_854_775_807n,
  });
});

test("bytes are taken from every buffer and view, and the rest is refused", async () => {
  const bytes = new Uint8Array([9, 1, 2, 9]).subarray(1, 3);
  for (const value of [bytes, bytes.slice().buffer, new DataView(bytes.buffer, 1, 2)]) {
    expect(await db.queryOne("select hex(?) as hex", [value])).toEqual({ hex: "0102" });
  }
  for (const value of [undefined, Symbol("a"), () => 1]) {
    expect(() => db.prepare("select ?").bind(value)).toThrow(/D1_TYPE_ERROR/);
  }
});

test("the template's braces are parameters, whatever is in them", async () => {
  const name = "x' or '1' = '1";
  await db.sql`insert into pets (name) values (${name})`;
  expect(await db.sql`select name from pets where name = ${name} and id > ${2}`).toEqual([
    { name },
  ]);
  expect(await db.sql`select 1 as one`).toEqual([{ one: 1 }]);
  const called = db as unknown as { sql(text: string, value: number): unknown };
  expect(() => called.sql("select 1", 2)).toThrow(/sql is a tag/);
});

test("query, queryOne and execute give rows, a row and a count", async () => {
  expect(await db.query("select name from pets where id > ? order by id", [0])).toEqual([
    { name: "Rex" },
    { name: "Tom" },
  ]);
  expect(await db.queryOne("select name from pets where id = $1", [2])).toEqual({ name: "Tom" });
  expect(await db.queryOne("select name from pets where id = 9")).toBeNull();
  expect(await db.execute("update pets set name = name || '!'")).toBe(2);
  await expect(db.query("select ?", "no list" as never)).rejects.toThrow(/list/);
});

test("a column may be called like a property that every object has", async () => {
  const row = await db.queryOne(`select 1 as "__proto__", 2 as "constructor"`);
  expect(Object.entries(row ?? {})).toEqual([
    ["__proto__", 1],
    ["constructor", 2],
  ]);
});

test("a transaction is kept when its function returns, and its value is given back", async () => {
  const id = await db.transaction(async (tx) => {
    await tx.execute("insert into pets (name) values (?)", ["Ann"]);
    await tx.sql`insert into pets (name) values (${"Bob"})`;
    await tx.batch([tx.prepare("update pets set name = ? where name = 'Bob'").bind("Bo")]);
    return (await tx.queryOne("select max(id) as id from pets"))?.["id"];
  });
  expect(id).toBe(4);
  expect(await db.query("select name from pets where id > 2")).toEqual([
    { name: "Ann" },
    { name: "Bo" },
  ]);
});

test("a transaction whose function throws is undone, and throws the same", async () => {
  const mine = new Error("mine");
  const work = db.transaction(async (tx) => {
    await tx.execute("delete from pets");
    throw mine;
  });
  await expect(work).rejects.toBe(mine);
  expect(await db.query("select * from pets")).toHaveLength(2);
  const failing = db.transaction((tx) => tx.execute("insert into pets values (1, 'x', null)"));
  await expect(failing).rejects.toMatchObject({ code: "SERVICE_FAILED" });
});

test("a transaction that only reads cannot write, and one that is over is over", async () => {
  const writing = db.transaction((tx) => tx.execute("delete from pets"), { readOnly: true });
  await expect(writing).rejects.toThrow(/readonly/);
  const left = await db.transaction(async (tx) => tx);
  await expect(left.query("select 1")).rejects.toMatchObject({ code: "SERVICE_INPUT" });
});

test("a cursor gives rows one by one, and gives up when the loop does", async () => {
  const endless = "with recursive a(x) as (select ? union all select x + 1 from a) select x from a";
  const seen: object[] = [];
  for await (const row of db.cursor(endless, [5], { rows: 2 })) {
    seen.push(row);
    if (seen.length === 5) break;
  }
  expect(seen).toEqual([{ x: 5 }, { x: 6 }, { x: 7 }, { x: 8 }, { x: 9 }]);
  await expect.poll(() => actor.stats().running).toBe(0);
  expect(await Array.fromAsync(db.cursor("select id from pets"))).toEqual([{ id: 1 }, { id: 2 }]);
  const wrong = db.cursor("select * from no_table");
  await expect(wrong.next()).rejects.toMatchObject({ code: "SERVICE_FAILED" });
  expect(await wrong.next()).toEqual({ done: true, value: undefined });
});

test("rows of a cursor that are asked for at once come in their order", async () => {
  const cursor = db.cursor("select id from pets order by id", [], { rows: 1 });
  const found = await Promise.all([cursor.next(), cursor.next(), cursor.next()]);
  expect(found.map(({ value }) => value as unknown)).toEqual([{ id: 1 }, { id: 2 }, undefined]);
});

test("health tells the version, or what is wrong", async () => {
  expect(await db.health()).toEqual({
    ok: true,
    version: expect.stringMatching(/^SQLite 3/),
    latencyMs: expect.any(Number),
  });
});

test("the classes cannot be made by authors", () => {
  const statement = db.prepare("select 1");
  for (const value of [db, statement, db.withSession(), db.cursor("select 1")]) {
    const { constructor } = value;
    const make = (): unknown => Reflect.construct(constructor, [{}, {}, {}]) as unknown;
    expect(make).toThrow(/Illegal constructor/);
  }
});
