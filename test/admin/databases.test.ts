// SQL, migrations and KV by an operator, through the command line and the admin API of a whole node.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SQL_CELL_BYTES } from "../../sdk/services/database.ts";
import { OPERATOR_BYTES_MAX } from "../../sdk/services/service.ts";
import { makeFolder, runEdge, type Ran } from "../cli/harness.ts";
import { startNode, TOKEN, type TestNode } from "../node.ts";
import { hasProgram } from "../servers/install.ts";
import { postgresConfig, startPostgres } from "../servers/postgres.ts";
import type { TestServer } from "../servers/process.ts";
import { temporary, type Temporary } from "../temporary.ts";

const HANDLER = `export default { async fetch(request, env) {
  const { results } = await env.DB.prepare("SELECT name FROM pets").all();
  return Response.json({ results, page: await env.PAGES.getWithMetadata("a/b c") });
} };`;
const PROJECT = `{
  "name": "shop",
  "main": "index.ts",
  "d1_databases": [{ "binding": "DB", "migrations_dir": "db" }],
  "kv_namespaces": [{ "binding": "PAGES", "id": "pages" }],
}`;
const FIRST =
  "create table pets (name text unique, size integer);\ninsert into pets values ('Rex', 1);";

let node: TestNode;
let folder: Temporary;

beforeAll(async () => {
  node = await startNode({ workers: 2 });
  folder = makeFolder({ "edge.jsonc": PROJECT, "index.ts": HANDLER, "db/0001_pets.sql": FIRST });
});
afterAll(async () => {
  folder[Symbol.dispose]();
  await node.stop();
});

/** In the project's folder. */
function edge(...argv: readonly string[]): Promise<Ran> {
  const admin = `http://127.0.0.1:${node.adminPort}`;
  return runEdge([...argv, "--admin", admin, "--token", TOKEN], { cwd: folder.path });
}

async function data(...argv: readonly string[]): Promise<unknown> {
  const { stdout } = await edge(...argv, "--json");
  return (JSON.parse(stdout) as { data: unknown }).data;
}

