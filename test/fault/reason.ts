// Why a worker was replaced, wherever a node tells it.

import { expect } from "vitest";
import type { TestNode } from "../node.ts";
import { isRunning } from "../processes.ts";
import { until } from "../waiting.ts";

/** The supervisor takes a worker for stalled after 3 s; then a replacement. */
const REPLACED_MS_MAX = 10_000;

export async function restarts(node: TestNode): Promise<unknown> {
  const { data } = await node.api("GET", "/api/stats");
  return Reflect.get(Object(data), "worker_restarts");
}

/** Expects that exactly one worker was replaced, for this reason, and that everybody is told. */
export async function expectReason(node: TestNode, pid: number, reason: string): Promise<void> {
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
