// Secrets on a real node: handlers see them at once on every worker, and nothing else shows them.

import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startNode, type TestNode } from "../node.ts";
import { temporary } from "../temporary.ts";
import { until } from "../waiting.ts";

const SECRET = "v3ry-s3cret-value-0123456789";
const HANDLER = `export default {
  fetch: (request, env) => Response.json([env.KEY ?? null, env.MODE, Object.keys(env)]),
};`;

const folder = temporary();
const data = folder.path;
let node: TestNode;

beforeAll(async () => {
  node = await startNode({ workers: 2, data });
  await node.publish("hello", HANDLER, { vars: { MODE: "fast" } });
});

afterAll(async () => {
  await node.stop();
  folder[Symbol.dispose]();
});

async function answers(): Promise<readonly string[]> {
  return Promise.all(Array.from({ length: 12 }, async () => (await node.get("/hello")).text));
}

function expectAll(texts: readonly string[], value: string | null): void {
  const env = value === null ? ["MODE"] : ["MODE", "KEY"];
  expect(new Set(texts)).toEqual(new Set([JSON.stringify([value, "fast", env])]));
}

test("a secret is in env on every worker when the call returns, changes, and goes", async () => {
  expectAll(await answers(), null);
  const put = (value: string): Promise<unknown> =>
    node.api("PUT", "/api/secrets", { endpoint: "hello", name: "KEY", value });
  await put("first");
  expectAll(await answers(), "first");
  await put(SECRET);
  expectAll(await answers(), SECRET);
  await node.api("DELETE", "/api/secrets/KEY?endpoint=hello");
  expectAll(await answers(), null);
  await put(SECRET);
});

test("a secret is in no file of the node, no log, no argument and no environment", async () => {
  await node.api("PUT", "/api/secrets", { name: "PG", value: SECRET });
  await node.api("POST", "/api/services", {
    name: "main-db",
    service_type: "postgres",
    config: { host: "127.0.0.1", port: 1, database: "d", username: "u", password: SECRET },
  });
  await node.api("POST", "/api/services/main-db/activate");
  const key = readFileSync(join(data, "secret-key"), "utf8").trim();
  expect(statSync(join(data, "secret-key")).mode & 0o777).toBe(0o600);
  const files = readdirSync(data, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== "secret-key")
    .map((entry) => join(entry.parentPath, entry.name));
  const holding = files.filter((file) => {
    const bytes = readFileSync(file);
    return bytes.includes(SECRET) || bytes.includes(key);
  });
  expect(holding).toEqual([]);
  expect(files.some((file) => file.endsWith("data.mdb"))).toBe(true);
  for (const pid of [node.pid, ...node.workers]) {
    for (const name of ["cmdline", "environ"]) {
      const text = readFileSync(`/proc/${pid}/${name}`, "utf8");
      expect([name, text.includes(SECRET), text.includes(key)]).toEqual([name, false, false]);
    }
  }
  expect(node.output).not.toContain(SECRET);
  expect(node.output).not.toContain(key);
});

test("a node with another key says which secrets it cannot open, and serves the others", async () => {
  await node.publish("other", `export default { fetch: () => new Response("fine") };`);
  await node.stop();
  writeFileSync(join(data, "secret-key"), Buffer.alloc(32, 9).toString("hex"));
  node = await startNode({ workers: 1, data });
  const named = "secret PG of the node, secret KEY of hello, password of service";
  await until("the log", () => /SECRET_UNREADABLE/.test(node.output));
  expect(node.output).toContain(named);
  expect((await node.get("/other")).text).toBe("fine");
  const { status, text } = await node.get("/hello");
  expect([status, text.includes("ISOLATE_FAILED"), text.includes(SECRET)]).toEqual([
    503,
    true,
    false,
  ]);
  await node.api("PUT", "/api/secrets", { endpoint: "hello", name: "KEY", value: "again" });
  expectAll(await answers(), "again");
});
