// Cordons that die, stand still or are left behind: who notices, and who does not.

import { expect, test } from "vitest";
import { startNode } from "../node.ts";
import { gone } from "../processes.ts";
import { temporary } from "../temporary.ts";
import { Load, echo } from "../e2e/load.ts";
import { cordonPid } from "./cordon-pid.ts";

test("a killed cordon is replaced; its clients wait, everybody else does not notice", async () => {
  await using node = await startNode({ standby: true, workers: 1 });
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
