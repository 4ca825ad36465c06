// A service from the command line to a handler: added, tested, bound, stopped under way, deleted; on a real node.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startNode, TOKEN, type CliResult, type Envelope, type TestNode } from "../node.ts";
import { temporary } from "../temporary.ts";
import { until } from "../waiting.ts";

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
const file = join(folder.path, "edge.yaml");
let node: TestNode;

beforeAll(async () => {
  writeFileSync(file, "services: {}\n");
  node = await startNode({ workers: 2, args: ["--config", file] });
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

test("services of the configuration file come, change and go with it in every worker, or not at all", async () => {
  const DATABASE = join(folder.path, "filed.db");
  const filed = (more = ""): string =>
    `services: { filed: { type: sqlite, path: ${JSON.stringify(DATABASE)}${more} } }\n`;
  const state = async (): Promise<unknown> => {
    const all = (await node.api("GET", "/api/services")).data as { readonly name: string }[];
    return all.find(({ name }) => name === "filed");
  };
  writeFileSync(file, filed());
  await until("the service is there", async () => (await state()) !== undefined);
  expect(await state()).toMatchObject({ state: "available", origin: "file" });
  const bindings = [{ kind: "database", name: "DB", service: "filed" }] as const;
  await node.publish("shop", HANDLER, { bindings });
  expect(await everybody()).toEqual(new Set(['{"one":1}']));
  expect((await node.edge("services", "deactivate", "filed")).stderr).toContain("SERVICE_OF_FILE");

  const same = await data("config", "diff", file);
  expect(same).toEqual({ differences: [] });
  expect(await data("config", "dump")).toMatchObject({
    services: [{ name: "filed", type: "sqlite", enabled: true, config: { path: DATABASE } }],
  });

  writeFileSync(file, "services: {}\n");
  const why = "is gone, but used by shop";
  await until("the change is refused", () => node.output.includes(why));
  expect(await everybody()).toEqual(new Set(['{"one":1}']));

  writeFileSync(file, filed(", enabled: false"));
  await until("every worker follows", async () => {
    const answers = await everybody();
    return answers.size === 1 && answers.has('{"code":"SERVICE_STOPPED"}');
  });
  await node.api("DELETE", "/api/endpoints/shop");
  writeFileSync(file, "services: {}\n");
  await until("the service is gone", async () => (await state()) === undefined);
});

const CALLER = `export default {
  async fetch(request, env) {
    const attempt = async (call) => {
      try {
        await call();
        return "ok";
      } catch (error) {
        return [error.name, error.code, error.message].filter(Boolean).join(" ");
      }
    };
    return Response.json({
      kv: await attempt(() => env.PAGES.get("a")),
      endpoint: await attempt(() => env.SELF.fetch("http://self/none")),
      fetch: await attempt(() => fetch("http://nobody.invalid/")),
    });
  },
};`;

test("calls fail on purpose as the author or the file says, by code, told from real failures", async () => {
  const project = (faults: string): string =>
    `{ "name": "caller", "main": "caller.ts",\n  "kv_namespaces": [{ "binding": "PAGES" }],
  "services": [{ "binding": "SELF", "service": "shop" }],\n  "faults": ${faults} }`;
  const publish = async (faults: string): Promise<CliResult> => {
    writeFileSync(join(folder.path, "caller.jsonc"), project(faults));
    writeFileSync(join(folder.path, "caller.ts"), CALLER);
    return node.edge("publish", join(folder.path, "caller.jsonc"));
  };
  const ask = async (): Promise<unknown> => JSON.parse((await node.get("/caller")).text);
  await node.publish("shop", HANDLER);

  const unknown = await publish('{ "PAGE": { "fail": {} } }');
  expect(unknown.stderr).toContain(
    'caller.jsonc:4:15: PAGE: there is no binding "PAGE"; expected one of PAGES, SELF, fetch. Did you mean PAGES?',
  );
  const share = await publish('{ "PAGES": { "fail": { "share": 20 } } }');
  expect(share.stderr).toContain(
    "caller.jsonc:4:36: faults.PAGES.fail.share: a number from 0 to 1",
  );

  const kv = '"PAGES": { "fail": { "share": 1, "code": "SERVICE_TIMEOUT" } }';
  const published = await publish(`{ ${kv}, "SELF": { "fail": {} } }`);
  expect([published.stderr, published.code]).toEqual([expect.any(String), 0]);
  expect(await ask()).toMatchObject({
    kv: expect.stringMatching(
      /SERVICE_TIMEOUT .*Injected fault: get of PAGES was made to fail/,
    ) as string,
    endpoint: expect.stringContaining("Injected fault: fetch of SELF was made to fail.") as string,
    fetch: expect.not.stringContaining("Injected") as string,
  });
  await until("the request's log tells", () =>
    node.output.includes("Injected fault: get of PAGES fails with SERVICE_TIMEOUT."),
  );

  // The file's word holds for what it names, without a publish.
  writeFileSync(file, "faults: { caller: { PAGS: { fail: {} } } }\n");
  await until("the typing error is refused", () =>
    node.output.includes('faults.caller.PAGS: there is no binding \\"PAGS\\"'),
  );
  const named = "PAGES: { fail: { share: 0 } }, fetch: { delay: { for: 5ms }, fail: {} }";
  writeFileSync(file, `faults: { caller: { ${named} } }\n`);
  await until("both workers follow", async () => {
    const all = await Promise.all(
      Array.from({ length: 12 }, async () => (await node.get("/caller")).text),
    );
    return all.every(
      (text) => text.includes('"kv":"ok"') && text.includes("fetch of nobody.invalid"),
    );
  });
  const headers = { authorization: `Bearer ${TOKEN}` };
  const metrics = await fetch(`http://127.0.0.1:${node.adminPort}/metrics`, { headers });
  const labels = 'endpoint="caller",binding="fetch",effect="delay"';
  expect(await metrics.text()).toMatch(new RegExp(`edge_injected_faults_total\\{${labels}\\} \\d`));
  writeFileSync(file, "services: {}\n");
  await until("the file says nothing any more", async () =>
    JSON.stringify(await ask()).includes("SERVICE_TIMEOUT"),
  );
  await publish("{}");
  expect(await ask()).toMatchObject({ kv: "ok" });
});
