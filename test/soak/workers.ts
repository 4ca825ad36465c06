// Workers killed one after the other under load: only what was on them fails, and each is replaced soon. Then as many
// that are told to go: nothing fails.

import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { listeningPorts } from "../../runtime/supervisor/processes.ts";
import { Load, echo } from "../e2e/load.ts";
import { startNode, type TestNode } from "../node.ts";
import { acceptedBy } from "../processes.ts";
import { until } from "../waiting.ts";

const CONNECTIONS = 32;
const EVERY_MS = 1_000;
/** Told, not asserted: it is the machine's as well. */
const REPLACED_MS_GOAL = 300;

export async function workers(kills: number, print: (line: string) => void): Promise<void> {
  await using node = await startNode({ standby: true, workers: 2 });
  await node.publish("busy", echo("v1"));
  await using load = new Load(node.port, "/busy", CONNECTIONS);
  const replacedMs: number[] = [];
  let doomed = 0;
  for (let at = 0; at < kills; at++) {
    await load.round();
    const killed = await killOne(node, load);
    doomed += killed.doomed;
    replacedMs.push(killed.replacedMs);
    await delay(Math.max(0, EVERY_MS - killed.replacedMs));
  }
  await load.round();
  await load.stop();
  replacedMs.sort((one, other) => one - other);
  const [median = 0, longest = 0] = [replacedMs[kills >> 1], replacedMs.at(-1)];
  print(
    `${kills} workers of 2 killed, one a second, under ${CONNECTIONS} connections: ${load.answered} requests answered, ` +
      `${load.failures.length} failed, of ${doomed} connections that were on them; another one listened after ` +
      `${Math.round(median)} ms (median), ${Math.round(longest)} ms (longest; goal ${REPLACED_MS_GOAL} ms)`,
  );
  await leave(node, kills, print);
}

/** As those that are sick go: replaced first, then drained. */
async function leave(node: TestNode, times: number, print: (line: string) => void): Promise<void> {
  await using load = new Load(node.port, "/busy", CONNECTIONS);
  for (let at = 0; at < times; at++) {
    await load.round();
    await node.standby();
    const [victim = 0] = await node.serving();
    process.kill(victim, "SIGTERM");
    await until("it is gone", () => !node.workerProcesses().includes(victim));
  }
  await load.round();
  await load.stop();
  print(
    `${times} workers of 2 told to go, under ${CONNECTIONS} connections: ${load.answered} requests answered, ` +
      `${load.failures.length} failed`,
  );
  assert.deepEqual(load.failures, []);
}

/** Resolves when as many workers listen again; throws when a connection failed that was on another one. */
async function killOne(
  node: TestNode,
  load: Load,
): Promise<{ doomed: number; replacedMs: number }> {
  const serving = await node.serving();
  const [victim = 0, other = 0] = serving;
  const failedBefore = load.failures.length;
  const safe = acceptedBy(other, node.port);
  const spared = load.connections.filter((one) => safe.has(one.localPort));
  const doomed = CONNECTIONS - spared.length;
  const begun = performance.now();
  process.kill(victim, "SIGKILL");
  await until("another worker listens", () =>
    node
      .workerProcesses()
      .some((pid) => !serving.includes(pid) && listeningPorts(pid).includes(node.port)),
  );
  const replacedMs = performance.now() - begun;
  await load.round();
  const failed = load.failures.slice(failedBefore).map(({ connection }) => connection);
  assert.deepEqual(
    spared.filter(({ number }) => failed.includes(number)),
    [],
    "connections of another worker failed",
  );
  assert.ok(failed.length <= doomed, "a connection failed twice");
  return { doomed, replacedMs };
}
