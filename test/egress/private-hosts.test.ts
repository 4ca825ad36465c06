// An endpoint names a private host, from its publish to the connection.

import { createServer } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startNode } from "../node.ts";
import { temporary } from "../temporary.ts";

const server = createServer((_request, response) => response.end("from inside"));
let port = 0;
beforeAll(async () => {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  port = typeof address === "object" && address !== null ? address.port : 0;
});
afterAll(() => void server.close());

test("a private host that an endpoint names is open while the operator allows it", async () => {
  using folder = temporary();
  const { path: data } = folder;
  const source = `export default { fetch: async () => {
    const answer = await fetch("http://127.0.0.1:${port}/").catch((error) => error);
    return new Response(answer.code ?? (await answer.text()));
  } };`;
  const egress = [`127.0.0.1:${port}`];
  {
    await using node = await startNode({ data, args: ["--egress-may-be-private"] });
    await node.publish("named", source, { egress });
    await node.publish("unnamed", source);
    expect((await node.get("/named")).text).toBe("from inside");
    expect((await node.get("/unnamed")).text).toBe("EGRESS_DENIED");
    const bad = await node.api("POST", "/api/publish", { name: "bad", egress: ["a/b"] });
    expect(bad).toMatchObject({ status: 422, code: "INPUT_INVALID" });
    expect(bad.error).toContain("egress.0: neither HOST nor HOST:PORT");
  }
  await using node = await startNode({ data });
  expect((await node.get("/named")).text).toBe("EGRESS_DENIED");
  await expect(node.publish("named", source, { egress })).rejects.toThrow("EGRESS_NOT_ALLOWED");
});

test("an endpoint names 32 hosts and no more", async () => {
  const { parsePublish } = await import("../../control/parse.ts");
  const request = (count: number): unknown => ({
    name: "a",
    format: "script",
    code: "",
    codeSha256: "0".repeat(64),
    egress: Array.from({ length: count }, (_, at) => `h${at}`),
  });
  for (const count of [31, 32]) expect(parsePublish(request(count)).egress).toHaveLength(count);
  expect(() => parsePublish(request(33))).toThrow("egress");
});