describe("edge sql", () => {
  test("migrate brings a database to what its handler needs, once", async () => {
    expect(await data("sql", "migrations", "list", "DB")).toEqual({
      pending: ["0001_pets.sql"],
      applied: [],
    });
    expect(await edge("sql", "migrate", "DB")).toEqual({
      code: 0,
      stdout: "Applied 1 migration\n",
      // Also that it is being applied, where that takes long.
      stderr: expect.stringMatching(/^Applied 0001_pets\.sql$/m),
    });
    expect((await edge("sql", "migrate", "DB")).stdout).toBe(
      "Nothing to apply: all 1 migration are there\n",
    );
    expect(await edge("publish")).toMatchObject({ code: 0 });
    expect(await (await fetch(`${node.url}/shop`)).json()).toMatchObject({
      results: [{ name: "Rex" }],
    });
  });

  test("migrate stops at the first error, says where it is and keeps nothing of the file", async () => {
    const made = await edge("sql", "migrations", "create", "DB", "owners & more");
    expect(made.stdout).toBe(`Made ${join("db", "0002_owners_more.sql")}\n`);
    const second = join(folder.path, "db", "0002_owners_more.sql");
    expect(readFileSync(second, "utf8")).toBe("-- owners & more\n");
    const third = join(folder.path, "db", "0003_broken.sql");
    writeFileSync(third, "alter table pets add owner text;\n\ninsert into\n  pets values (1);\n");
    writeFileSync(join(folder.path, "db", "0010_late.sql"), "create table late (a)");
    const failed = await edge("sql", "migrate", "DB");
    expect(failed).toMatchObject({ code: 1, stdout: "" });
    expect(failed.stderr).toContain("Applied 0002_owners_more.sql\n");
    expect(failed.stderr).toContain(`${join("db", "0003_broken.sql")}:3: table pets has 3 columns`);
    expect(failed.stderr).toContain("Nothing of 0003_broken.sql was kept.");
    expect(await data("sql", "migrations", "list", "DB")).toMatchObject({
      pending: ["0003_broken.sql", "0010_late.sql"],
      applied: [{ name: "0001_pets.sql" }, { name: "0002_owners_more.sql" }],
    });
    writeFileSync(third, "alter table pets add owner text");
    expect(await data("sql", "migrate", "DB")).toEqual({
      applied: ["0003_broken.sql", "0010_late.sql"],
    });
  });

  test("query shows rows, of a binding, a scope and a service with a scope", async () => {
    const shown = await edge("sql", "query", "DB", "select name, size, owner from pets");
    expect(shown.stdout).toBe("name  size  owner\nRex   1     NULL\n1 row\n");
    for (const name of [["DB"], ["shop/db"], ["embedded", "--scope", "shop/db"]]) {
      const [word = "", ...more] = name;
      const argv = ["sql", "query", word, "select ? as a, ? as b", "--param", "x", "--param", "2"];
      expect(await data(...argv, ...more)).toMatchObject({
        columns: ["a", "b"],
        results: [{ a: "x", b: 2 }],
      });
    }
    const changed = await edge("sql", "query", "DB", "update pets set size = 2");
    expect(changed.stdout).toBe("Changed 1 row\n");
  });

  test("values that JSON has not, and what would play with a terminal, are shown harmless", async () => {
    const sql = "select 9007199254740993 as big, x'00ff' as bytes, char(27) || '[2J' as odd";
    expect(await data("sql", "query", "DB", sql)).toMatchObject({
      results: [{ big: "9007199254740993", bytes: [0, 255], odd: "\u001b[2J" }],
    });
    const { stdout } = await edge("sql", "query", "DB", sql);
    expect(stdout).toContain("\\u001b[2J");
    expect(stdout).not.toContain("\u001b");
  });

  test("exec runs a file, all or none", async () => {
    const file = join(folder.path, "more.sql");
    writeFileSync(
      file,
      "insert into pets (name) values ('Tom'); insert into pets (name) values ('Tom')",
    );
    const failed = await edge("sql", "exec", "DB", "--file", "more.sql");
    expect([failed.code, failed.stderr]).toEqual([1, expect.stringContaining("UNIQUE constraint")]);
    writeFileSync(
      file,
      "insert into pets (name) values ('Tom'); delete from pets where name = 'Tom'",
    );
    expect((await edge("sql", "exec", "DB", "--file", "more.sql")).stdout).toBe(
      "Ran 2 statements\n",
    );
    expect(await data("sql", "query", "DB", "select count(*) as n from pets")).toMatchObject({
      results: [{ n: 1 }],
    });
  });

  test("rows of more bytes than an operator gets are refused", async () => {
    const query = (bytes: number): Promise<Ran> =>
      edge(
        "sql",
        "query",
        "DB",
        `select cast(substr(hex(zeroblob(${bytes})), 1, ${bytes}) as text) a`,
      );
    expect(await query(OPERATOR_BYTES_MAX / 2 - SQL_CELL_BYTES)).toMatchObject({ code: 0 });
    const large = await query(OPERATOR_BYTES_MAX / 2 - SQL_CELL_BYTES + 1);
    expect([large.code, large.stderr]).toEqual([1, expect.stringContaining("SERVICE_TOO_LARGE")]);
  });

  test.each<[string, readonly string[], string]>([
    ["a name that nobody has", ["query", "shpo", "select 1"], "there are shop/db"],
    ["embedded without a scope", ["query", "embedded", "select 1"], "which of embedded?"],
    [
      "a scope that is none",
      ["query", "embedded", "select 1", "--scope", "../x"],
      "scope: letters",
    ],
    ["wrong SQL", ["query", "DB", "selekt"], 'near "selekt": syntax error'],
    ["several statements", ["query", "DB", "select 1; select 2"], "one is expected"],
    ["no statement and no file", ["exec", "DB"], "Give either statements or --file"],
    ["a file that is not there", ["exec", "DB", "--file", "no.sql"], "no.sql cannot be read"],
    ["a folder that is not there", ["migrate", "DB", "nowhere"], "There is no folder nowhere"],
    ["a file without a number", ["migrate", "DB", "odd"], "x.sql has no number"],
  ])("%s is refused", async (_what, argv, text) => {
    mkdirSync(join(folder.path, "odd"), { recursive: true });
    writeFileSync(join(folder.path, "odd", "x.sql"), "");
    const ran = await edge("sql", ...argv);
    expect(ran.code).toBeGreaterThan(0);
    expect(ran.stderr).toContain(text);
  });
});

describe.runIf(hasProgram("postgres"))("edge sql on Postgres", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startPostgres();
    const { host, port, database, username, password } = postgresConfig(server);
    const config = { host, port, database, username, password, ssl_mode: "disable" };
    writeFileSync(join(folder.path, "pg.json"), JSON.stringify(config));
    const added = await edge("services", "add", "postgres", "main-db", "--env-file", "pg.json");
    expect(added).toMatchObject({ code: 0 });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test("migrates, and shows the values of its own types", async () => {
    mkdirSync(join(folder.path, "pg"));
    const first = join(folder.path, "pg", "1_pets.sql");
    writeFileSync(
      first,
      "create table pets (doc jsonb, tags text[], born timestamptz, ok boolean);",
    );
    const second = join(folder.path, "pg", "2_rex.sql");
    writeFileSync(second, "\ninsert into nowhere values (1)");
    const failed = await edge("sql", "migrate", "main-db", "pg");
    expect(failed.stderr).toContain(
      `${join("pg", "2_rex.sql")}:2: relation "nowhere" does not exist (42P01)`,
    );
    writeFileSync(
      second,
      `insert into pets values ('{"a": [1]}', '{x,y}', '2020-01-02T03:04:05Z', true)`,
    );
    expect(await data("sql", "migrate", "main-db", "pg")).toEqual({ applied: ["2_rex.sql"] });
    expect(await data("sql", "query", "main-db", "select * from pets where ok")).toMatchObject({
      results: [{ doc: { a: [1] }, tags: ["x", "y"], born: "2020-01-02T03:04:05.000Z", ok: true }],
    });
    expect(await data("sql", "migrations", "list", "main-db", "pg")).toMatchObject({
      pending: [],
      applied: [
        { name: "1_pets.sql", applied_at: expect.stringMatching(/Z$/) },
        { name: "2_rex.sql" },
      ],
    });
  });

  test("serves no keys, and nothing once it is deactivated", async () => {
    const keys = await edge("kv", "list", "main-db");
    expect(keys.stderr).toContain("main-db is of type postgres, which serves database and no kv");
    await edge("services", "deactivate", "main-db");
    const query = await edge("sql", "query", "main-db", "select 1");
    expect([query.code, query.stderr]).toEqual([1, expect.stringContaining("SERVICE_STOPPED")]);
  });
});

