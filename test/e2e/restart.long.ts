// A node with many endpoints is back at once: nothing is compiled again, and isolates load when first asked for.

import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock } from "../../control/clock.ts";
import { openRegistry } from "../../control/registry/registry.ts";
import { startNode, type TestNode } from "../node.ts";
import { cpuMs } from "../processes.ts";
import { temporary } from "../temporary.ts";

const ENDPOINTS = 200;
/** A start with all of them may cost this much more than one with a single endpoint, per process. */
const MORE_CPU_MS_MAX = 250;
const ALL_MS_MAX = 120_000;
const AT_ONCE = 8;

/** Calls `work` for 0 … count - 1, a few at a time. */
async function inTurns(count: number, work: (at: number) => Promise<void>): Promise<void> {
  let next = 0;
  const runner = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, runner));
}

/** Processor time of the busiest process: wall-clock time is the neighbours' as well. */
function startCost(node: TestNode): number {
  return Math.max(...[node.pid, ...node.workers].map(cpuMs));
}

/** Two hundred checks of one bundle would take a minute: the others are written as publishing would. */
async function multiply(data: string): Promise<void> {
  const registry = await openRegistry({ dir: join(data, "registry"), clock: systemClock });
  const first = registry.get("e0");
  const [version] = first?.versions ?? [];
  if (!first?.deployment || version === undefined) throw new Error("e0 is not deployed");
  const { endpoint, deployment } = first;
  for (let at = 1; at < ENDPOINTS; at++) {
    const name = `e${at}`;
    const routes = [{ host: "*", path: `/${name}`, methods: [] }];
    const manifest = { ...version.manifest, name, routes, vars: { ME: name } };
    await registry.append([
      { op: "endpoint.put", endpoint: { ...endpoint, id: randomUUID(), name, routes } },
      { op: "version.put", version: { ...version, endpoint: name, manifest } },
      { op: "deployment.put", deployment: { ...deployment, endpoint: name } },
    ]);
  }
  await registry.close();
}

test(
  `a node with ${ENDPOINTS} endpoints restarts quickly, and each of them answers`,
  async () => {
    using folder = temporary();
    const first = await startNode({ data: folder.path, workers: 2 });
    const source = "export default { fetch: (request, env) => new Response(env.ME) };";
    await first.publish("e0", source, { vars: { ME: "e0" } });
    await first.stop();
    const single = await startNode({ data: folder.path, workers: 2 });
    const before = startCost(single);
    await single.stop();
    await multiply(folder.path);
    await using second = await startNode({ data: folder.path, workers: 2 });
    expect(startCost(second)).toBeLessThan(before + MORE_CPU_MS_MAX);
    await inTurns(ENDPOINTS, async (at) => {
      expect(await second.get(`/e${at}`)).toMatchObject({ status: 200, text: `e${at}` });
    });
  },
  ALL_MS_MAX,
);
