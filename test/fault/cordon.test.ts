// Cordons that die, stand still or are left behind: who notices, and who does not.

import { expect, test } from "vitest";
import { startNode, type TestNode } from "../node.ts";
import { gone, isRunning } from "../processes.ts";
import { temporary } from "../temporary.ts";
import { until } from "../waiting.ts";
import { Load, echo } from "../e2e/load.ts";
import { asking } from "./asking.ts";
import { WEDGER } from "./wedger.ts";

const HOLDER = `let open = 0;
  export default {
    async fetch(request) {
      if (request.method === "GET" && !request.url.includes("?wait")) return new Response("open " + open);
      open++;
      await new Promise((resolve) => setTimeout(resolve, 60_000));
      return new Response("late");
    },
  };`;

async function cordonPid(node: TestNode, name: string): Promise<number> {
  let pid = 0;
  await until(`${name} serves`, async () => {
    const { data } = await node.api("GET", "/api/stats");
    const { workers } = data as { workers: { pid: number; cordon: string | null }[] };
    pid = workers.find(({ cordon }) => cordon === name)?.pid ?? 0;
    return pid !== 0;
  });
  return pid;
}

test("a killed cordon is replaced; its clients wait, everybody else does not notice", async () => {
  await using node = await startNode({ workers: 1 });
  await node.publish("far", echo("far"), { isolation: "dedicated" });
  await node.publish("near", echo("near"));
  await using far = new Load(node.port, "/far", 4);
  await using near = new Load(node.port, "/near", 4);
  await Promise.all([far.round(), near.round()]);
  const pid = await cordonPid(node, "endpoint:far");
  await node.standby();
  process.kill(pid, "SIGKILL");
  await gone([pid]);
  await Promise.all([far.round(), near.round()]);
  await far.stopClean();
  await near.stopClean();
  expect(await cordonPid(node, "endpoint:far")).not.toBe(pid);
});

test("what a killed cordon had begun fails with 502 unless it may be repeated, once", async () => {
  await using node = await startNode({ workers: 1, args: ["--outcome-header"] });
  await node.publish("holder", HOLDER, { isolation: "dedicated", limits: { wallMs: 120_000 } });
  const first = await cordonPid(node, "endpoint:holder");
  const held = node.get("/holder?wait");
  const posted = node.get("/holder", { method: "POST", body: "once" });
  await until("both are open", async () => (await node.get("/holder")).text === "open 2");
  await node.standby();
  process.kill(first, "SIGKILL");
  const lost = await posted;
  expect([lost.status, lost.headers.get("x-edge-outcome")]).toEqual([502, "WORKER_CRASH"]);
  await until("the other is open again", async () => (await node.get("/holder")).text === "open 1");
  const second = await cordonPid(node, "endpoint:holder");
  expect(second).not.toBe(first);
  process.kill(second, "SIGKILL");
  expect((await held).status).toBe(502);
});

test("a cordon that stands still holds up nobody else, and is replaced", async () => {
  await using node = await startNode({ workers: 1 });
  await node.publish("wedger", WEDGER, { isolation: "group:wild", trust: "own" });
  await node.publish("near", echo("near"));
  const pid = await cordonPid(node, "group:wild");
  const workers = await node.serving();
  process.kill(pid, "SIGSTOP");
  const client = asking(node.port, "/near?nonce=n");
  // It waits for the cordon that stands still, and is sent again to the one that takes its place.
  expect((await node.get("/wedger")).text).toBe("well");
  await until("it is gone", () => !isRunning(pid));
  expect(await client.stop()).toEqual([]);
  expect(await node.serving()).toEqual(
    expect.arrayContaining(workers.filter((one) => one !== pid)),
  );
});

test("a cordon serves on without its supervisor, is taken over by the next, and ends with it", async () => {
  using folder = temporary();
  const first = await startNode({ data: folder.path, workers: 1 });
  await first.publish("far", echo("v1"), { isolation: "dedicated" });
  const pid = await cordonPid(first, "endpoint:far");
  await using load = new Load(first.port, "/far", 4);
  await load.round();
  await using left = await first.kill([pid]);
  await load.round();
  await using second = await startNode({ data: folder.path, workers: 1 });
  expect(second.workers).toEqual(left.workers.filter((one) => one !== pid));
  expect(await cordonPid(second, "endpoint:far")).toBe(pid);
  await second.publish("far", echo("v2"), { isolation: "dedicated" });
  await load.round();
  expect(load.connections.map(({ lastVersion }) => lastVersion)).toEqual(Array(4).fill("v2"));
  await load.stopClean();
  await second.stop();
  await gone([pid]);
});

test("a node that starts again has its cordons again", async () => {
  using folder = temporary();
  const first = await startNode({ data: folder.path, workers: 1 });
  await first.publish("far", echo("v1"), { isolation: "group:g" });
  const pid = await cordonPid(first, "group:g");
  await first.stop();
  await gone([pid]);
  await using second = await startNode({ data: folder.path, workers: 1 });
  await second.answersAfterMs("/far?nonce=n");
  expect(await cordonPid(second, "group:g")).not.toBe(pid);
});
