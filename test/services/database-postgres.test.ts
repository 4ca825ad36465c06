// PostgreSQL, a real one: the contract, and what only it has.

import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EdgeError } from "../../sdk/errors.ts";
import type { PostgresConfig } from "../../sdk/services/config.ts";
import { SQL_RESULT_BYTES_MAX } from "../../sdk/services/database.ts";
import { openPostgres } from "../../services/database/postgres.ts";
import {
  ask,
  describeDatabaseContract,
  NEVER,
  unlimited,
  type OpenDatabase,
} from "../contracts/database.ts";
import { hasProgram } from "../servers/install.ts";
import { certificateOf, PASSWORD, postgresConfig, startPostgres } from "../servers/postgres.ts";
import type { TestServer } from "../servers/process.ts";

let server: TestServer;

describe.runIf(hasProgram("postgres"))("a Postgres server", () => {
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  async function open(more: Partial<PostgresConfig> = {}): Promise<OpenDatabase> {
    const backend = await openPostgres(postgresConfig(server, more), { signal: unlimited });
    return { backend, [Symbol.asyncDispose]: () => backend.close() };
  }

  /** Connections that the server has of ours, by another one. */
  async function connections(): Promise<number> {
    const sql = postgres({
      host: server.host,
      port: server.port,
      user: "postgres",
      pass: PASSWORD,
      max: 1,
    });
    const [row] =
      await sql`select count(*)::int as n from pg_stat_activity where application_name = 'islet'`;
    await sql.end();
    return Number(row?.["n"]);
  }

  describeDatabaseContract("Postgres", { dialect: "postgres", open });

  test("values come back as what JavaScript has for them", async () => {
    await using database = await open();
    const bytes = new Uint8Array([0, 255, 3]);
    const date = new Date(1_700_000_000_500);
    const { rows, columns } = await ask(
      database,
      `select ?::float8, ?::bytea, ?::boolean, ?::timestamptz, ?::timestamp, ?::date,
        ?::jsonb as a, ?::json as b, ?::int[], ?::text[], ?::numeric, ?::uuid, ?::jsonb as c, ?::bigint[], ?::boolean[]`,
      1.5,
      bytes,
      true,
      date,
      date,
      "2023-11-14",
      { a: [1, "x"] },
      [1, { b: 2 }],
      [1, 2],
      ['a,"b', "c\\"],
      "12345678901234567890.5",
      "00000000-0000-0000-0000-000000000001",
      '{"already": "text"}',
      [1, 9_007_199_254_740_993n],
      [true, false],
    );
    expect(rows).toEqual([
      [
        1.5,
        bytes,
        true,
        date,
        date,
        new Date("2023-11-14T00:00:00Z"),
        '{"a": [1, "x"]}',
        '[1,{"b":2}]',
        [1, 2],
        ['a,"b', "c\\"],
        "12345678901234567890.5",
        "00000000-0000-0000-0000-000000000001",
        '{"already": "text"}',
        [1, 9_007_199_254_740_993n],
        [true, false],
      ],
    ]);
    expect(columns.filter(({ json }) => json).map(({ name }) => name)).toEqual(["a", "b", "c"]);
    const odd = await ask(database, "select 'infinity'::timestamptz, '-infinity'::date, null::int");
    expect(odd.rows).toEqual([["infinity", "-infinity", null]]);
    await expect(ask(database, "select ?", undefined)).rejects.toMatchObject({
      code: "SERVICE_INPUT",
    });
    await expect(ask(database, "select ?::jsonb", [bytes])).rejects.toThrow(/Bytes within a list/);
  });

  test("a question mark is JSON's operator where nothing else is meant", async () => {
    await using database = await open();
    const sql = `select '{"a": 1}'::jsonb`;
    expect((await ask(database, `${sql} ? 'a'`)).rows).toEqual([[true]]);
    expect((await ask(database, `${sql} ? $1`, "b")).rows).toEqual([[false]]);
    expect((await ask(database, `${sql} ?? ?`, "a")).rows).toEqual([[true]]);
  });

  test("errors have their SQLSTATE, and conflicts are told apart", async () => {
    await using database = await open();
    const { backend } = database;
    await backend.exec(
      "",
      "drop table if exists t; create table t (a int primary key); insert into t values (1)",
      unlimited,
    );
    await expect(ask(database, "insert into t values (1)")).rejects.toMatchObject({
      code: "SERVICE_FAILED",
      message: 'duplicate key value violates unique constraint "t_pkey" (23505)',
      detail: { sqlstate: "23505", constraint: "t_pkey" },
    });
    await expect(ask(database, "select * from no_table")).rejects.toThrow(/\(42P01\)/);
    // Two that lock what the other one wants next.
    await backend.exec("", "insert into t values (2)", unlimited);
    const [first, second] = [
      await backend.begin("", { readOnly: false }, unlimited),
      await backend.begin("", { readOnly: false }, unlimited),
    ];
    const lock = (id: number) => [{ sql: "select * from t where a = ? for update", params: [id] }];
    await first.run(lock(1), unlimited);
    await second.run(lock(2), unlimited);
    const both = await Promise.allSettled([
      first.run(lock(2), unlimited),
      second.run(lock(1), unlimited),
    ]);
    await Promise.all([first.rollback(), second.rollback()]);
    const failures = both.flatMap((each) =>
      each.status === "rejected" ? [each.reason as unknown] : [],
    );
    expect(failures).toEqual([expect.objectContaining({ code: "SERVICE_CONFLICT" })]);
  });

  test("a transaction in which something failed is not committed, and says so", async () => {
    await using database = await open();
    const { backend } = database;
    await backend.exec("", "drop table if exists t; create table t (a int primary key)", unlimited);
    const transaction = await backend.begin("", { readOnly: false }, unlimited);
    const run = (sql: string) => transaction.run([{ sql, params: [] }], unlimited);
    await run("insert into t values (1)");
    await expect(run("insert into t values (1)")).rejects.toThrow(/23505/);
    await expect(transaction.commit(unlimited)).rejects.toThrow(/none of it was kept/);
    expect((await ask(database, "select * from t")).rows).toEqual([]);
  });

  test.each([
    ["SET", "set statement_timeout = 0"],
    ["RESET", "reset all"],
    ["LISTEN", "listen a"],
    ["PREPARE", "prepare a as select 1"],
    ["COPY to a client", "copy (select 1) to stdout"],
    ["COPY from a program", "copy pg_class from program 'true'"],
    ["DISCARD", "discard all"],
  ])("%s is refused, for it would stay in the connection", async (_what, sql) => {
    await using database = await open();
    await expect(ask(database, sql)).rejects.toMatchObject({ code: "SERVICE_INPUT" });
    await expect(database.backend.exec("", sql, unlimited)).rejects.toMatchObject({
      code: "SERVICE_INPUT",
    });
  });

  test("what a statement leaves in its connection nobody else meets", async () => {
    await using database = await open({ pool_size: 1 });
    const name = "select current_setting('application_name')";
    await ask(database, "select set_config('application_name', 'mine', false)");
    expect((await ask(database, name)).rows).toEqual([["islet"]]);
    await ask(database, "create temp table left_behind (a int)");
    await expect(ask(database, "select * from left_behind")).rejects.toThrow(/42P01/);
    await database.backend.exec(
      "",
      "select set_config('application_name', 'mine', false)",
      unlimited,
    );
    expect((await ask(database, name)).rows).toEqual([["islet"]]);
    const transaction = await database.backend.begin("", { readOnly: false }, unlimited);
    await transaction.run([{ sql: "set local application_name = 'mine'", params: [] }], unlimited);
    await transaction.commit(unlimited);
    expect((await ask(database, name)).rows).toEqual([["islet"]]);
  });

  test("a service that only reads cannot be talked into writing", async () => {
    await using writer = await open();
    await writer.backend.exec("", "drop table if exists t; create table t (a int)", unlimited);
    await using database = await open({ read_only: true });
    const refused = { code: "SERVICE_FAILED", message: expect.stringMatching(/25006|25001/) };
    await expect(ask(database, "insert into t values (1)")).rejects.toMatchObject(refused);
    await expect(
      ask(database, "with a as (insert into t values (1) returning 1) select * from a"),
    ).rejects.toMatchObject(refused);
    const script =
      "select set_config('transaction_read_only', 'off', false); insert into t values (1)";
    await expect(database.backend.exec("", script, unlimited)).rejects.toMatchObject(refused);
    await ask(database, "select set_config('default_transaction_read_only', 'off', false)");
    await expect(ask(database, "insert into t values (1)")).rejects.toMatchObject(refused);
    const reading = await writer.backend.begin("", { readOnly: true }, unlimited);
    const off = [{ sql: "set local transaction_read_only = off", params: [] }];
    await expect(reading.run(off, unlimited)).rejects.toMatchObject(refused);
    await reading.rollback();
    expect((await ask(writer, "select * from t")).rows).toEqual([]);
  });

  test("a statement ends at the server's own time-out too", async () => {
    await using database = await open({ statement_timeout_ms: 50 });
    await expect(ask(database, NEVER)).rejects.toMatchObject({
      code: "SERVICE_TIMEOUT",
      message: expect.stringMatching(/statement timeout \(57014\)/),
    });
    expect((await ask(database, "select 1")).rows).toEqual([[1]]);
  });

  test("a statement that is wanted no more is ended in the server, not only forgotten", async () => {
    await using database = await open();
    const ending = new AbortController();
    const sleeping = ask(database, "select 1").then(() =>
      database.backend.run(
        "",
        [{ sql: "select pg_sleep(60) /* to be ended */", params: [] }],
        ending.signal,
      ),
    );
    const active = async (): Promise<unknown> =>
      (
        await ask(
          database,
          "select count(*)::int from pg_stat_activity where query like 'select pg_sleep%'",
        )
      ).rows;
    await expect.poll(active).toEqual([[1]]);
    ending.abort(new EdgeError("SERVICE_TIMEOUT"));
    await expect(sleeping).rejects.toMatchObject({ code: "SERVICE_TIMEOUT" });
    await expect.poll(active).toEqual([[0]]);
  });

  test("a value that is larger than any answer may be does not come into this process", async () => {
    await using database = await open();
    const before = process.memoryUsage().rss;
    await expect(ask(database, "select repeat('x', 500000000)")).rejects.toMatchObject({
      code: "SERVICE_TOO_LARGE",
    });
    const many = "select repeat('x', 100000) from generate_series(1, 20000)";
    await expect(ask(database, many)).rejects.toMatchObject({ code: "SERVICE_TOO_LARGE" });
    await expect(database.backend.exec("", many, unlimited)).rejects.toMatchObject({
      code: "SERVICE_TOO_LARGE",
    });
    expect(process.memoryUsage().rss - before).toBeLessThan(20 * SQL_RESULT_BYTES_MAX);
    expect((await ask(database, "select 1")).rows).toEqual([[1]]);
  });

  test("more statements than connections wait for each other, and no connection is left over", async () => {
    const database = await open({ pool_size: 2 });
    const all = await Promise.all(
      Array.from({ length: 50 }, async (_, at) => (await ask(database, "select ?::int", at)).rows),
    );
    expect(all).toEqual(Array.from({ length: 50 }, (_, at) => [[at]]));
    await expect.poll(connections).toBeLessThanOrEqual(2);
    await database[Symbol.asyncDispose]();
    await expect.poll(connections).toBe(0);
  });

  test("endless different statements do not fill the server's memory with plans", async () => {
    await using database = await open({ pool_size: 1 });
    for (let at = 0; at < 250; at++) await ask(database, `select ${at} + ?::int`, 1);
    const { rows } = await ask(database, "select count(*)::int from pg_prepared_statements");
    expect(Number(rows[0]?.[0])).toBeLessThanOrEqual(200);
  });

  test("a Unix socket is a folder in the place of the host", async () => {
    await using database = await open({ host: server.folder, ssl_mode: "prefer" });
    expect((await ask(database, "select inet_client_addr()")).rows).toEqual([[null]]);
  });

  test.each<[string, Partial<PostgresConfig>, string, RegExp]>([
    ["a wrong password", { password: "wrong" }, "SERVICE_REFUSED", /28P01/],
    ["no password", { password: "" }, "SERVICE_REFUSED", /28P01/],
    ["a wrong database", { database: "nowhere" }, "SERVICE_REFUSED", /3D000/],
    [
      "a port that nobody listens on",
      { port: 1 },
      "SERVICE_UNAVAILABLE",
      /127\.0\.0\.1:1 .*ECONNREFUSED/,
    ],
    [
      "a host that does not exist",
      { host: "nowhere.invalid" },
      "SERVICE_UNAVAILABLE",
      /nowhere\.invalid/,
    ],
    [
      "TLS that the server has not",
      { ssl_mode: "require" },
      "SERVICE_UNAVAILABLE",
      /offers no TLS/,
    ],
  ])("%s is told when the service is opened", async (_what, more, code, message) => {
    await expect(open(more)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });
});

describe.runIf(hasProgram("postgres") && hasProgram("openssl"))(
  "a Postgres server with TLS",
  () => {
    let secured: TestServer;
    beforeAll(async () => {
      secured = await startPostgres({ tls: true });
    });
    afterAll(() => secured[Symbol.asyncDispose]());

    test.each<[PostgresConfig["ssl_mode"], string, boolean, boolean]>([
      ["disable", "127.0.0.1", false, false],
      ["allow", "127.0.0.1", false, true],
      ["prefer", "127.0.0.1", false, true],
      ["require", "127.0.0.1", false, true],
      ["verify-ca", "127.0.0.1", true, true],
      ["verify-full", "localhost", true, true],
    ])("ssl_mode %s works as it says", async (mode, host, ca, encrypted) => {
      const config = postgresConfig(
        { host, port: secured.port },
        { ssl_mode: mode, ...(ca ? { ssl_ca: certificateOf(secured) } : {}) },
      );
      const backend = await openPostgres(config, { signal: unlimited });
      const { rows } = await ask(
        { backend },
        "select ssl from pg_stat_ssl where pid = pg_backend_pid()",
      );
      expect(rows).toEqual([[encrypted]]);
      await backend.close();
    });

    test.each<PostgresConfig["ssl_mode"]>(["verify-ca", "verify-full"])(
      "ssl_mode %s refuses a certificate of an unknown authority",
      async (mode) => {
        const config = postgresConfig(
          { host: "localhost", port: secured.port },
          { ssl_mode: mode },
        );
        await expect(openPostgres(config, { signal: unlimited })).rejects.toMatchObject({
          code: "SERVICE_UNAVAILABLE",
          message: expect.stringMatching(/certificate/),
        });
      },
    );

    test("a statement over TLS is cancelled too", async () => {
      const config = postgresConfig(secured, { ssl_mode: "require", pool_size: 1 });
      const backend = await openPostgres(config, { signal: unlimited });
      const ending = new AbortController();
      const endless = backend.run("", [{ sql: NEVER, params: [] }], ending.signal);
      ending.abort(new EdgeError("SERVICE_TIMEOUT"));
      await expect(endless).rejects.toMatchObject({ code: "SERVICE_TIMEOUT" });
      expect((await ask({ backend }, "select 1")).rows).toEqual([[1]]);
      await backend.close();
    });
  },
);
