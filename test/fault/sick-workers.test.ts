// Workers that are sick but alive, or end for a reason: each is replaced before it goes, and the reason is seen in log,
// stats and metrics.

import { expect, test } from "vitest";
import { startNode } from "../node.ts";
import { echo } from "../e2e/load.ts";
import { asking } from "./asking.ts";
import { expectReason } from "./reason.ts";
import { WEDGER } from "./wedger.ts";

test("a worker whose thread is lost to a builtin is replaced before it drains: wedged", async () => {
  await using node = await startNode({ standby: true, workers: 1 });
  await node.publish("wedger", WEDGER, { trust: "untrusted" });
  await node.standby();
  const [victim = 0] = node.workers;
  const wedged = node.get("/wedger?wedge");
  const client = asking(node.port, "/wedger");
  expect((await wedged).status).toBe(503);
  await expectReason(node, victim, "wedged");
  expect((await client.stop()).filter((text) => text.includes("ECONNREFUSED"))).toEqual([]);
});

test("a worker that crashes is replaced: crash", async () => {
  await using node = await startNode({ standby: true, workers: 1 });
  await node.publish("busy", echo("v1"));
  const standby = await node.standby();
  const [victim = 0] = node.workers;
  process.kill(victim, "SIGSEGV");
  await node.answersAfterMs("/busy");
  await expectReason(node, victim, "crash");
  expect(await node.serving()).toEqual([standby]);
});
