// Handlers with a database, in a node as it is shipped: the embedded SQLite.

import { afterAll, beforeAll, expect, test } from "vitest";
import { startNode, type TestNode } from "../node.ts";
import { descendants } from "../processes.ts";

const PETS = `
const NEVER = "with recursive a(x) as (select 1 union all select x + 1 from a) select count(*) from a";
const cases = {
  async setup(env) {
    const { count } = await env.DB.exec("drop table if exists pets; create table pets (id integer primary key, name text)");
    return Response.json(count);
  },
  async add(env, url) {
    const { meta } = await env.DB.prepare("insert into pets (name) values (?)").bind(url.searchParams.get("name")).run();
    return Response.json(meta.last_row_id);
  },
  async list(env) {
    const { results } = await env.DB.prepare("select * from pets order by id").all();
    return Response.json(results);
  },
  async bytes(env) {
    const bytes = crypto.getRandomValues(new Uint8Array(50_000));
    const row = await env.DB.queryOne("select ? as bytes, ? as more", [bytes, 2n ** 60n]);
    return Response.json([row.bytes.length === 50_000 && row.bytes.every((byte, at) => byte === bytes[at]), typeof row.more]);
  },
  async named(env, url, ctx) {
    return Response.json(ctx.services.database("DB") === env.DB && ctx.services.requireDb("DB") === env.DB);
  },
  async parallel(env) {
    const rows = await Promise.all(Array.from({ length: 50 }, (_, at) => env.DB.sql\`select \${at} as x\`));
    return Response.json(rows.every(([{ x }], at) => x === at));
  },
  async fails(env) {
    try { await env.DB.query("select * from no_table"); } catch (error) {
      return Response.json([error.name, error.code, error.message, error instanceof Error]);
    }
  },
  async hangs(env) {
    await env.DB.query(NEVER);
  },
  /** Answers without ever ending its transaction. */
  async forgets(env) {
    const begun = Promise.withResolvers();
    void env.DB.transaction(async (tx) => {
      await tx.execute("delete from pets");
      begun.resolve();
      await new Promise(() => {});
    });
    await begun.promise;
    return new Response("forgotten");
  },
  async cursor(env) {
    let sum = 0;
    for await (const { x } of env.DB.cursor("with recursive a(x) as (select 1 union all select x + 1 from a where x < 3000) select x from a")) sum += x;
    return Response.json(sum);
  },
  async health(env) { return Response.json(await env.DB.health()); },
};
export default { fetch: (request, env, ctx) => {
  const url = new URL(request.url);
  return cases[url.pathname.split("/")[2]](env, url, ctx);
} };`;

let node: TestNode;

beforeAll(async () => {
  node = await startNode({ workers: 2 });
  const bindings = [{ kind: "database", name: "DB", service: "embedded", scope: "pets" }] as const;
  await node.publish("pets", PETS, { bindings });
  await node.publish("same", PETS, { bindings });
  await node.publish("short", PETS, { bindings, limits: { wallMs: 500 } });
  await node.publish("other", PETS, { bindings: [{ ...bindings[0], scope: "other" }] });
});

afterAll(() => node.stop());

async function ask(path: string): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${node.port}/${path}`);
  const text = await response.text();
  return response.ok ? (JSON.parse(text) as unknown) : `${response.status} ${text}`;
}

test("what a handler stores is there for every worker and every endpoint that binds the same database", async () => {
  expect(await ask("pets/setup")).toBe(2);
  expect(await ask("other/setup")).toBe(2);
  expect(await ask("pets/add?name=Rex")).toBe(1);
  // A connection each: the kernel spreads them over the workers.
  const lists = await Promise.all(Array.from({ length: 16 }, () => ask("same/list")));
  for (const list of lists) expect(list).toEqual([{ id: 1, name: "Rex" }]);
  expect(await ask("other/list")).toEqual([]);
});

test("bytes and large numbers cross, calls in parallel are answered, results of any size stream", async () => {
  expect(await ask("pets/bytes")).toEqual([true, "bigint"]);
  expect(await ask("pets/parallel")).toBe(true);
  expect(await ask("pets/cursor")).toBe((3_000 * 3_001) / 2);
  expect(await ask("pets/named")).toBe(true);
});

test("an error of SQL is the handler's to catch, with code and SQLite's own words", async () => {
  expect(await ask("pets/fails")).toEqual([
    "ServiceError",
    "SERVICE_FAILED",
    "no such table: no_table: SQLITE_ERROR",
    true,
  ]);
});

test("a transaction that its request forgets is undone and lets others write", async () => {
  await ask("pets/setup");
  await ask("pets/add?name=Rex");
  const response = await fetch(`http://127.0.0.1:${node.port}/pets/forgets`);
  expect(await response.text()).toBe("forgotten");
  expect(await ask("pets/add?name=Tom")).toBe(2);
  expect(await ask("pets/list")).toHaveLength(2);
});

test("a statement that never ends costs its request and nobody else, and ends with it", async () => {
  await ask("pets/setup");
  const hanging = Array.from({ length: 4 }, () => ask("short/hangs"));
  expect(await ask("pets/add?name=Rex")).toBe(1);
  for (const each of hanging) expect(await each).toMatch(/^504 /);
  expect(await ask("pets/list")).toHaveLength(1);
});

test("a killed process of SQLite is no more than one failed call", async () => {
  await ask("pets/setup");
  for (const pid of await sqliteProcesses()) killIfThere(pid);
  const answers = await Promise.all(Array.from({ length: 8 }, () => ask("pets/health")));
  for (const answer of answers) expect(answer).toHaveProperty("ok");
  expect(await ask("pets/list")).toEqual([]);
});

/** One that nobody wanted any more may be about to end. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has.
  }
}

async function sqliteProcesses(): Promise<number[]> {
  const workers = await node.serving();
  return workers.flatMap((pid) => descendants(pid));
}
