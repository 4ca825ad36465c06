// Every folder in examples/ is published with the command line to a real node and answers as its reader expects.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startNode, type TestNode } from "../node.ts";
import { until } from "../waiting.ts";
import { checkCacheAside, checkRateLimiter, checkSessions } from "./cache-examples.ts";
import { checkErrors, checkQuery, checkUpload, type Ask } from "./sdk-examples.ts";
import { checkPetstore } from "./petstore-example.ts";
import { checkStorageExample } from "./storage-example.ts";

const EXAMPLES: string = join(import.meta.dirname, "../../examples");

const json = (value: unknown): RequestInit => ({ method: "POST", body: JSON.stringify(value) });

const CHECKS: Readonly<Record<string, (ask: Ask, node: TestNode) => Promise<void>>> = {
  "cache-aside": (_ask, node) => checkCacheAside(node),
  sessions: (_ask, node) => checkSessions(node),
  "redis-rate-limiter": (_ask, node) => checkRateLimiter(node),
  "minio-storage": (_ask, node) => checkStorageExample(node),
  petstore: (_ask, node) => checkPetstore(node),
  "petstore-objects": (_ask, node) => checkPetstore(node, { at: "/animals" }),
  "query-params": checkQuery,
  "error-handling": checkErrors,
  "multipart-upload": (_ask, node) => checkUpload(node),
  hello: async (ask) => {
    expect(await ask("/hello?name=you")).toEqual({ status: 200, body: "Hello you\n" });
  },
  "json-api": async (ask) => {
    const counted = { count: 3, unit: "words" };
    expect(await ask("/words", json({ text: " one two  three" }))).toEqual({
      status: 200,
      body: counted,
    });
    expect(await ask("/words", json(null))).toMatchObject({ status: 400 });
    expect(await ask("/words", { method: "POST", body: "{" })).toMatchObject({ status: 400 });
    expect(await ask("/words")).toMatchObject({ status: 405 });
    const large = json({ text: "a".repeat(64 * 1024) });
    expect(await ask("/words", large)).toMatchObject({ status: 413 });
  },
  "hono-app": async (ask) => {
    expect(await ask("/books")).toMatchObject({ status: 200, body: [{ id: 1 }, { id: 2 }] });
    expect(await ask("/books/2")).toMatchObject({ body: { title: "A Wizard of Earthsea" } });
    expect(await ask("/books/3")).toMatchObject({ status: 404 });
  },
  streaming: async (ask) => {
    const ticks = "data: tick 1\n\ndata: tick 2\n\ndata: tick 3\n\n";
    expect(await ask("/clock")).toEqual({ status: 200, body: ticks });
    const upload = { method: "POST", body: "grüße ".repeat(10_000) };
    expect(await ask("/upper", upload)).toEqual({
      status: 200,
      body: "GRüßE ".repeat(10_000),
    });
  },
  "html-mail": async (ask) => {
    const order = { email: "ann@example.com", name: "Ann", items: ["<Book>", "Pen"] };
    expect(await ask("/orders", json(order))).toMatchObject({ status: 202 });
    expect(await ask("/orders", json({ ...order, email: "nobody" }))).toMatchObject({
      status: 400,
    });
    const injected = { ...order, name: "Ann\r\nBcc: eve@example.com" };
    expect(await ask("/orders", json(injected))).toMatchObject({ status: 400 });
  },
  "job-queue": async (ask) => {
    const { status, body } = await ask("/reports", { method: "POST", body: "one two three" });
    expect(status).toBe(202);
    const { id } = body as { id: string };
    await until("the report is there", async () => (await ask(`/reports/${id}`)).status === 200);
    expect(await ask(`/reports/${id}`)).toEqual({ status: 200, body: { words: 3 } });
  },
  "services-file": async (ask, node) => {
    for (const visits of [1, 2]) {
      expect(await ask("/visits/home")).toEqual({
        status: 200,
        body: { page: "/visits/home", visits },
      });
    }
    const { data } = await node.api("GET", "/api/services");
    expect(data).toMatchObject([
      { name: "archive", state: "deactivated", origin: "file", config: { secret_key: "***" } },
      { name: "visits", state: "available", endpoints: ["services-file"] },
    ]);
  },
  "path-params": async (ask) => {
    expect(await ask("/users/42")).toEqual({ status: 200, body: { user: "42" } });
    expect(await ask("/users/me")).toEqual({ status: 200, body: { user: "me" } });
    expect(await ask("/users/you")).toMatchObject({ status: 404 });
    expect(await ask("/files/a%20b/c.txt")).toMatchObject({ body: { file: ["a b", "c.txt"] } });
  },
};

describe("examples", () => {
  let node: TestNode;
  beforeAll(async () => {
    // What one of them is about; the others need no more than a node that has it.
    node = await startNode({ args: ["--config", join(EXAMPLES, "services-file/edge.yaml")] });
  });
  afterAll(() => node.stop());

  const ask: Ask = async (path, init) => {
    const { status, headers, text } = await node.get(path, init);
    const isJson = headers.get("content-type")?.includes("json") === true;
    return { status, body: isJson ? (JSON.parse(text) as unknown) : text };
  };

  test("each has a check here", () => {
    expect(readdirSync(EXAMPLES).toSorted()).toEqual(Object.keys(CHECKS).toSorted());
  });

  test.each(Object.entries(CHECKS))("%s is published and answers", async (name, check) => {
    const { code, stderr } = await node.edge("publish", join(EXAMPLES, name));
    expect(`${code} ${stderr}`).toMatch(/^0 /);
    await check(ask, node);
  });
});
