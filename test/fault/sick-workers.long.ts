// More of sick-workers.test.ts: the reasons that take longest.

import { expect, test } from "vitest";
import { listeningPorts } from "../../runtime/supervisor/processes.ts";
import { startNode } from "../node.ts";
import { isRunning } from "../processes.ts";
import { until } from "../waiting.ts";
import { echo } from "../e2e/load.ts";
import { asking } from "./asking.ts";
import { expectReason, restarts } from "./reason.ts";

/** Keeps 8 MB more with every request, in memory that was written to. */
const HOARDER = `const kept = [];
  export default {
    fetch() {
      kept.push(new Uint8Array(8_000_000).fill(kept.length + 1));
      return new Response("kept " + kept.length);
    },
  };`;

/** Keeps the worker that it has asked. */
const SLOW = `export default {
    async fetch() {
      console.log("asked");
      await new Promise((resolve) => setTimeout(resolve, 20_000));
      return new Response("at last");
    },
  };`;

test("a worker that stands still is replaced before it is killed: stalled", async () => {
  await using node = await startNode({ standby: true, workers: 1 });
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

test("a change is not done before a worker that drains serves by it, or is gone", async () => {
  await using node = await startNode({ standby: true, workers: 1 });
  await node.publish("busy", echo("v1"));
  await node.publish("slow", SLOW);
  await node.standby();
  const [victim = 0] = node.workers;
  const slow = node.get("/slow").catch(() => null);
  await until("it is asked", () => node.output.includes("asked"));
  process.kill(victim, "SIGTERM");
  await until("it drains", () => !listeningPorts(victim).includes(node.port));
  process.kill(victim, "SIGSTOP");
  const deleted = await node.api("DELETE", "/api/endpoints/busy");
  expect([deleted.ok, isRunning(victim)]).toEqual([true, false]);
  await slow;
});

test("a worker that grows far beyond its budget is replaced before it is killed: memory", async () => {
  await using node = await startNode({
    standby: true,
    workers: 1,
    args: ["--worker-memory", "128MiB"],
  });
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

test("SIGTERM to a worker lets it drain once its replacement serves: terminated", async () => {
  await using node = await startNode({ standby: true, workers: 1 });
  await node.publish("busy", echo("v1"));
  const standby = await node.standby();
  const [victim = 0] = node.workers;
  const client = asking(node.port, "/busy?nonce=n");
  process.kill(victim, "SIGTERM");
  await expectReason(node, victim, "terminated");
  expect(await node.serving()).toEqual([standby]);
  expect((await client.stop()).filter((text) => text.includes("ECONNREFUSED"))).toEqual([]);
});
