// Workers that are sick but alive, or end for a reason: each is replaced before it goes, and the reason is seen in log,
// stats and metrics.

import { expect, test } from "vitest";
import { startNode, type TestNode } from "../node.ts";
import { isRunning } from "../processes.ts";
import { until } from "../waiting.ts";
import { echo } from "../e2e/load.ts";
import { asking } from "./asking.ts";
import { WEDGER } from "./wedger.ts";

/** The supervisor takes a worker for stalled after 3 s; then a replacement. */
const REPLACED_MS_MAX = 10_000;

/** Keeps 8 MB more with every request, in memory that was written to. */
const HOARDER = `const kept = [];
  export default {
    fetch() {
      kept.push(new Uint8Array(8_000_000).fill(kept.length + 1));
      return new Response("kept " + kept.length);
    },
  };`;

async function restarts(node: TestNode): Promise<unknown> {
  const { data } = await node.api("GET", "/api/stats");
  return Reflect.get(Object(data), "worker_restarts");
}

/** Expects that exactly one worker was replaced, for this reason, and that everybody is told. */
async function expectReason(node: TestNode, pid: number, reason: string): Promise<void> {
  await until("it is gone", () => !isRunning(pid), REPLACED_MS_MAX);
  expect(await restarts(node)).toMatchObject({
    counts: { [reason]: 1 },
    recent: [{ pid, reason }],
  });
  const metrics = await fetch(`http://127.0.0.1:${node.adminPort}/metrics`, {
    headers: { authorization: "Bearer islet_token_of_a_test" },
  });
  expect(await metrics.text()).toContain(`edge_worker_restarts_total{reason="${reason}"} 1\n`);
  await until("the log says why", () => node.output.includes(`"reason":"${reason}"`));
}

test("a worker that stands still is replaced before it is killed: stalled", async () => {
  await using node = await startNode({ workers: 1 });
  await node.publish("busy", echo("v1"));
  const standby = await node.standby();
  const [victim = 0] = node.workers;
  process.kill(victim, "SIGSTOP");
  const client = asking(node.port, "/busy?nonce=n");
  await expectReason(node, victim, "stalled");
  // Whoever stopped it is to blame, not what it ran.
  expect(await restarts(node)).toMatchObject({ recent: [{ culprit: null }] });
  expect(await node.serving()).toEqual([standby]);
  // Whoever waited for the one that stood still is cut off; the port itself was always served.
  expect((await client.stop()).filter((text) => text.includes("ECONNREFUSED"))).toEqual([]);
});

test("a worker that grows far beyond its budget is replaced before it is killed: memory", async () => {
  await using node = await startNode({ workers: 1, args: ["--worker-memory", "128MiB"] });
  await node.publish("busy", echo("v1"));
  await node.publish("hoarder", HOARDER, { limits: { memoryMb: 512 } });
  const standby = await node.standby();
  const [victim = 0] = node.workers;
  const client = asking(node.port, "/busy?nonce=n");
  await until("it is replaced", async () => {
    if (isRunning(victim)) await node.get("/hoarder").catch(() => null);
    return (await node.serving()).includes(standby);
  });
  await expectReason(node, victim, "memory");
  expect((await client.stop()).filter((text) => text.includes("ECONNREFUSED"))).toEqual([]);
});

test("a worker whose thread is lost to a builtin is replaced before it drains: wedged", async () => {
  await using node = await startNode({ workers: 1 });
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
  await using node = await startNode({ workers: 1 });
  await node.publish("busy", echo("v1"));
  const standby = await node.standby();
  const [victim = 0] = node.workers;
  process.kill(victim, "SIGSEGV");
  await node.answersAfterMs("/busy");
  await expectReason(node, victim, "crash");
  expect(await node.serving()).toEqual([standby]);
});

test("SIGTERM to a worker lets it drain once its replacement serves: terminated", async () => {
  await using node = await startNode({ workers: 1 });
  await node.publish("busy", echo("v1"));
  const standby = await node.standby();
  const [victim = 0] = node.workers;
  const client = asking(node.port, "/busy?nonce=n");
  process.kill(victim, "SIGTERM");
  await expectReason(node, victim, "terminated");
  expect(await node.serving()).toEqual([standby]);
  expect((await client.stop()).filter((text) => text.includes("ECONNREFUSED"))).toEqual([]);
});
