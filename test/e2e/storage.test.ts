// Handlers with object storage on an S3 server, in a node as it is shipped. (On the embedded storage: the example of
// the same name in test/docs/examples.test.ts.)

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkPetstore } from "../docs/petstore-example.ts";
import { checkStorageExample } from "../docs/storage-example.ts";
import { startNode, type TestNode } from "../node.ts";
import { hasS3, startS3, type S3Server } from "../servers/s3.ts";

const CODE_OF = `export default { async fetch(_request, env) {
  try { return Response.json((await env.FILES.list()).objects.length); }
  catch (error) { return new Response(error.code, { status: 503 }); }
} };`;
const EXAMPLES: string = join(import.meta.dirname, "../../examples");
const sourceOf = (name: string): string => readFileSync(join(EXAMPLES, name, `${name}.ts`), "utf8");

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
    const limits = { bodyBytes: 100 * 1_024 ** 2 };
    const routesOf = (...paths: readonly string[]) =>
      paths.map((path) => ({ host: "*", path, methods: [] }));
    const routes = routesOf("/objects", "/objects/*", "/uploads/*", "/addresses/*");
    const bindings = [{ ...binding, scope: "shop" }];
    await node.publish("shop", sourceOf("minio-storage"), { bindings, limits, routes });
    await node.publish("pets", sourceOf("petstore-objects"), {
      bindings: [{ ...binding, name: "PETS", scope: "pets" }],
      routes: routesOf("/animals", "/animals/*"),
    });
    await node.publish("codes", CODE_OF, { bindings: [{ ...binding, scope: "codes" }] });
  });
  afterAll(async () => {
    await node.stop();
    await s3[Symbol.asyncDispose]();
  });

  it("does what the example promises", () => checkStorageExample(node));

  // This server takes no conditions of a put: of buyers at the same time two may get the pet.
  it("keeps a petstore, and sells each pet once", () =>
    checkPetstore(node, { at: "/animals", atOnce: false }));

  it("is told when the server is away, and works again when it is back", async () => {
    await s3.server.kill();
    expect((await node.get("/codes")).text).toBe("SERVICE_UNAVAILABLE");
    await s3.server.start();
    await expect.poll(async () => (await node.get("/codes")).text, { timeout: 30_000 }).toBe("0");
  });
});
