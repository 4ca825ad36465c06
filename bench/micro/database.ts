// What one `select 1` costs from a handler, beside the same call from plain Node: on SQLite, and on a Postgres where
// one is installed. One after the other, and a hundred at once.

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import postgres from "postgres";
import { publishBody } from "../../test/node.ts";
import { findProgram } from "../../test/servers/install.ts";
import { PASSWORD, postgresConfig, startPostgres } from "../../test/servers/postgres.ts";
import { publishByApi, sendToAdmin, startNode } from "../load/islet.ts";
import { measure, printFigures, repeat, type Figure } from "./calls.ts";

const HANDLER = `
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const db = env[url.searchParams.get("db")];
    const calls = Number(url.searchParams.get("calls"));
    const ask = () => db.query("select 1");
    if (url.searchParams.has("atOnce")) await Promise.all(Array.from({ length: calls }, ask));
    else for (let call = 0; call < calls; call++) await ask();
    return new Response("done");
  },
};`;

const folder = mkdtempSync(join(tmpdir(), "islet-bench-"));
const server = findProgram("postgres") === null ? null : await startPostgres();
const node = await startNode({ data: join(folder, "data") });
try {
  const figures: Figure[] = [];
  const fromHandler =
    (db: string) =>
    async (calls: number, atOnce: boolean): Promise<void> => {
      const query = `db=${db}&calls=${calls}${atOnce ? "&atOnce" : ""}`;
      const answer = await fetch(`http://127.0.0.1:${node.port}/bench?${query}`);
      const text = await answer.text();
      if (text !== "done") throw new Error(`${answer.status} ${text}`);
    };
  if (server !== null) {
    const config = { ...postgresConfig(server) };
    await sendToAdmin(node, "/api/services", {
      name: "bench-db",
      service_type: "postgres",
      config,
    });
    await sendToAdmin(node, "/api/services/bench-db/activate");
  }
  const binding = { kind: "database", scope: "bench" } as const;
  await publishByApi(
    node,
    await publishBody("bench", HANDLER, {
      bindings: [
        { ...binding, name: "SQLITE", service: "embedded" },
        ...(server === null ? [] : [{ ...binding, name: "POSTGRES", service: "bench-db" }]),
      ],
    }),
  );
  const sqlite = new DatabaseSync(join(folder, "plain.db"));
  const statement = sqlite.prepare("select 1");
  figures.push(
    await measure("SQLite: plain Node, on its own thread", (calls, atOnce) =>
      repeat(calls, atOnce, () => statement.all()),
    ),
    await measure("SQLite: from a handler", fromHandler("SQLITE")),
  );
  sqlite.close();
  if (server !== null) {
    const sql = postgres({
      host: server.host,
      port: server.port,
      user: "postgres",
      pass: PASSWORD,
      max: 4,
    });
    figures.push(
      await measure("Postgres: plain Node, the same driver", (calls, atOnce) =>
        repeat(calls, atOnce, () => sql`select 1`),
      ),
      await measure("Postgres: from a handler", fromHandler("POSTGRES")),
    );
    await sql.end();
  }
  printFigures("select 1", figures);
} finally {
  await node.stop();
  await server?.stop();
  if (existsSync(folder)) rmSync(folder, { recursive: true, force: true });
}
