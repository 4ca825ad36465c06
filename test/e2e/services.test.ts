// A service from the command line to a handler: added, tested, bound, stopped under way, deleted; on a real node.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startNode, type CliResult, type Envelope, type TestNode } from "../node.ts";
import { temporary } from "../temporary.ts";

const HANDLER = `export default {
  async fetch(request, env) {
    try {
      const { one } = await env.DB.prepare("select 1 as one").first();
      return Response.json({ one });
    } catch (error) {
      return Response.json({ code: error.code });
    }
  },
};`;

const folder = temporary();
let node: TestNode;

beforeAll(async () => {
  node = await startNode({ workers: 2 });
});

afterAll(async () => {
  await node.stop();
  folder[Symbol.dispose]();
});

async function data(...args: string[]): Promise<unknown> {
  const { stdout, code } = await node.edge(...args, "--json");
  expect([code, args]).toEqual([0, args]);
  return (JSON.parse(stdout) as Envelope).data;
}

async function everybody(): Promise<ReadonlySet<string>> {
  const calls = Array.from({ length: 12 }, async () => (await node.get("/shop")).text);
  return new Set(await Promise.all(calls));
}

test("a service is added, bound, stopped, started and deleted, and every worker follows at once", async () => {
  const path = join(folder.path, "shop.db");
  const added = await data("services", "add", "sqlite", "main-db", "--set", `path=${path}`);
  expect(added).toMatchObject({
    name: "main-db",
    service_type: "sqlite",
    state: "available",
    test: { connected: true, info: expect.stringMatching(/SQLite 3\./) as string },
  });
  await node.publish("shop", HANDLER);
  const bound = { service_id: "main-db", pool_id: "DB" };
  expect(await node.api("POST", "/api/endpoints/shop/services", bound)).toMatchObject({ ok: true });
  expect(await everybody()).toEqual(new Set(['{"one":1}']));
  const tested = await node.api("POST", "/api/services/main-db/test");
  expect(tested.data).toMatchObject({ connected: true });
  await node.api("POST", "/api/services/main-db/deactivate");
  expect(await everybody()).toEqual(new Set(['{"code":"SERVICE_STOPPED"}']));
  await node.api("POST", "/api/services/main-db/activate");
  expect(await everybody()).toEqual(new Set(['{"one":1}']));
  const refused = await node.edge("services", "delete", "main-db", "--yes");
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("main-db is used by shop");
  await node.api("DELETE", "/api/endpoints/shop/services/main-db");
  await node.api("DELETE", "/api/services/main-db");
  expect(await data("services", "list")).toEqual([]);
});

test("a service that is not there is told with its code, by a worker that goes on", async () => {
  const path = join(folder.path, "missing", "x.db");
  const set = ["--set", `path=${path}`, "--set", "create_if_missing=false"];
  const { stdout, stderr, code } = await node.edge("services", "add", "sqlite", "none", ...set);
  expect([code, stdout]).toEqual([0, "Added none\n"]);
  expect(stderr).toContain("warning: none does not answer yet: ");
  const tested = await node.edge("services", "test", "none");
  expect(tested.code).toBe(1);
  expect(tested.stderr).toContain("(SERVICE_UNAVAILABLE)");
  expect((await node.api("GET", "/api/health")).ok).toBe(true);
});

test("publish shows the bindings, and the place of one that is wrong", async () => {
  const config = (service: string): string =>
    `{ "name": "kinds",\n  "kv_namespaces": [{ "binding": "PAGES"${service} }] }`;
  const publish = async (service: string): Promise<CliResult> => {
    writeFileSync(join(folder.path, "edge.jsonc"), config(service));
    writeFileSync(join(folder.path, "index.ts"), HANDLER);
    return node.edge("publish", folder.path);
  };
  const published = await publish("");
  expect(published.stdout).toContain("\n  env.PAGES  kv  embedded  kinds/pages\n");
  const wrong = await publish(', "service": "sesions"');
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).toMatch(/edge\.jsonc:2:21: PAGES: there is no service "sesions"; there are/);
});