describe("edge kv", () => {
  test("puts what handlers read, and gets, lists and deletes it", async () => {
    const put = ["kv", "put", "PAGES", "a/b c", "grüß", "--metadata", '{"n":1}', "--ttl", "1000"];
    expect(await edge(...put)).toMatchObject({ stdout: "Stored 6 bytes under a/b c\n" });
    expect(await (await fetch(`${node.url}/shop`)).json()).toMatchObject({
      page: { value: "grüß", metadata: { n: 1 } },
    });
    expect((await edge("kv", "get", "pages", "a/b c")).stdout).toBe("grüß\n");
    expect(await data("kv", "get", "embedded", "a/b c", "--scope", "pages")).toEqual({
      key: "a/b c",
      value: "grüß",
      metadata: { n: 1 },
    });
    expect(await data("kv", "list", "PAGES", "a/")).toMatchObject({
      keys: [{ name: "a/b c", metadata: { n: 1 }, expiration: expect.any(Number) }],
    });
    expect(await edge("kv", "delete", "PAGES", "a/b c")).toMatchObject({ code: 0 });
    const missing = await edge("kv", "get", "PAGES", "a/b c");
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining("KEY_NOT_FOUND")]);
  });

  test("bytes go in and out by files, up to as many as an operator may move", async () => {
    using place = temporary();
    const [from, to] = [join(place.path, "in"), join(place.path, "out")];
    const bytes = Buffer.alloc(OPERATOR_BYTES_MAX - 1_000, 255);
    writeFileSync(from, bytes);
    expect(await edge("kv", "put", "PAGES", "bytes", "--file", from)).toMatchObject({ code: 0 });
    expect(await edge("kv", "get", "PAGES", "bytes")).toMatchObject({ code: 2 });
    expect(await edge("kv", "get", "PAGES", "bytes", "--file", to)).toMatchObject({ code: 0 });
    expect(readFileSync(to).equals(bytes)).toBe(true);
    writeFileSync(from, Buffer.alloc(OPERATOR_BYTES_MAX + 1));
    const large = await edge("kv", "put", "PAGES", "bytes", "--file", from);
    expect([large.code, large.stderr]).toEqual([1, expect.stringContaining("BODY_TOO_LARGE")]);
  });

  test("a listing goes on where it ended", async () => {
    for (const key of ["l1", "l2", "l3"]) await edge("kv", "put", "PAGES", key, "x");
    const first = await data("kv", "list", "PAGES", "l", "--limit", "2");
    expect(first).toMatchObject({ keys: [{ name: "l1" }, { name: "l2" }] });
    const cursor = String(Reflect.get(Object(first), "cursor"));
    expect(await data("kv", "list", "PAGES", "l", "--cursor", cursor)).toMatchObject({
      keys: [{ name: "l3" }],
      cursor: null,
    });
  });

  test.each<[string, readonly string[], string]>([
    ["a namespace that nobody has", ["list", "pgaes"], "there are pages"],
    ["no value and no file", ["put", "PAGES", "a"], "Give either a value or --file"],
    ["a life that is no number", ["put", "PAGES", "a", "b", "--ttl", "1h"], "--ttl takes"],
    ["metadata that is no JSON", ["put", "PAGES", "a", "b", "--metadata", "{"], "takes JSON"],
    ["a key that is none", ["put", "PAGES", ".", "b"], "A key is a text"],
    ["a key that is too long", ["get", "PAGES", "k".repeat(513)], "The key has 513 bytes"],
    ["a limit of none", ["list", "PAGES", "--limit", "0"], "a whole number from 1"],
  ])("%s is refused", async (_what, argv, text) => {
    const ran = await edge("kv", ...argv);
    expect(ran.code).toBeGreaterThan(0);
    expect(ran.stderr).toContain(text);
  });
});

test("what an operator asks of databases and namespaces needs the token", async () => {
  for (const [method, path] of [
    ["POST", "/api/databases/shop%2Fdb/query"],
    ["GET", "/api/databases/shop%2Fdb/migrations"],
    ["GET", "/api/kv/pages/keys"],
    ["DELETE", "/api/kv/pages/values/a"],
  ] as const) {
    expect(await node.api(method, path, undefined, "wrong")).toMatchObject({ status: 401 });
  }
});
