// Objects through the admin API and the command line, in a whole node: a worker makes the calls.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { OPERATOR_BYTES_MAX } from "../../sdk/services/service.ts";
import { startNode, TOKEN, type TestNode } from "../node.ts";
import { temporary } from "../temporary.ts";

const HANDLER = `export default { async fetch(request, env) {
  const found = await env.FILES.get("from-operator");
  return new Response(found?.body ?? "nothing", { headers: { "x-type": found?.httpMetadata.contentType ?? "" } });
} };`;

let node: TestNode;
beforeAll(async () => {
  node = await startNode({ workers: 2 });
  const bindings = [
    { kind: "storage", name: "FILES", service: "embedded", scope: "files" },
  ] as const;
  await node.publish("files", HANDLER, { bindings });
});
afterAll(() => node.stop());

const raw = (method: string, path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`http://127.0.0.1:${node.adminPort}${path}`, {
    method,
    ...init,
    headers: { authorization: `Bearer ${TOKEN}`, ...(init.headers as Record<string, string>) },
  });

test("an operator stores what handlers read, and reads, lists and deletes it", async () => {
  const objects = "/api/storage/embedded/objects";
  const body = Buffer.alloc(OPERATOR_BYTES_MAX - 100_000, 7);
  const headers = { "content-type": "image/x-test" };
  const stored = await raw("PUT", `${objects}/from-operator?scope=files`, { body, headers });
  expect(stored.status).toBe(201);
  const seen = await fetch(`${node.url}/files`);
  expect(seen.headers.get("x-type")).toBe("image/x-test");
  expect(Buffer.from(await seen.arrayBuffer()).equals(body)).toBe(true);

  const read = await raw("GET", `${objects}/from-operator?scope=files`);
  expect(read.headers.get("content-type")).toBe("image/x-test");
  expect(read.headers.get("content-disposition")).toBe("attachment");
  expect(Buffer.from(await read.arrayBuffer()).equals(body)).toBe(true);
  const listed = await node.api("GET", `${objects}?scope=files&prefix=from`);
  expect(listed.data).toMatchObject({ objects: [{ key: "from-operator", size: body.byteLength }] });
  expect((await node.api("GET", objects)).data).toMatchObject({ objects: [] });

  const gone = await node.api("DELETE", `${objects}/from-operator?scope=files`);
  expect(gone.data).toEqual({ key: "from-operator", deleted: true });
  const missing = await node.api("GET", `${objects}/from-operator?scope=files`);
  expect(missing).toMatchObject({ status: 404, code: "OBJECT_NOT_FOUND" });
});

test("what is too large, or of no service, is refused", async () => {
  const objects = "/api/storage/embedded/objects";
  const large = await raw("PUT", `${objects}/large`, {
    body: Buffer.alloc(OPERATOR_BYTES_MAX + 1),
  });
  expect(large.status).toBe(413);
  expect(await node.api("GET", "/api/storage/nowhere/objects")).toMatchObject({
    status: 404,
    code: "SERVICE_NOT_FOUND",
  });
  expect(await node.api("GET", `${objects}?limit=0`)).toMatchObject({ code: "SERVICE_INPUT" });
  expect((await raw("GET", objects, { headers: { authorization: "" } })).status).toBe(401);
});

test("the seeds' addresses take a form and answer without an envelope", async () => {
  const form = new FormData();
  form.set("file", new File(["hello"], "a b.txt", { type: "text/plain" }));
  form.set("key", "docs/a b.txt");
  const made = await raw("POST", "/api/minio/objects", { body: form });
  const bucket = "embedded";
  expect(await made.json()).toEqual({
    key: "docs/a b.txt",
    bucket,
    size: 5,
    message: "Upload successful",
  });
  const listed: unknown = await (await raw("GET", "/api/minio/objects?prefix=docs/")).json();
  expect(listed).toMatchObject({
    bucket,
    prefix: "docs/",
    objects: [{ key: "docs/a b.txt", size: 5 }],
  });
  const read = await raw("GET", "/api/minio/objects/docs/a%20b.txt");
  expect([read.headers.get("content-type"), await read.text()]).toEqual(["text/plain", "hello"]);
  const gone = await raw("DELETE", "/api/minio/objects/docs/a%20b.txt");
  expect(await gone.json()).toEqual({ key: "docs/a b.txt", bucket, deleted: true });
  expect((await raw("GET", "/api/minio/objects/docs/a%20b.txt")).status).toBe(404);
});

test("edge storage puts, lists, gets and deletes", async () => {
  using folder = temporary();
  const file = join(folder.path, "in.bin");
  writeFileSync(file, new Uint8Array([0, 255, 1]));
  const at = ["embedded", "--scope", "cli"];
  const edge = (...args: string[]) => node.edge("storage", ...args);
  expect(await edge("put", ...at, "x/y", file, "--type", "a/b")).toMatchObject({ code: 0 });
  const { stdout } = await edge("list", ...at, "--json");
  const { data } = JSON.parse(stdout) as { data: unknown };
  expect(data).toMatchObject({ objects: [{ key: "x/y", size: 3 }] });
  const out = join(folder.path, "out.bin");
  expect(await edge("get", ...at, "x/y", out)).toMatchObject({ code: 0 });
  expect([...readFileSync(out)]).toEqual([0, 255, 1]);
  expect(await edge("delete", ...at, "x/y")).toMatchObject({ code: 0 });
  const missing = await edge("get", ...at, "x/y", out);
  expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining("OBJECT_NOT_FOUND")]);
});
