// More of cordon.test.ts: what is lost with a cordon, and cordons over restarts.

import { expect, test } from "vitest";
import { startNode } from "../node.ts";
import { gone, isRunning } from "../processes.ts";
import { temporary } from "../temporary.ts";
import { until } from "../waiting.ts";
import { echo } from "../e2e/load.ts";
import { asking } from "./asking.ts";
import { cordonPid } from "./cordon-pid.ts";
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

test("what a killed cordon had begun fails with 502 unless it may be repeated, once", async () => {
  await using node = await startNode({ standby: true, workers: 1, args: ["--outcome-header"] });
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
  await using node = await startNode({ standby: true, workers: 1 });
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

test("a node that starts again has its cordons again", async () => {
  using folder = temporary();
  const first = await startNode({ standby: true, data: folder.path, workers: 1 });
  await first.publish("far", echo("v1"), { isolation: "group:g" });
  const pid = await cordonPid(first, "group:g");
  await first.stop();
  await gone([pid]);
  await using second = await startNode({ standby: true, data: folder.path, workers: 1 });
  await second.answersAfterMs("/far?nonce=n");
  expect(await cordonPid(second, "group:g")).not.toBe(pid);
});
