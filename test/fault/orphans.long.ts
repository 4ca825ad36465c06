// More of orphans.test.ts: nodes that take over what does not fit them.

import { rmSync } from "node:fs";
import { expect, test } from "vitest";
import { startNode, type TestNode } from "../node.ts";
import { gone, isRunning } from "../processes.ts";
import { temporary } from "../temporary.ts";
import { until } from "../waiting.ts";
import { echo } from "../e2e/load.ts";
import { asking } from "./asking.ts";

/** A worker is given up after 3 s of silence. */
const SILENT_MS = 3_000;
/** Draining nothing. */
const ENDED_MS_MAX = 5_000;

const SLOW = `export default {
  async fetch(request) {
    await new Promise((resolve) => setTimeout(resolve, 1500));
    return new Response("done");
  },
};`;

function portOf(node: TestNode): string[] {
  return ["--port", `${node.port}`];
}

test("orphans with another configuration are replaced while the port stays served", async () => {
  using folder = temporary();
  const first = await startNode({ standby: true, data: folder.path, workers: 2 });
  await first.publish("busy", echo("v1"));
  await using left = await first.kill();
  const client = asking(first.port, "/busy?nonce=n");
  const args = [...portOf(first), "--limit-max", "memoryMb=64"];
  await using second = await startNode({ standby: true, data: folder.path, workers: 2, args });
  await gone(left.workers, ENDED_MS_MAX);
  const failures = await client.stop();
  expect(failures.filter((text) => !text.includes("ECONNRESET"))).toEqual([]);
  expect(await second.serving()).toHaveLength(2);
});

test("a node that wants more workers starts them, one that wants fewer ends some", async () => {
  using folder = temporary();
  const first = await startNode({ standby: true, data: folder.path, workers: 1 });
  await using one = await first.kill();
  const second = await startNode({ standby: true, data: folder.path, workers: 2 });
  expect(second.workers).toHaveLength(2);
  expect(second.workers).toContain(one.workers[0]);
  await using two = await second.kill();
  await using third = await startNode({ standby: true, data: folder.path, workers: 1 });
  expect(third.workers).toHaveLength(1);
  expect(two.workers).toContain(third.workers[0]);
  await until("the other is gone", () => two.workers.filter(isRunning).length === 1);
});

test("an orphan that stands still is killed by the next node and replaced", async () => {
  using folder = temporary();
  const first = await startNode({ standby: true, data: folder.path, workers: 1 });
  await using left = await first.kill();
  const [wedged = 0] = left.workers;
  process.kill(wedged, "SIGSTOP");
  await using second = await startNode({ standby: true, data: folder.path, workers: 1 });
  expect(second.readyMs).toBeGreaterThan(SILENT_MS);
  expect(isRunning(wedged)).toBe(false);
  expect(second.workers).not.toContain(wedged);
  await until("the log", () => second.output.includes("is silent"));
});

test("an orphan that drains finishes its requests under the next node", async () => {
  using folder = temporary();
  const first = await startNode({ standby: true, data: folder.path, workers: 1 });
  await first.publish("slow", SLOW);
  const running = first.get("/slow");
  await until("the request runs", async () => {
    const { data } = await first.api("GET", "/api/stats");
    return Reflect.get(Object(data), "active_requests") === 1;
  });
  await using left = await first.kill();
  const [worker = 0] = left.workers;
  await until("it knows", () => first.output.includes("supervisor is gone"));
  process.kill(worker, "SIGTERM");
  await using second = await startNode({ standby: true, data: folder.path, workers: 1 });
  expect(second.workers).not.toContain(worker);
  expect((await running).text).toBe("done");
  await gone([worker], ENDED_MS_MAX);
});

test("orphans of a folder that is gone end", async () => {
  const folder = temporary();
  const first = await startNode({ standby: true, data: folder.path, workers: 2 });
  await using left = await first.kill();
  rmSync(folder.path, { recursive: true });
  await gone(left.workers, ENDED_MS_MAX);
});
