// Scheduled handlers on a node with two workers: run by hand and by the command line, counted and logged, refused
// where nothing runs, and lost with their worker once and for all.

import { afterAll, beforeAll, expect, test } from "vitest";
import { startNode, type TestNode } from "../node.ts";
import { until } from "../waiting.ts";

const SOURCE = `export default {
  async fetch(_, env) { return new Response((await env.STORE.list()).keys.map(({ name }) => name).join()); },
  async scheduled(controller, env, ctx) {
    controller.noRetry();
    const { cron, scheduledTime } = controller;
    if (cron === "1 1 1 1 *") throw new Error("not today");
    if (cron === "2 2 2 2 *") for (;;);
    if (cron === "3 3 3 3 *") {
      await env.STORE.put("begun" + (await env.STORE.list()).keys.length, "");
      await new Promise((resolve) => setTimeout(resolve, 25_000));
    }
    ctx.waitUntil(env.STORE.put(cron + "|" + (Date.now() - scheduledTime < 60_000), ""));
  },
};`;
const CRONS = ["*/5 * * * *", "0 3 * * MON"];
const bindings = [{ kind: "kv", name: "STORE" }] as const;

let node: TestNode;

beforeAll(async () => {
  node = await startNode({ workers: 2 });
  await node.publish("job", SOURCE, { crons: CRONS, bindings });
});

afterAll(() => node.stop());

function run(cron: string, endpoint = "job") {
  return node.api("POST", `/api/crons/${endpoint}/run`, { cron });
}

test("a run by hand reaches the handler with its cron and time, and is listed and logged", async () => {
  const { code, stdout } = await node.edge("cron", "run", "job", "*/5 * * * *");
  expect(stdout).toMatch(/^job "\*\/5 \* \* \* \*": ok after \d+ ms\n$/);
  expect(code).toBe(0);
  await until("the run has written", async () =>
    (await node.get("/job")).text.includes("*/5 * * * *|true"),
  );
  const { data } = await node.api("GET", "/api/crons");
  expect(data).toMatchObject([
    { endpoint: "job", cron: "*/5 * * * *", last: { outcome: "ok" } },
    { endpoint: "job", cron: "0 3 * * MON", last: null },
  ]);
  const listed = await node.edge("cron", "list");
  expect(listed.stdout).toMatch(/job +0 3 \* \* MON +\d{4}-/);
});

test.each([
  ["throws", "1 1 1 1 *", "HANDLER_EXCEPTION"],
  ["uses up its CPU time", "2 2 2 2 *", "CPU_LIMIT"],
])("a run that %s is told with its outcome", async (_what, cron, outcome) => {
  expect((await run(cron)).data).toMatchObject({ cron, outcome });
});

test("runs of an endpoint with a process of its own happen there", async () => {
  await node.publish("apart", SOURCE, { crons: ["* * * * *"], bindings, isolation: "dedicated" });
  expect((await run("9 9 * * *", "apart")).data).toMatchObject({ outcome: "ok" });
});

test("what cannot be run says why", async () => {
  expect(await node.api("POST", "/api/crons/job/run", {})).toMatchObject({
    status: 422,
    error: expect.stringContaining("which one? it has */5 * * * * and 0 3 * * MON"),
  });
  expect((await run("* * *")).error).toContain("five fields");
  expect((await run("* * * * *", "nobody")).code).toBe("ENDPOINT_NOT_FOUND");
  await node.publish("plain", "export default { fetch: () => new Response() };");
  expect((await run("* * * * *", "plain")).data).toMatchObject({ outcome: "HANDLER_EXCEPTION" });
  await node.api("POST", "/api/endpoints/plain/stop");
  expect((await run("* * * * *", "plain")).code).toBe("STOPPED");
  const crons = ["61 * * * *"];
  await expect(node.publish("bad", SOURCE, { crons, bindings })).rejects.toThrow("no minute");
});

test("a run whose worker dies is lost, not repeated", async () => {
  const running = run("3 3 3 3 *");
  await until("the run has begun", async () => (await node.get("/job")).text.includes("begun"));
  for (const pid of await node.serving()) process.kill(pid, "SIGKILL");
  expect((await running).data).toMatchObject({ outcome: "lost", duration_ms: null });
  await node.answersAfterMs("/job");
  const { text } = await node.get("/job");
  expect(text.split(",").filter((key) => key.startsWith("begun"))).toHaveLength(1);
});
