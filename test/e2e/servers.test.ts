// Servers that register themselves with a running node.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openPeer } from "../gateway/peer.ts";
import { startNode, TOKEN, type TestNode } from "../node.ts";
import { temporary } from "../temporary.ts";
import { until } from "../waiting.ts";

const TARGETS = "/api/upstreams/app/targets";

const CONFIG = `
upstreams: { app: { servers: [] } }
routes: [ { name: app, match: { path: "/*" }, target: { upstream: app },
  policies: [ jwt: { secret: "a-secret-that-is-long-enough-000" , required: false } ] } ]
consumers: { ann: { keys: [ "key-of-ann-0123456789" ] } }
`;

/** By how many of eight requests each was answered, on connections of their own: both workers are met. */
async function answers(node: TestNode): Promise<Record<string, number>> {
  const all = await Promise.all(Array.from({ length: 8 }, () => node.get("/echo")));
  const names = all.map(({ status, text }) =>
    status === 200 ? String(Reflect.get(Object(JSON.parse(text)), "name")) : String(status),
  );
  return Object.fromEntries(
    [...new Set(names)].map((name) => [name, names.filter((one) => one === name).length]),
  );
}

test("servers come, drain, go and are let go while a node runs, in all its workers", async () => {
  using folder = temporary();
  await using one = await openPeer("one");
  await using two = await openPeer("two");
  const file = join(folder.path, "edge.yaml");
  writeFileSync(file, CONFIG);
  await using node = await startNode({ workers: 2, args: ["--config", file] });
  expect(await answers(node)).toEqual({ 503: 8 });

  const put = await node.api("PUT", TARGETS, { url: one.url });
  expect(put).toMatchObject({ status: 200, data: { url: one.url, weight: 1, origin: "api" } });
  expect(await answers(node)).toEqual({ one: 8 });

  await node.api("PUT", TARGETS, { url: two.url });
  await node.api("PATCH", TARGETS, { url: one.url, weight: 0 });
  expect(await answers(node)).toEqual({ two: 8 });
  await node.api("PUT", TARGETS, { url: two.url, ttlSec: 1 });
  await until("two has not renewed itself", async () => {
    const { data } = await node.api("GET", TARGETS);
    return JSON.stringify(data).includes(two.url) === false;
  });
  expect(await answers(node)).toEqual({ 503: 8 });

  await node.api("PATCH", TARGETS, { url: one.url, weight: 2 });
  expect(await answers(node)).toEqual({ one: 8 });
  expect(await node.api("GET", "/api/upstreams/app")).toMatchObject({
    data: { name: "app", servers: [{ url: one.url, weight: 2, origin: "api", healthy: true }] },
  });
  expect(await node.api("GET", "/api/upstreams/none")).toMatchObject({
    code: "UPSTREAM_NOT_FOUND",
  });
  await node.api("DELETE", `${TARGETS}?url=${encodeURIComponent(one.url)}`);
  expect(await answers(node)).toEqual({ 503: 8 });

  // Who has no token learns and changes nothing.
  for (const method of ["GET", "PUT", "PATCH", "DELETE"]) {
    const body = method === "GET" ? undefined : { url: one.url };
    expect((await node.api(method, TARGETS, body, `${TOKEN}x`)).code).toBe("UNAUTHORIZED");
  }
  // What there is besides, without secrets.
  const [routes, policies, consumers] = await Promise.all(
    ["routes", "policies", "consumers"].map((name) => node.api("GET", `/api/${name}`)),
  );
  expect(routes?.data).toMatchObject([{ name: "app", match: { path: "/*" } }]);
  expect(policies?.data).toMatchObject([
    { route: "app", policy: { kind: "jwt", source: { kind: "secret", secret: "(secret)" } } },
  ]);
  expect(consumers?.data).toMatchObject([{ name: "ann", keys: ["(secret)"] }]);
});
