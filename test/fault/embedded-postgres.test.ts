// The node's own Postgres and the node's processes: one for all workers, whatever dies, and none when they are gone.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startNode, type TestNode } from "../node.ts";
import { descendants, gone } from "../processes.ts";
import { hasProgram } from "../servers/install.ts";
import { temporary } from "../temporary.ts";
import { until } from "../waiting.ts";

/** A new cluster, two nodes and some deaths, on a busy machine. */
const TEST_MS = 120_000;

const NOTES = `export default { async fetch(request, env) {
  await env.DB.exec("create table if not exists notes (id int generated always as identity, worker text)");
  await env.DB.execute("insert into notes (worker) values (?)", ["one"]);
  const { n } = await env.DB.queryOne("select count(*) as n from notes");
  return Response.json(n);
} };`;

async function notes(node: TestNode): Promise<number> {
  const { status, text } = await node.get("/notes");
  expect(`${status} ${text}`, node.output).toMatch(/^200 \d+$/);
  return Number(text);
}

function postmasterOf(data: string): number {
  const file = join(data, "services", "postgres", "data", "postmaster.pid");
  return Number(readFileSync(file, "utf8").split("\n")[0]);
}

test.runIf(hasProgram("postgres"))(
  "the embedded Postgres outlives its supervisor, comes back when killed, and ends with the node",
  async () => {
    using folder = temporary();
    await using first = await startNode({ data: folder.path, workers: 1 });
    // Making a cluster may take longer than a test waits.
    await until(
      "it answers a test",
      async () => {
        const tested = await first.edge("services", "test", "embedded-postgres");
        return /PostgreSQL \d+/.test(tested.stdout);
      },
      TEST_MS,
    );
    await first.publish("notes", NOTES, {
      bindings: [{ kind: "database", name: "DB", service: "embedded-postgres" }],
    });
    let count = 0;
    // So may copying the template on a disk that is written to by others.
    await until(
      "its database is made",
      async () => {
        const { status, text } = await first.get("/notes");
        count = Number(text);
        return status === 200;
      },
      TEST_MS,
    );
    const pid = postmasterOf(folder.path);
    const asked = await first.edge(
      "sql",
      "query",
      "notes/db",
      "select count(*) from notes",
      "--json",
    );
    expect(JSON.parse(asked.stdout)).toMatchObject({ ok: true });

    // Its workers go on, and so does what they have.
    process.kill(first.pid, "SIGKILL");
    await first.exited;
    await first.stop();
    expect(await notes(first)).toBe(++count);
    await using second = await startNode({
      data: folder.path,
      workers: 1,
      args: ["--port", `${first.port}`],
    });
    expect(await notes(second)).toBe(++count);
    expect(postmasterOf(folder.path)).toBe(pid);

    // It is started again by whoever needs it.
    const family = [pid, ...descendants(pid)];
    process.kill(pid, "SIGKILL");
    await gone(family);
    expect(await notes(second)).toBe(++count);

    // Workers end by SIGKILL, also those that were told to: so it would end without its node's help too.
    const last = postmasterOf(folder.path);
    const all = [last, ...descendants(last)];
    await second.stop();
    // It takes its file away, by which the node knows, some milliseconds before it is gone.
    await gone(all);
  },
  TEST_MS,
);
