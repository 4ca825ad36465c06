// Handlers with object storage on an S3 server, in a node as it is shipped. (On the embedded storage: the example of
// the same name in test/docs/examples.test.ts.)

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkStorageExample } from "../docs/storage-example.ts";
import { startNode, type TestNode } from "../node.ts";
import { hasS3, startS3, type S3Server } from "../servers/s3.ts";

const CODE_OF = `export default { async fetch(_request, env) {
  try { return Response.json((await env.FILES.list()).objects.length); }
  catch (error) { return new Response(error.code, { status: 503 }); }
} };`;
const EXAMPLE: string = join(import.meta.dirname, "../../examples/minio-storage/minio-storage.ts");

describe.runIf(hasS3())("a handler with storage on S3", () => {
  let s3: S3Server;
  let node: TestNode;
  beforeAll(async () => {
    [s3, node] = await Promise.all([startS3(), startNode({ workers: 2 })]);
    const config = s3.config();
    await node.api("POST", "/api/services", { name: "files-on-s3", service_type: "s3", config });
    const active = await node.api("POST", "/api/services/files-on-s3/activate");
    expect(active.error).toBeNull();
    const binding = { kind: "storage", name: "FILES", service: "files-on-s3" } as const;
    const source = readFileSync(EXAMPLE, "utf8");
    const limits = { bodyBytes: 100 * 1_024 ** 2 };
    const routes = ["/objects", "/objects/*", "/uploads/*", "/addresses/*"].map((path) => ({
      host: "*",
      path,
      methods: [],
    }));
    const bindings = [{ ...binding, scope: "shop" }];
    await node.publish("shop", source, { bindings, limits, routes });
    await node.publish("codes", CODE_OF, { bindings: [{ ...binding, scope: "codes" }] });
  });
  afterAll(async () => {
    await node.stop();
    await s3[Symbol.asyncDispose]();
  });

  it("does what the example promises", () => checkStorageExample(node));

  it("is told when the server is away, and works again when it is back", async () => {
    await s3.server.kill();
    expect((await node.get("/codes")).text).toBe("SERVICE_UNAVAILABLE");
    await s3.server.start();
    await expect.poll(async () => (await node.get("/codes")).text, { timeout: 30_000 }).toBe("0");
  });
});
