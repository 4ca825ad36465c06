// Why a request was ended: in its reply, in the log and by `edge explain`.

import { afterAll, beforeAll, expect, test } from "vitest";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startNode, type TestNode } from "../node.ts";
import { temporary } from "../temporary.ts";

const SOURCE = `interface Deep { readonly depth: number }
function burn(deep: Deep): never {
  for (;;) {
    if (deep.depth < 0) throw new Error("never");
  }
}
export default {
  fetch(request: Request): Response | Promise<Response> {
    if (request.url.endsWith("/hung")) return new Promise(() => {});
    if (request.url.endsWith("/ok")) return new Response("ok");
    return burn({ depth: 1 });
  },
};
`;

let node: TestNode;
const folder = temporary();

beforeAll(async () => {
  node = await startNode({ args: ["--outcome-header", "--default-trust", "untrusted"] });
  const file = join(folder.path, "burner.ts");
  writeFileSync(file, SOURCE);
  expect((await node.edge("publish", file)).code).toBe(0);
});
afterAll(async () => {
  await node.stop();
  folder[Symbol.dispose]();
});

test("a request that burned its CPU time is explained down to the line", async () => {
  const answer = await node.get("/burner/loop");
  expect(answer.status).toBe(503);
  const code = answer.headers.get("x-edge-outcome");
  // On a busy machine its time may be over before it has used up its CPU time.
  expect(["CPU_LIMIT", "OVERLOADED"]).toContain(code);
  expect(JSON.parse(answer.text)).toMatchObject({ code });
  const id = answer.headers.get("x-request-id") ?? "";
  const { code: exit, stdout } = await node.edge("explain", id);
  expect(exit).toBe(0);
  expect(stdout).toMatch(/GET 127\.0\.0\.1\/burner\/loop/);
  expect(stdout).toContain(`${code}, status 503`);
  expect(stdout).toMatch(/of 200 ms/);
  expect(stdout).toMatch(/at burn \(.*burner\.ts:[34]:/);
});

test("a handler that waits for ever is told from one that is slow", async () => {
  const answer = await node.get("/burner/hung");
  expect(answer.status).toBe(500);
  expect(answer.headers.get("x-edge-outcome")).toBe("NO_RESPONSE");
  const id = answer.headers.get("x-request-id") ?? "";
  const { data } = await node.api("GET", `/api/requests/${id}`);
  expect(data).toMatchObject({ id, endpoint: "burner", outcome: "NO_RESPONSE", burned: "" });
});

test("a request that nobody remembers is REQUEST_UNKNOWN", async () => {
  const answer = await node.get("/burner/ok");
  expect(answer.headers.get("x-edge-outcome")).toBeNull();
  const id = answer.headers.get("x-request-id") ?? "";
  const { code, stdout } = await node.edge("explain", id, "--json");
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: { code: "REQUEST_UNKNOWN" } });
});
