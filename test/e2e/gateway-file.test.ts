// A node with a configuration file: what it refuses to start with, and how a change reaches every worker.

import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openPeer } from "../gateway/peer.ts";
import { edge, startNode, type TestNode } from "../node.ts";
import { temporary } from "../temporary.ts";
import { until } from "../waiting.ts";

const HANDLER =
  "export default { fetch: (request) => new Response(new URL(request.url).pathname + request.headers.get('x-gw')) };";

const configuration = (servers: readonly string[], body: string): string => `
upstreams: { all: { servers: ${JSON.stringify(servers)}, retry: false, breaker: { failures: 3, openFor: 1h } } }
routes:
  - { name: text, match: { path: /text }, target: { respond: { body: "${body}" } } }
  - { name: all, match: { path: "/all/*" }, target: { upstream: all, stripPrefix: /all } }
  - name: app
    match: { path: "/app/*" }
    target: { endpoint: hello, stripPrefix: /app }
    policies: [ headers: { request: { set: { x-gw: islet } } }, cache: {} ]
  - name: limited
    match: { path: /limited }
    target: { respond: { body: ok } }
    policies: [ rateLimit: { capacity: 10, refillPerSec: 0.001 } ]
`;

/** On connections of their own, so that both workers are met. */
async function ask(node: TestNode, path: string, times: number): Promise<string[]> {
  const all = await Promise.all(Array.from({ length: times }, () => node.get(path)));
  return all.map(({ status, text }) => (status === 200 ? text : String(status)));
}

describe("a node with a configuration file", () => {
  test("does not start with a wrong one, and says where it is wrong", async () => {
    using folder = temporary();
    const file = join(folder.path, "edge.yaml");
    writeFileSync(file, "routes: [ { match: { path: /a }, target: { upstream: none } } ]\n");
    const data = join(folder.path, "data");
    const args = ["serve", "--config", file, "--port", "0", "--admin-port", "0", "--data", data];
    const { code, stderr } = await edge(args);
    expect(code).toBe(1);
    expect(stderr).toContain(
      'edge.yaml:1:54: routes[0].target.upstream: no upstream is called "none"',
    );
  });

  test("serves its routes beside endpoints, with state that all workers share, and takes changes", async () => {
    using folder = temporary();
    await using peer = await openPeer();
    const file = join(folder.path, "edge.yaml");
    writeFileSync(file, configuration([peer.url], "one"));
    await using node = await startNode({ workers: 2, args: ["--config", file] });
    await node.publish("hello", HANDLER);

    expect((await node.get("/text")).text).toBe("one");
    expect((await node.get("/app/x")).text).toBe("/xislet");
    expect((await node.get("/hello")).text).toBe("/hellonull");
    expect(JSON.parse((await node.get("/all/echo")).text)).toMatchObject({ url: "/echo" });

    // Exact over both workers, whoever is asked.
    const limited = await ask(node, "/limited", 40);
    expect(limited.filter((text) => text === "ok")).toHaveLength(10);

    // Three failures at any worker open the breaker for both.
    await ask(node, "/all/status/503", 3);
    const sent = peer.seen.length;
    await until("both workers know", async () =>
      (await ask(node, "/all/echo", 8)).every((text) => text === "503"),
    );
    expect(peer.seen.length - sent).toBeLessThan(8);
    const { data } = await node.api("GET", "/api/upstreams");
    expect(data).toMatchObject([
      { name: "all", servers: [{ url: peer.url, breaker: "open", healthy: true }] },
    ]);

    const same = await node.edge("config", "diff", file, "--json");
    expect(JSON.parse(same.stdout)).toEqual({ ok: true, data: { differences: [] } });
    const dumped = await node.edge("config", "dump");
    expect(JSON.parse(dumped.stdout)).toMatchObject({
      upstreams: [{ name: "all", breaker: { failures: 3, openForMs: 3_600_000 } }],
      routes: [{ name: "text" }, { name: "all" }, { name: "app" }, { name: "limited" }],
    });
    const other = join(folder.path, "other.yaml");
    writeFileSync(other, configuration([peer.url], "changed"));
    const { stdout } = await node.edge("config", "diff", other, "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      data: {
        differences: [{ field: "routes.text.target.body", file: "changed", running: "one" }],
      },
    });

    // By another file in its place, as editors do, and not by half of one.
    const draft = `${file}.new`;
    writeFileSync(draft, configuration([peer.url], "two"));
    renameSync(draft, file);
    await until("the change is in force", async () =>
      (await ask(node, "/text", 8)).every((text) => text === "two"),
    );
    expect((await node.get("/all/echo")).status).toBe(503);

    writeFileSync(file, "routes: [");
    await until("the fault is logged", () =>
      node.output.includes("the running configuration stays"),
    );
    expect((await node.get("/text")).text).toBe("two");

    writeFileSync(file, configuration([peer.url], "three"));
    process.kill(node.pid, "SIGHUP");
    await until("SIGHUP is heard", async () =>
      (await ask(node, "/text", 8)).every((text) => text === "three"),
    );

    const purged = await node.edge("route", "purge", "app", "--prefix", "/app/x", "--json");
    expect(JSON.parse(purged.stdout)).toMatchObject({ data: { route: "app", prefix: "/app/x" } });
    const unkept = await node.edge("route", "purge", "text");
    expect([unkept.code, unkept.stderr]).toEqual([1, expect.stringContaining("no route")]);

    const { code } = await node
      .publish("clash", HANDLER, {
        routes: [{ host: "*", path: "/text", methods: [] }],
      })
      .then(
        () => ({ code: "published" }),
        (error: unknown) => ({ code: String(error) }),
      );
    expect(code).toContain("ROUTE_CONFLICT");

    const metrics = await fetch(`http://127.0.0.1:${node.adminPort}/metrics`, {
      headers: { authorization: "Bearer islet_token_of_a_test" },
    });
    const text = await metrics.text();
    expect(text).toMatch(/edge_ratelimit_decisions_total\{route="limited",decision="allowed"\} 10/);
    expect(text).toContain(
      `edge_breaker_state{upstream="all",target="${peer.url}",state="open"} 2`,
    );

    expect(text).toMatch(
      /edge_config_reload_total\{outcome="ok"\} 2\nedge_config_reload_total\{outcome="failed"\} [1-9]/,
    );

    const traced = await node.edge("route", "test", "GET", "http://x.example/limited", "--json");
    expect(JSON.parse(traced.stdout)).toMatchObject({
      ok: true,
      data: { outcome: "match", route: "limited", policies: ["rateLimit"] },
    });
  });
});
