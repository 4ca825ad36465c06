// Policies that are handlers of the node, as clients meet them.

import { createServer, type Server } from "node:http";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startNode, type TestNode } from "../node.ts";
import { temporary, type Temporary } from "../temporary.ts";

const BIG = "x".repeat(3_000_000);

/** One of each way that a method can go, by the path's last part. */
const POLICY = `
export default {
  async onRequest({ request, options, params, route, address, claims }, env, ctx) {
    const what = new URL(request.url).pathname.split("/").pop();
    if (what === "refused") return new Response("no\\n", { status: 418, headers: { "x-by": route } });
    if (what === "streamed") {
      const parts = ["a", "b", "c"].map((part) => new TextEncoder().encode(part));
      return new Response(new ReadableStream({ pull(c) { const p = parts.shift(); p ? c.enqueue(p) : c.close(); } }));
    }
    if (what === "thrown") throw new Error("on purpose");
    if (what === "odd") return 7;
    if (what === "spins") for (;;);
    if (what === "changed") {
      const headers = new Headers(request.headers);
      headers.set("x-seen", JSON.stringify({ options, params, route, address, claims }));
      headers.delete("x-secret");
      return new Request(new URL("/echo/other?more=1", request.url), { headers });
    }
  },
  onResponse({ request, response }) {
    const what = new URL(request.url).pathname.split("/").pop();
    if (what === "hidden") return new Response("hidden", { status: 404 });
    if (what === "late") throw new Error("late");
    response.headers.set("x-status", String(response.status));
    response.headers.set("content-length", "1");
    response.headers.delete("x-inner");
  },
  onError({ error, response }) {
    if (error.code === "NO_HEALTHY_UPSTREAM" || error.code === "UPSTREAM_FAILED") {
      return Response.json({ sorry: error.code, response }, { status: 503 });
    }
  },
};`;

const file = (port: number): string => `
upstreams:
  peer: { servers: ["http://127.0.0.1:${port}"] }
  dead: { servers: ["http://127.0.0.1:1"], retry: false }
routes:
  - { name: proxied, match: { path: "/p/{what}" }, target: { upstream: peer, stripPrefix: /p },
      policies: [ custom: { endpoint: guard, options: { level: 3 } } ] }
  - { name: echo, match: { path: "/echo/{what}" }, target: { upstream: peer },
      policies: [ custom: { endpoint: guard, options: { level: 3 } } ] }
  - { name: dead, match: { path: /dead }, target: { upstream: dead }, policies: [ custom: { endpoint: guard } ] }
  - { name: plain, match: { path: /plain }, target: { respond: { body: hi } }, policies: [ custom: { endpoint: note } ] }
  - { name: none, match: { path: /none }, target: { respond: { body: hi } }, policies: [ custom: { endpoint: nobody } ] }
`;

let folder: Temporary;
let peer: Server;
let node: TestNode;

beforeAll(async () => {
  folder = temporary();
  peer = createServer((request, response) => {
    if (request.url === "/big") {
      response.writeHead(200, { "x-inner": "1", "content-length": BIG.length });
      response.end(BIG);
    } else if (request.url === "/broken") {
      response.writeHead(200, { "content-length": 10 });
      response.write("12345", () => response.destroy());
    } else {
      const { method, url, headers } = request;
      response.writeHead(201, { "x-inner": "1", "set-cookie": ["a=1", "b=2"] });
      request.on("data", () => undefined);
      request.on("end", () => response.end(JSON.stringify({ method, url, headers })));
    }
  });
  peer.listen(0, "127.0.0.1");
  await once(peer, "listening");
  const path = join(folder.path, "edge.yaml");
  writeFileSync(path, file((peer.address() as AddressInfo).port));
  node = await startNode({ workers: 1, args: ["--config", path] });
  await node.publish("guard", POLICY, { limits: { cpuMs: 50 } });
  await node.publish("note", "export default { onResponse: () => undefined };");
});

afterAll(async () => {
  await node.stop();
  peer.close();
  folder[Symbol.dispose]();
});

test("onRequest answers in the target's place, with a text or a stream", async () => {
  const refused = await node.get("/p/refused");
  expect([refused.status, refused.text, refused.headers.get("x-by")]).toEqual([
    418,
    "no\n",
    "proxied",
  ]);
  expect(refused.headers.get("x-edge-policy")).toBeNull();
  expect(await node.get("/p/streamed")).toMatchObject({ status: 200, text: "abc" });
});

test("onRequest changes headers and path, and is told options, parameters and who asks", async () => {
  const answer = await node.get("/echo/changed", { headers: { "x-secret": "1" } });
  const seen = JSON.parse(answer.text) as { url: string; headers: Record<string, string> };
  expect(seen.url).toBe("/echo/other?more=1");
  expect(seen.headers["x-secret"]).toBeUndefined();
  expect(JSON.parse(seen.headers["x-seen"] ?? "")).toEqual({
    options: { level: 3 },
    params: { what: "changed" },
    route: "echo",
    address: "127.0.0.1",
    claims: null,
  });
});

test("bodies pass a policy by, both ways, and onResponse changes headers only", async () => {
  const big = await fetch(`${node.url}/p/big`);
  expect(big.status).toBe(200);
  expect((await big.text()) === BIG).toBe(true);
  expect(Object.fromEntries(big.headers)).toMatchObject({
    "x-status": "200",
    "content-length": String(BIG.length),
  });
  expect(big.headers.get("x-inner")).toBeNull();
  const sent = await node.get("/p/sent", { method: "POST", body: BIG });
  expect(sent.status).toBe(201);
  expect(sent.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
});

test("onResponse replaces a whole reply", async () => {
  expect(await node.get("/p/hidden")).toMatchObject({ status: 404, text: "hidden" });
});

test("a reply that breaks off behind a policy breaks off in front of it", async () => {
  await expect(node.get("/p/broken")).rejects.toThrow();
});

test("onError answers for the gateway's own failures, and for no others", async () => {
  const answer = await node.get("/dead");
  expect(answer.status).toBe(503);
  expect(JSON.parse(answer.text)).toMatchObject({ sorry: expect.stringContaining("UPSTREAM") });
});

test.each([
  ["/p/thrown", 500, "HANDLER_EXCEPTION"],
  ["/p/odd", 500, "HANDLER_EXCEPTION"],
  ["/p/late", 500, "HANDLER_EXCEPTION"],
  ["/p/spins", 503, "CPU_LIMIT"],
  ["/none", 503, "NOT_DEPLOYED"],
])("a policy that fails fails the request: %s", async (path, status, code) => {
  const answer = await node.get(path);
  expect([answer.status, Reflect.get(Object(JSON.parse(answer.text)), "code")]).toEqual([
    status,
    code,
  ]);
});

test("a policy may have one method only, and a new version of it holds at once", async () => {
  expect(await node.get("/plain")).toMatchObject({ status: 200, text: "hi" });
  await node.publish("note", "export default { onRequest: () => new Response('new') };");
  expect((await node.get("/plain")).text).toBe("new");
  const own = await node.get("/note");
  expect(own.status).toBe(500);
});
