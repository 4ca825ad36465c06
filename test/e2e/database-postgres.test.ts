// Handlers on a Postgres service: the example petstore, as it runs on SQLite too, and D1's interface.

import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkPetstore } from "../docs/petstore-example.ts";
import { startNode } from "../node.ts";
import { temporary } from "../temporary.ts";
import { hasProgram } from "../servers/install.ts";
import { postgresConfig, startPostgres } from "../servers/postgres.ts";

const EXAMPLE: string = join(import.meta.dirname, "../../examples/petstore");

const D1 = `export default { async fetch(request, env) {
  const insert = env.DB.prepare("insert into notes (body, at) values (?, ?)");
  await env.DB.exec("create table notes (id int generated always as identity, body jsonb, at timestamptz)");
  const at = new Date(0);
  const [first] = await env.DB.batch([insert.bind({ a: [1] }, at), insert.bind('{"b": null}', at)]);
  const { results } = await env.DB.prepare("select * from notes where id <= ?1 order by id").bind(2).all();
  const rows = [];
  for await (const row of env.DB.cursor("select id, body from notes order by id", [], { rows: 1 })) rows.push(row);
  return Response.json([first.meta.changes, results, rows, (await env.DB.health()).version.split(" ")[0]]);
} };`;

test.runIf(hasProgram("postgres"))("handlers work on Postgres as they do on SQLite", async () => {
  await using server = await startPostgres();
  await using node = await startNode({ workers: 1 });
  using folder = temporary();
  const config = postgresConfig(server);
  const made = await node.api("POST", "/api/services", {
    name: "shop-db",
    service_type: "postgresql",
    config,
  });
  expect(made.ok).toBe(true);
  expect((await node.api("POST", "/api/services/shop-db/activate")).ok).toBe(true);
  expect((await node.api("POST", "/api/services/shop-db/test")).data).toMatchObject({
    connected: true,
    info: expect.stringMatching(/^PostgreSQL \d+/),
  });

  cpSync(EXAMPLE, folder.path, { recursive: true });
  const manifest = join(folder.path, "edge.jsonc");
  const bound = '"binding": "DB", "service": "shop-db"';
  writeFileSync(manifest, readFileSync(manifest, "utf8").replace('"binding": "DB"', bound));
  const { code, stderr } = await node.edge("publish", folder.path);
  expect(`${code} ${stderr}`).toMatch(/^0 /);
  await checkPetstore(node);

  await node.publish("notes", D1, {
    bindings: [{ kind: "database", name: "DB", service: "shop-db", scope: "notes" }],
  });
  const answer = await fetch(`${node.url}/notes`);
  expect(await answer.json()).toEqual([
    1,
    [
      { id: 1, body: { a: [1] }, at: "1970-01-01T00:00:00.000Z" },
      { id: 2, body: { b: null }, at: "1970-01-01T00:00:00.000Z" },
    ],
    [
      { id: 1, body: { a: [1] } },
      { id: 2, body: { b: null } },
    ],
    "PostgreSQL",
  ]);
});
